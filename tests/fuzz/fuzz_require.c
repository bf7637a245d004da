/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What somebody requires of peers, before and behind an end of line: the terms, and the name of a
 * peer that they are held against. What is refused has words and changes nothing; what is taken
 * answers, and says why not.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "proto/computer/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
seller_fill(struct seller *seller, const char *words)
{
    *seller = (struct seller){.arch = "x86_64",
                              .os = "Linux",
                              .weaknesses = "no-landlock,no-cgroup",
                              .cores = 8,
                              .ranks_max = 8,
                              .ranks_free = 3,
                              .memory_bytes = UINT64_C(16) << 30,
                              .memory_free_bytes = UINT64_C(4) << 30,
                              .distance_us = SELLER_DISTANCE_UNKNOWN};
    memcpy(seller->name, words, strnlen(words, sizeof(seller->name) - 1));
    memcpy(seller->kernel, words, strnlen(words, sizeof(seller->kernel) - 1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes + 1);
    struct require require = {.count = 0};
    struct seller seller;
    char why[REQUIRE_WHY_BYTES] = "";
    char *words;

    assert(text);
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    words = text + strcspn(text, "\n");
    if (*words == '\n')
        *words++ = '\0';
    seller_fill(&seller, words);
    if (require_parse(text, &require, why) != CPMP_OK) {
        assert(why[0] != '\0' && require.count == 0);
    } else {
        assert(require.count > 0 && require.count <= REQUIRE_TERMS_MAX);
        why[0] = '\0';
        assert(require_match(&require, &seller, why) == (why[0] == '\0'));
    }
    assert(strnlen(why, sizeof(why)) < sizeof(why));
    free(text);
    return 0;
}
