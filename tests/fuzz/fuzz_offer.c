/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Offers from anybody: signed ones (whose signature nobody guesses, so that the fuzzer sees little
 * but the envelope), and what is inside, as if it had been signed. An offer that is taken can be
 * written and read again and stays the same; its words can be shown.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <cpmp.h>

#include "peer/offer.h"
#include "proto/computer/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
word_can_be_shown(const char *word, size_t bytes)
{
    size_t length = strnlen(word, bytes);

    assert(length < bytes);
    for (size_t i = 0; i < length; i++)
        assert(word[i] >= ' ' && word[i] <= '~');
}

static void
offer_survives(const struct offer *offer)
{
    struct require require = {0};
    struct text packed = {0};
    struct text again = {0};
    struct text why = {0};
    struct offer back;
    char words[REQUIRE_WHY_BYTES];
    int error = offer_encode(offer, &packed, &why);

    assert(error == CPMP_OK);
    error = offer_decode(packed.bytes, packed.used, &back, &why);
    assert(error == CPMP_OK);
    error = offer_encode(&back, &again, &why);
    assert(error == CPMP_OK);
    assert(again.used == packed.used && memcmp(again.bytes, packed.bytes, again.used) == 0);
    assert(offer->seller.ranks_free <= offer->seller.cores);
    word_can_be_shown(offer->seller.name, sizeof(offer->seller.name));
    word_can_be_shown(offer->seller.kernel, sizeof(offer->seller.kernel));
    word_can_be_shown(offer->seller.weaknesses, sizeof(offer->seller.weaknesses));
    word_can_be_shown(offer->why, sizeof(offer->why));

    error = require_parse("kernel>=5.13,weakness!=no-*,name=l*b*|*x,memory>=4G", &require, words);
    assert(error == CPMP_OK);
    words[0] = '\0';
    if (!require_match(&require, &offer->seller, words))
        word_can_be_shown(words, sizeof(words));
    text_release(&packed);
    text_release(&again);
    text_release(&why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct offer offer;
    struct text why = {0};

    if (offer_open(data, bytes, &offer, &why) == CPMP_OK)
        offer_survives(&offer);
    else
        assert(why.used > 0);
    text_clear(&why);
    if (offer_decode(data, bytes, &offer, &why) == CPMP_OK)
        offer_survives(&offer);
    else
        assert(why.used > 0);
    text_release(&why);
    return 0;
}
