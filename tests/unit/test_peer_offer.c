/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cpmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer/offer.h"

#define SECOND UINT64_C(1000000)

static EVP_PKEY *key;

static struct offer
sample(void)
{
    struct offer offer = {
        .seller = {.name = "lab-3.example",
                   .arch = "x86_64",
                   .os = "Linux",
                   .kernel = "6.1.0-18-amd64",
                   .version = "0.3",
                   .cores = 8,
                   .ranks_max = 6,
                   .ranks_free = 4,
                   .millicores_free = 4200,
                   .memory_bytes = UINT64_C(16) << 30,
                   .memory_free_bytes = UINT64_C(7) << 30,
                   .scratch_bytes = UINT64_C(1) << 30,
                   .weaknesses = "no-landlock,no-cgroup",
                   .distance_us = SELLER_DISTANCE_UNKNOWN},
        .pool = {1, 2, 3},
        .addresses = {{.ip = {192, 0, 2, 1}, .ip_bytes = 4, .port = 7711},
                      {.ip = {0x20, 0x01, 0x0d, 0xb8}, .ip_bytes = 16, .port = 7711}},
        .address_count = 2,
        .data_port_first = 7712,
        .data_port_last = 7811,
        .library_build = "0123abcd",
        .incarnation = 3,
        .sequence = 17,
        .issued_us = 1000 * SECOND,
        .valid_us = 60 * SECOND,
    };

    return offer;
}

static int
keys_make(void **state)
{
    (void)state;
    key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return key == NULL;
}

static int
keys_free(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    return 0;
}

static void
sign(const struct offer *offer, struct text *bytes)
{
    struct text why = {0};

    if (offer_sign(offer, key, bytes, &why) != CPMP_OK)
        fail_msg("%s", text_string(&why));
}

static void
an_offer_is_what_was_signed(void **state)
{
    struct offer offer = sample();
    struct offer opened;
    struct text bytes = {0};
    struct text again = {0};
    struct text why = {0};
    uint8_t public[OFFER_KEY_BYTES];
    size_t count = sizeof(public);

    (void)state;
    sign(&offer, &bytes);
    assert_true(bytes.used < 512);
    assert_int_equal(offer_open(bytes.bytes, bytes.used, &opened, &why), CPMP_OK);
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, public, &count), 1);
    assert_int_equal(offer_id_of_key(public, offer.seller.id), CPMP_OK);
    assert_memory_equal(opened.seller.id, offer.seller.id, SELLER_ID_BYTES);
    assert_string_equal(opened.seller.weaknesses, offer.seller.weaknesses);
    assert_int_equal(opened.addresses[1].ip_bytes, 16);
    assert_true(opened.seller.distance_us == SELLER_DISTANCE_UNKNOWN);
    text_clear(&bytes);
    assert_int_equal(offer_encode(&offer, &bytes, &why), CPMP_OK);
    assert_int_equal(offer_encode(&opened, &again, &why), CPMP_OK);
    assert_int_equal(bytes.used, again.used);
    assert_memory_equal(bytes.bytes, again.bytes, again.used);
    text_release(&again);
    text_release(&bytes);
}

