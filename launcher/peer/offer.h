/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_OFFER_H
#define CPI_PEER_OFFER_H

/*
 * A peer's offer: who it is, where it is reached, what it has and what of that is free. As bytes it
 * is a packed Cpmp__SignedOffer (wire/offer.proto), signed with the peer's Ed25519 identity; its id
 * follows from the key and can't be chosen.
 *
 * What comes from outside is checked before it is used: sizes, letters (names and words can be
 * shown on a terminal), ranges, and the signature over the very bytes that were sent.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "proto/computer/seller.h"
#include "text/text.h"

#define OFFER_VERSION         1u
#define OFFER_BYTES_MAX       4096u  /* signed and packed */
#define OFFER_ADDRESSES_MAX   8u
#define OFFER_POOL_BYTES      32u
#define OFFER_KEY_BYTES       32u
#define OFFER_SIGNATURE_BYTES 64u
#define OFFER_WHY_BYTES       160u
#define OFFER_CORES_MAX       65536u
#define OFFER_VALID_MAX_US    UINT64_C(86400000000)
#define OFFER_SKEW_US         UINT64_C(300000000)  /* between the clocks of two machines */

struct offer_address {
    uint8_t ip[16];
    uint8_t ip_bytes;  /* 4 or 16 */
    uint16_t port;
};

struct offer {
    struct seller seller;  /* its distance is SELLER_DISTANCE_UNKNOWN when it comes from outside */
    uint8_t pool[OFFER_POOL_BYTES];
    struct offer_address addresses[OFFER_ADDRESSES_MAX];
    uint32_t address_count;
    uint16_t data_port_first, data_port_last;
    char library_build[SELLER_WORD_BYTES];
    char why[OFFER_WHY_BYTES];    /* what keeps ranks away; "": nothing */
    uint64_t incarnation, sequence;
    uint64_t issued_us, valid_us; /* wall clock since 1970 */
};

/* The id that belongs to a raw public key: the first bytes of its SHA-256. */
int offer_id_of_key(const uint8_t key[OFFER_KEY_BYTES], uint8_t id[SELLER_ID_BYTES]);

/* Adds the offer, signed with `key`, to `out`. offer->seller.id is not looked at. CPMP_OK;
 * CPMP_EINVAL when it is none that offer_open would take (a name or word out of the ordinary), with
 * the reason in `why`; CPMP_ESYS when OpenSSL fails. */
int offer_sign(const struct offer *offer, EVP_PKEY *key, struct text *out, struct text *why);

/* Checks and opens what offer_sign made. CPMP_OK; CPMP_EPROTO (malformed or out of range),
 * CPMP_EVERSION, CPMP_EKEY (the signature is not of that key over these bytes), each with `why`. */
int offer_open(const void *bytes, size_t count, struct offer *offer, struct text *why);

/* The part without signature, for offer_open and its fuzzer. seller.id is 0. */
int offer_decode(const void *bytes, size_t count, struct offer *offer, struct text *why);
int offer_encode(const struct offer *offer, struct text *out, struct text *why);

/* Does `offer` replace `known`, of the same peer? */
bool offer_is_newer(const struct offer *offer, const struct offer *known);

/* Is it valid at `now_us` (wall clock since 1970)? Clocks may differ by OFFER_SKEW_US. */
bool offer_is_fresh(const struct offer *offer, uint64_t now_us);

#endif
