/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/offer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>
#include <openssl/sha.h>

#include "text/memory.h"
#include "wire/offer.pb-c.h"

#define WEAKNESSES_MAX 32u

/* Signed before the bytes, so that no other signed thing of a peer can pass for an offer. */
static const char signing_context[] = "cpmp offer 1";

/* --- words from outside --- */

static int
refuse(struct text *why, const char *field, const char *reason)
{
    text_print(why, "an offer's %s %s", field, reason);
    return CPMP_EPROTO;
}

/* Printable ASCII; with `strict` only what host names and names of weaknesses are made of. */
static bool
word_is_right(const char *word, bool strict)
{
    for (; *word != '\0'; word++) {
        unsigned char c = (unsigned char)*word;

        if (c < ' ' || c > '~' || (strict && !isalnum(c) && strchr("-_.", c) == NULL))
            return false;
    }
    return true;
}

static int
word_take(char *to, size_t bytes, const char *from, const char *field, bool strict,
          struct text *why)
{
    if (strlen(from) >= bytes)
        return refuse(why, field, "is too long");
    if (!word_is_right(from, strict))
        return refuse(why, field, "has characters that it may not have");
    snprintf(to, bytes, "%s", from);
    return CPMP_OK;
}

static int
words_take(const Cpmp__Offer *message, struct offer *offer, struct text *why)
{
    struct seller *seller = &offer->seller;
    const struct {
        char *to;
        size_t bytes;
        const char *from, *field;
    } words[] = {
        {seller->name, sizeof(seller->name), message->name, "name"},
        {seller->arch, sizeof(seller->arch), message->arch, "arch"},
        {seller->os, sizeof(seller->os), message->os, "os"},
        {seller->kernel, sizeof(seller->kernel), message->kernel, "kernel"},
        {seller->version, sizeof(seller->version), message->cpmp_version, "version of cpmp"},
        {offer->library_build, sizeof(offer->library_build), message->library_build, "build id"},
        {offer->why, sizeof(offer->why), message->why, "reason"},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        int error = word_take(words[i].to, words[i].bytes, words[i].from, words[i].field, i == 0,
                              why);

        if (error)
            return error;
    }
    return *seller->name != '\0' ? CPMP_OK : refuse(why, "name", "is empty");
}

static int
weaknesses_take(const Cpmp__Offer *message, struct seller *seller, struct text *why)
{
    size_t used = 0;

    if (message->n_weaknesses > WEAKNESSES_MAX)
        return refuse(why, "list of weaknesses", "is too long");
    for (size_t i = 0; i < message->n_weaknesses; i++) {
        const char *name = message->weaknesses[i];

        if (*name == '\0' || !word_is_right(name, true))
            return refuse(why, "weakness", "has characters that it may not have");
        if (used + strlen(name) + 2 > sizeof(seller->weaknesses))
            return refuse(why, "list of weaknesses", "is too long");
        used += (size_t)snprintf(seller->weaknesses + used, sizeof(seller->weaknesses) - used,
                                 "%s%s", used > 0 ? "," : "", name);
    }
    return CPMP_OK;
}

static int
addresses_take(const Cpmp__Offer *message, struct offer *offer, struct text *why)
{
    if (message->n_addresses > OFFER_ADDRESSES_MAX)
        return refuse(why, "list of addresses", "is too long");
    for (size_t i = 0; i < message->n_addresses; i++) {
        const Cpmp__OfferAddress *from = message->addresses[i];
        struct offer_address *to = &offer->addresses[i];

        if ((from->ip.len != 4 && from->ip.len != 16) || from->port == 0 || from->port > 65535)
            return refuse(why, "address", "is none");
        memcpy(to->ip, from->ip.data, from->ip.len);
        to->ip_bytes = (uint8_t)from->ip.len;
        to->port = (uint16_t)from->port;
        offer->address_count++;
    }
    return CPMP_OK;
}

static int
numbers_take(const Cpmp__Offer *message, struct offer *offer, struct text *why)
{
    struct seller *seller = &offer->seller;

    if (message->pool.len != OFFER_POOL_BYTES)
        return refuse(why, "pool", "is no fingerprint");
    if (message->data_port_first > message->data_port_last || message->data_port_last > 65535)
        return refuse(why, "range of data ports", "is none");
    if (message->cores == 0 || message->cores > OFFER_CORES_MAX ||
        message->ranks_max > message->cores || message->ranks_free > message->ranks_max ||
        message->millicores_free > message->cores * 1000)
        return refuse(why, "capacity", "doesn't add up");
    if (message->memory_free_bytes > message->memory_bytes)
        return refuse(why, "memory", "doesn't add up");
    if (message->valid_us == 0 || message->valid_us > OFFER_VALID_MAX_US)
        return refuse(why, "time of validity", "is out of range");
    memcpy(offer->pool, message->pool.data, OFFER_POOL_BYTES);
    offer->data_port_first = (uint16_t)message->data_port_first;
    offer->data_port_last = (uint16_t)message->data_port_last;
    seller->cores = message->cores;
    seller->ranks_max = message->ranks_max;
    seller->ranks_free = message->ranks_free;
    seller->millicores_free = message->millicores_free;
    seller->memory_bytes = message->memory_bytes;
    seller->memory_free_bytes = message->memory_free_bytes;
    seller->scratch_bytes = message->scratch_bytes;
    seller->distance_us = SELLER_DISTANCE_UNKNOWN;
    offer->incarnation = message->incarnation;
    offer->sequence = message->sequence;
    offer->issued_us = message->issued_us;
    offer->valid_us = message->valid_us;
    return CPMP_OK;
}