/* Every bit that is changed on the way is seen: nothing is outside of what is signed. */
static void
no_bit_can_be_changed(void **state)
{
    struct offer offer = sample();
    struct offer opened;
    struct text bytes = {0};
    struct text why = {0};

    (void)state;
    sign(&offer, &bytes);
    for (size_t bit = 0; bit < bytes.used * 8; bit++) {
        bytes.bytes[bit / 8] ^= (char)(1 << bit % 8);
        if (offer_open(bytes.bytes, bytes.used, &opened, &why) == CPMP_OK)
            fail_msg("bit %zu can be changed", bit);
        bytes.bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_int_equal(offer_open(bytes.bytes, bytes.used - 1, &opened, &why), CPMP_EPROTO);
    assert_int_equal(offer_open(bytes.bytes, bytes.used, &opened, &why), CPMP_OK);
    text_release(&why);
    text_release(&bytes);
}

static void
refused(struct offer offer, const char *words)
{
    struct text bytes = {0};
    struct text why = {0};

    assert_int_equal(offer_sign(&offer, key, &bytes, &why), CPMP_EINVAL);
    if (strstr(text_string(&why), words) == NULL)
        fail_msg("\"%s\" isn't in: %s", words, text_string(&why));
    text_release(&why);
    text_release(&bytes);
}

#define REFUSED(change, words)                                                                     \
    do {                                                                                           \
        struct offer offer = sample();                                                             \
        change;                                                                                    \
        refused(offer, words);                                                                     \
    } while (0)

static void
what_makes_no_sense_is_no_offer(void **state)
{
    (void)state;
    REFUSED(offer.seller.name[3] = '\033', "name has characters");
    REFUSED(offer.seller.name[3] = ' ', "name has characters");
    REFUSED(offer.seller.name[0] = '\0', "name is empty");
    REFUSED(offer.seller.kernel[1] = '\n', "kernel has characters");
    REFUSED(snprintf(offer.why, 3, "\xc3\xa9"), "reason has characters");
    REFUSED(offer.seller.weaknesses[2] = '*', "weakness has characters");
    REFUSED(offer.seller.cores = 0, "capacity doesn't add up");
    REFUSED(offer.seller.ranks_max = 9, "capacity doesn't add up");
    REFUSED(offer.seller.ranks_free = 7, "capacity doesn't add up");
    REFUSED(offer.seller.millicores_free = 8001, "capacity doesn't add up");
    REFUSED(offer.seller.memory_free_bytes = UINT64_MAX, "memory doesn't add up");
    REFUSED(offer.addresses[1].ip_bytes = 5, "address is none");
    REFUSED(offer.addresses[1].port = 0, "address is none");
    REFUSED(offer.data_port_first = 7812, "data ports is none");
    REFUSED(offer.valid_us = 0, "validity is out of range");
    REFUSED(offer.valid_us = OFFER_VALID_MAX_US + 1, "validity is out of range");
}

static void
a_key_of_another_kind_is_refused(void **state)
{
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    struct offer offer = sample();
    struct text bytes = {0};
    struct text why = {0};

    (void)state;
    assert_int_equal(offer_sign(&offer, other, &bytes, &why), CPMP_ESYS);
    assert_non_null(strstr(text_string(&why), "Ed25519"));
    EVP_PKEY_free(other);
    text_release(&why);
}

static void
another_version_is_told_apart(void **state)
{
    static const uint8_t version_2[] = {0x08, 0x02};
    struct offer opened;
    struct text why = {0};

    (void)state;
    assert_int_equal(offer_decode(version_2, sizeof(version_2), &opened, &why), CPMP_EVERSION);
    assert_non_null(strstr(text_string(&why), "version 2"));
    text_release(&why);
}

static void
the_newer_one_counts_while_it_is_fresh(void **state)
{
    struct offer old = sample();
    struct offer new = sample();

    (void)state;
    assert_false(offer_is_newer(&new, &old));
    new.sequence++;
    assert_true(offer_is_newer(&new, &old));
    old.incarnation++;
    assert_false(offer_is_newer(&new, &old));
    assert_true(offer_is_fresh(&new, 1060 * SECOND));
    assert_true(offer_is_fresh(&new, 1360 * SECOND));
    assert_false(offer_is_fresh(&new, 1361 * SECOND));
    assert_true(offer_is_fresh(&new, 700 * SECOND));
    assert_false(offer_is_fresh(&new, 699 * SECOND));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offer_is_what_was_signed),
        cmocka_unit_test(no_bit_can_be_changed),
        cmocka_unit_test(what_makes_no_sense_is_no_offer),
        cmocka_unit_test(a_key_of_another_kind_is_refused),
        cmocka_unit_test(another_version_is_told_apart),
        cmocka_unit_test(the_newer_one_counts_while_it_is_fresh),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, keys_make, keys_free);
}