int
offer_decode(const void *bytes, size_t count, struct offer *offer, struct text *why)
{
    struct offer taken = {.address_count = 0};
    Cpmp__Offer *message;
    int error;

    message = count <= OFFER_BYTES_MAX ? cpmp__offer__unpack(NULL, count, bytes) : NULL;
    if (message == NULL)
        return refuse(why, "bytes", "are malformed");
    if (message->version != OFFER_VERSION) {
        text_print(why, "an offer of version %u; this cpmp knows version %u", message->version,
                   OFFER_VERSION);
        cpmp__offer__free_unpacked(message, NULL);
        return CPMP_EVERSION;
    }
    error = numbers_take(message, &taken, why);
    if (!error)
        error = words_take(message, &taken, why);
    if (!error)
        error = weaknesses_take(message, &taken.seller, why);
    if (!error)
        error = addresses_take(message, &taken, why);
    cpmp__offer__free_unpacked(message, NULL);
    if (!error)
        *offer = taken;
    return error;
}

/* --- outwards --- */

/* Cuts the list of names in place; their pointers into `names`. */
static size_t
names_split(char *list, char **names)
{
    size_t count = 0;
    char *name;

    while ((name = strsep(&list, ",")) != NULL) {
        if (*name != '\0' && count < WEAKNESSES_MAX)
            names[count++] = name;
    }
    return count;
}

static void
addresses_fill(const struct offer *offer, Cpmp__OfferAddress *addresses,
               Cpmp__OfferAddress **pointers)
{
    for (uint32_t i = 0; i < offer->address_count; i++) {
        cpmp__offer_address__init(&addresses[i]);
        addresses[i].ip.data = (uint8_t *)(uintptr_t)offer->addresses[i].ip;
        addresses[i].ip.len = offer->addresses[i].ip_bytes;
        addresses[i].port = offer->addresses[i].port;
        pointers[i] = &addresses[i];
    }
}

static void
message_fill(const struct offer *offer, Cpmp__Offer *message)
{
    const struct seller *seller = &offer->seller;

    cpmp__offer__init(message);
    message->version = OFFER_VERSION;
    message->pool.data = (uint8_t *)(uintptr_t)offer->pool;
    message->pool.len = OFFER_POOL_BYTES;
    message->name = (char *)(uintptr_t)seller->name;
    message->data_port_first = offer->data_port_first;
    message->data_port_last = offer->data_port_last;
    message->arch = (char *)(uintptr_t)seller->arch;
    message->os = (char *)(uintptr_t)seller->os;
    message->kernel = (char *)(uintptr_t)seller->kernel;
    message->cpmp_version = (char *)(uintptr_t)seller->version;
    message->library_build = (char *)(uintptr_t)offer->library_build;
    message->cores = seller->cores;
    message->ranks_max = seller->ranks_max;
    message->ranks_free = seller->ranks_free;
    message->millicores_free = seller->millicores_free;
    message->memory_bytes = seller->memory_bytes;
    message->memory_free_bytes = seller->memory_free_bytes;
    message->scratch_bytes = seller->scratch_bytes;
    message->why = (char *)(uintptr_t)offer->why;
    message->incarnation = offer->incarnation;
    message->sequence = offer->sequence;
    message->issued_us = offer->issued_us;
    message->valid_us = offer->valid_us;
}

int
offer_encode(const struct offer *offer, struct text *out, struct text *why)
{
    Cpmp__OfferAddress addresses[OFFER_ADDRESSES_MAX];
    Cpmp__OfferAddress *pointers[OFFER_ADDRESSES_MAX];
    char list[SELLER_WEAKNESSES_BYTES];
    char *names[WEAKNESSES_MAX];
    struct offer again;
    Cpmp__Offer message;
    uint8_t *bytes;
    size_t count;
    int error;

    if (offer->address_count > OFFER_ADDRESSES_MAX) {
        refuse(why, "list of addresses", "is too long");
        return CPMP_EINVAL;
    }
    message_fill(offer, &message);
    addresses_fill(offer, addresses, pointers);
    message.addresses = pointers;
    message.n_addresses = offer->address_count;
    snprintf(list, sizeof(list), "%s", offer->seller.weaknesses);
    message.n_weaknesses = names_split(list, names);
    message.weaknesses = names;

    count = cpmp__offer__get_packed_size(&message);
    bytes = memory_new(count + 1, 1);
    cpmp__offer__pack(&message, bytes);
    /* What nobody would take isn't sent: it is found out here, where somebody can do something. */
    error = offer_decode(bytes, count, &again, why);
    if (!error)
        text_add(out, bytes, count);
    free(bytes);
    return error ? CPMP_EINVAL : CPMP_OK;
}

/* --- signatures --- */

int
offer_id_of_key(const uint8_t key[OFFER_KEY_BYTES], uint8_t id[SELLER_ID_BYTES])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];

    if (EVP_Digest(key, OFFER_KEY_BYTES, digest, NULL, EVP_sha256(), NULL) != 1)
        return CPMP_ESYS;
    memcpy(id, digest, SELLER_ID_BYTES);
    return CPMP_OK;
}

static void
signed_text(const void *bytes, size_t count, struct text *out)
{
    text_add(out, signing_context, sizeof(signing_context));
    text_add(out, bytes, count);
}

static int
text_sign(EVP_PKEY *key, const struct text *text, uint8_t signature[OFFER_SIGNATURE_BYTES])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t count = OFFER_SIGNATURE_BYTES;
    int right = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestSign(context, signature, &count, (const uint8_t *)text->bytes,
                               text->used) == 1 && count == OFFER_SIGNATURE_BYTES;

    EVP_MD_CTX_free(context);
    return right ? CPMP_OK : CPMP_ESYS;
}

static bool
signature_is_right(const uint8_t key[OFFER_KEY_BYTES], const struct text *text,
                   const uint8_t signature[OFFER_SIGNATURE_BYTES])
{
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, OFFER_KEY_BYTES);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool right = public != NULL && context != NULL &&
                 EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) == 1 &&
                 EVP_DigestVerify(context, signature, OFFER_SIGNATURE_BYTES,
                                  (const uint8_t *)text->bytes, text->used) == 1;

    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public);
    return right;
}

int
offer_sign(const struct offer *offer, EVP_PKEY *key, struct text *out, struct text *why)
{
    Cpmp__SignedOffer message = CPMP__SIGNED_OFFER__INIT;
    uint8_t public[OFFER_KEY_BYTES], signature[OFFER_SIGNATURE_BYTES];
    uint8_t packed[OFFER_BYTES_MAX];
    size_t public_bytes = sizeof(public);
    struct text bytes = {0};
    struct text signed_bytes = {0};
    int error = offer_encode(offer, &bytes, why);

    if (error)
        goto release_texts;
    signed_text(bytes.bytes, bytes.used, &signed_bytes);
    error = CPMP_ESYS;
    if (EVP_PKEY_get_raw_public_key(key, public, &public_bytes) != 1 ||
        public_bytes != sizeof(public) || text_sign(key, &signed_bytes, signature) != CPMP_OK) {
        text_add_string(why, "OpenSSL could not sign this peer's offer; is its key Ed25519?");
        goto release_texts;
    }
    message.offer.data = (uint8_t *)bytes.bytes;
    message.offer.len = bytes.used;
    message.key.data = public;
    message.key.len = sizeof(public);
    message.signature.data = signature;
    message.signature.len = sizeof(signature);
    error = CPMP_EINVAL;
    if (cpmp__signed_offer__get_packed_size(&message) > sizeof(packed)) {
        refuse(why, "bytes", "are too many");
        goto release_texts;
    }
    text_add(out, packed, cpmp__signed_offer__pack(&message, packed));
    error = CPMP_OK;

release_texts:
    text_release(&signed_bytes);
    text_release(&bytes);
    return error;
}

static int
message_open(const Cpmp__SignedOffer *message, struct offer *offer, struct text *why)
{
    struct text signed_bytes = {0};
    struct offer opened;
    bool right;
    int error;

    if (message->key.len != OFFER_KEY_BYTES || message->signature.len != OFFER_SIGNATURE_BYTES)
        return refuse(why, "key or signature", "has the wrong length");
    signed_text(message->offer.data, message->offer.len, &signed_bytes);
    right = signature_is_right(message->key.data, &signed_bytes, message->signature.data);
    text_release(&signed_bytes);
    if (!right) {
        refuse(why, "signature", "is not that of its key");
        return CPMP_EKEY;
    }
    error = offer_decode(message->offer.data, message->offer.len, &opened, why);
    if (!error)
        error = offer_id_of_key(message->key.data, opened.seller.id);
    if (!error)
        *offer = opened;
    return error;
}

int
offer_open(const void *bytes, size_t count, struct offer *offer, struct text *why)
{
    Cpmp__SignedOffer *message;
    int error;

    message = count <= OFFER_BYTES_MAX ? cpmp__signed_offer__unpack(NULL, count, bytes) : NULL;
    if (message == NULL)
        return refuse(why, "bytes", "are malformed");
    error = message_open(message, offer, why);
    cpmp__signed_offer__free_unpacked(message, NULL);
    return error;
}

/* --- which one counts --- */

bool
offer_is_newer(const struct offer *offer, const struct offer *known)
{
    if (offer->incarnation != known->incarnation)
        return offer->incarnation > known->incarnation;
    return offer->sequence > known->sequence;
}

bool
offer_is_fresh(const struct offer *offer, uint64_t now_us)
{
    if (offer->issued_us > now_us)
        return offer->issued_us - now_us <= OFFER_SKEW_US;
    return now_us - offer->issued_us <= offer->valid_us + OFFER_SKEW_US;
}
