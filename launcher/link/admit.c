/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/admit.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509.h>

#include <cpmp.h>

#include "link/must.h"
#include "text/memory.h"
#include "wire/admit.pb-c.h"

static const char *const refusals[] = {
#define REFUSAL_TEXT(name, text) text,
    ADMIT_REFUSAL_MAP(REFUSAL_TEXT)
#undef REFUSAL_TEXT
};

static void
proof_make(const unsigned char key[TOKEN_KEY_BYTES], const unsigned char exporter[32],
           const void *request, size_t count, unsigned char proof[ADMIT_PROOF_BYTES])
{
    static const char purpose[] = "cpmp admission";
    struct text input = {0};
    unsigned length = ADMIT_PROOF_BYTES;

    text_add(&input, purpose, sizeof(purpose) - 1);
    text_add(&input, exporter, 32);
    text_add(&input, request, count);
    must(HMAC(EVP_sha256(), key, TOKEN_KEY_BYTES, (const unsigned char *)input.bytes, input.used,
              proof, &length) != NULL);
    text_release(&input);
}

/* --- the founder's side --- */

/* A request that has been looked at. */
struct asked {
    Cpmp__AdmitRequest *message;
    EVP_PKEY *key;
    unsigned char id[IDENTITY_ID_BYTES];
};

static void
asked_release(struct asked *asked)
{
    if (asked->message != NULL)
        cpmp__admit_request__free_unpacked(asked->message, NULL);
    EVP_PKEY_free(asked->key);
}

/* Who doesn't know the secret learns of nothing else. */
static enum admit_refusal
request_check(const struct admit_rules *rules, const unsigned char exporter[32],
              struct asked *asked)
{
    const Cpmp__AdmitRequest *message = asked->message;
    unsigned char proof[ADMIT_PROOF_BYTES], raw[IDENTITY_KEY_BYTES];
    const struct invitation *invitation;

    if (message->version != ADMIT_VERSION)
        return ADMIT_REFUSAL_VERSION;
    if (message->invitation.len != TOKEN_NAME_BYTES || message->proof.len != ADMIT_PROOF_BYTES)
        return ADMIT_REFUSAL_MALFORMED;
    invitation = invitations_find(rules->invitations, message->invitation.data);
    if (invitation == NULL)
        return ADMIT_REFUSAL_UNKNOWN;
    proof_make(invitation->key, exporter, message->request.data, message->request.len, proof);
    if (CRYPTO_memcmp(proof, message->proof.data, sizeof(proof)) != 0)
        return ADMIT_REFUSAL_PROOF;
    asked->key = identity_request_decode(message->request.data, message->request.len);
    if (asked->key == NULL || !identity_public_key(asked->key, raw))
        return ADMIT_REFUSAL_MALFORMED;
    identity_id(raw, asked->id);
    return revoked_has(rules->revoked, asked->id) ? ADMIT_REFUSAL_REVOKED : ADMIT_REFUSAL_NONE;
}

static enum admit_refusal
invitation_use(const struct admit_rules *rules, const struct asked *asked, int64_t now_s,
               struct text *why)
{
    switch (invitations_use(rules->invitations, asked->message->invitation.data, asked->id, now_s,
                            why)) {
    case CPMP_OK:
        return ADMIT_REFUSAL_NONE;
    case CPMP_ENOENT:
        return ADMIT_REFUSAL_UNKNOWN;
    case CPMP_EAGAIN:
        return ADMIT_REFUSAL_EXPIRED;
    case CPMP_EEXIST:
        return ADMIT_REFUSAL_USED;
    default:
        return ADMIT_REFUSAL_TROUBLE;
    }
}

static void
reply_refuse(enum admit_refusal refusal, struct text *reply)
{
    Cpmp__AdmitReply message = CPMP__ADMIT_REPLY__INIT;
    unsigned char bytes[256];

    message.refusal = refusal;
    message.text = (char *)(uintptr_t)refusals[refusal];
    assert(cpmp__admit_reply__get_packed_size(&message) <= sizeof(bytes));
    text_add(reply, bytes, cpmp__admit_reply__pack(&message, bytes));
}

/* The messages for peers, with the memory that they need. */
struct peer_rows {
    struct admit_peer peers[ADMIT_PEERS_MAX];
    Cpmp__OverlayPeer rows[ADMIT_PEERS_MAX];
    Cpmp__OverlayPeer *row_list[ADMIT_PEERS_MAX];
    char texts[ADMIT_PEERS_MAX][ADMIT_ADDRESSES_MAX][ADDRESS_TEXT_MAX];
    char *text_lists[ADMIT_PEERS_MAX][ADMIT_ADDRESSES_MAX];
};

static void
row_fill(struct peer_rows *rows, size_t at)
{
    struct admit_peer *peer = &rows->peers[at];
    Cpmp__OverlayPeer *row = &rows->rows[at];

    cpmp__overlay_peer__init(row);
    row->id.data = peer->id;
    row->id.len = sizeof(peer->id);
    row->name = peer->name;
    row->n_addresses = peer->address_count;
    row->addresses = rows->text_lists[at];
    for (size_t i = 0; i < peer->address_count; i++) {
        address_print(&peer->addresses[i], rows->texts[at][i]);
        rows->text_lists[at][i] = rows->texts[at][i];
    }
    rows->row_list[at] = row;
}

static void
reply_welcome(const struct admit_rules *rules, X509 *certificate, struct text *reply)
{
    Cpmp__AdmitReply message = CPMP__ADMIT_REPLY__INIT;
    struct peer_rows *rows = memory_new(1, sizeof(*rows));
    struct text own = {0}, authority = {0}, packed = {0};

    identity_certificate_encode(certificate, &own);
    identity_certificate_encode(rules->authority->certificate, &authority);
    message.certificate = (ProtobufCBinaryData){own.used, (uint8_t *)own.bytes};
    message.authority = (ProtobufCBinaryData){authority.used, (uint8_t *)authority.bytes};
    message.revoked = (ProtobufCBinaryData){rules->revoked->encoded.used,
                                            (uint8_t *)rules->revoked->encoded.bytes};
    message.n_peers = rules->peers(rules->arg, rows->peers);
    assert(message.n_peers <= ADMIT_PEERS_MAX);
    for (size_t i = 0; i < message.n_peers; i++)
        row_fill(rows, i);
    message.peers = rows->row_list;
    packed.capacity = cpmp__admit_reply__get_packed_size(&message);
    packed.bytes = memory_new(1, packed.capacity);
    packed.used = cpmp__admit_reply__pack(&message, (uint8_t *)packed.bytes);
    text_add(reply, packed.bytes, packed.used);
    text_release(&packed);
    text_release(&own);
    text_release(&authority);
    free(rows);
}

/* A certificate for whom the invitation counts. */
static enum admit_refusal
admit_certify(const struct admit_rules *rules, const struct asked *asked, int64_t now_s,
              struct text *reply, char name[IDENTITY_NAME_MAX + 1], struct text *why)
{
    const char *wanted = asked->message->name;
    char given[IDENTITY_NAME_MAX + 1] = "";
    X509 *certificate = NULL;

    rules->name(rules->arg, identity_name_is_valid(wanted) ? wanted : "", asked->id, given);
    if (rules->admitted(rules->arg, asked->id, given, why) != CPMP_OK ||
        authority_sign_peer(rules->authority, given, asked->key, now_s, &certificate) != CPMP_OK)
        return ADMIT_REFUSAL_TROUBLE;
    reply_welcome(rules, certificate, reply);
    X509_free(certificate);
    memcpy(name, given, sizeof(given));
    return ADMIT_REFUSAL_NONE;
}

enum admit_refusal
admit_answer(const struct admit_rules *rules, const unsigned char exporter[32], const void *bytes,
             size_t count, int64_t now_s, struct text *reply, char name[IDENTITY_NAME_MAX + 1],
             struct text *why)
{
    struct asked asked = {.message = cpmp__admit_request__unpack(NULL, count, bytes)};
    enum admit_refusal refusal = ADMIT_REFUSAL_MALFORMED;

    if (asked.message != NULL)
        refusal = request_check(rules, exporter, &asked);
    if (refusal == ADMIT_REFUSAL_NONE)
        refusal = invitation_use(rules, &asked, now_s, why);
    if (refusal == ADMIT_REFUSAL_NONE)
        refusal = admit_certify(rules, &asked, now_s, reply, name, why);
    if (refusal != ADMIT_REFUSAL_NONE) {
        if (why->used == 0)
            text_add_string(why, refusals[refusal]);
        reply_refuse(refusal, reply);
    }
    asked_release(&asked);
    return refusal;
}

/* --- the joiner's side --- */

void
admit_request(const struct token *token, EVP_PKEY *key, const char *name,
              const unsigned char exporter[32], struct text *out)
{
    Cpmp__AdmitRequest message = CPMP__ADMIT_REQUEST__INIT;
    unsigned char secret[TOKEN_KEY_BYTES], proof[ADMIT_PROOF_BYTES], who[TOKEN_NAME_BYTES];
    struct text request = {0};
    unsigned char *packed;
    size_t count;

    token_key(token->secret, secret);
    token_name(secret, who);
    identity_request_encode(key, &request);
    proof_make(secret, exporter, request.bytes, request.used, proof);
    OPENSSL_cleanse(secret, sizeof(secret));
    message.version = ADMIT_VERSION;
    message.invitation = (ProtobufCBinaryData){sizeof(who), who};
    message.proof = (ProtobufCBinaryData){sizeof(proof), proof};
    message.request = (ProtobufCBinaryData){request.used, (uint8_t *)request.bytes};
    message.name = (char *)(uintptr_t)name;
    count = cpmp__admit_request__get_packed_size(&message);
    packed = memory_new(1, count);
    cpmp__admit_request__pack(&message, packed);
    text_add(out, packed, count);
    free(packed);
    text_release(&request);
}

void
admit_result_release(struct admit_result *result)
{
    X509_free(result->certificate);
    X509_free(result->authority);
    revoked_release(&result->revoked);
    memset(result, 0, sizeof(*result));
}

/* What isn't in order is left out: a peer without an address is no use. */
static void
peers_take(const Cpmp__AdmitReply *message, struct admit_result *result)
{
    for (size_t i = 0; i < message->n_peers && result->peer_count < ADMIT_PEERS_MAX; i++) {
        const Cpmp__OverlayPeer *row = message->peers[i];
        struct admit_peer *peer = &result->peers[result->peer_count];

        memset(peer, 0, sizeof(*peer));
        if (row->id.len != IDENTITY_ID_BYTES)
            continue;
        memcpy(peer->id, row->id.data, IDENTITY_ID_BYTES);
        if (identity_name_is_valid(row->name))
            memcpy(peer->name, row->name, strlen(row->name) + 1);
        for (size_t k = 0; k < row->n_addresses && peer->address_count < ADMIT_ADDRESSES_MAX; k++) {
            if (address_parse(row->addresses[k], &peer->addresses[peer->address_count]) &&
                address_is_usable(&peer->addresses[peer->address_count]))
                peer->address_count++;
        }
        if (peer->address_count > 0)
            result->peer_count++;
    }
}

static int
say(struct text *why, int error, const char *words)
{
    text_add_string(why, words);
    return error;
}

static int
welcome_check(const struct token *token, EVP_PKEY *key, const Cpmp__AdmitReply *message,
              struct admit_result *result, struct text *why)
{
    unsigned char fingerprint[AUTHORITY_FINGERPRINT_BYTES];
    int newer;

    result->authority = identity_certificate_decode(message->authority.data,
                                                    message->authority.len);
    result->certificate = identity_certificate_decode(message->certificate.data,
                                                      message->certificate.len);
    if (result->authority == NULL || result->certificate == NULL)
        return say(why, CPMP_EPROTO, "the pool's answer is malformed");
    authority_fingerprint(result->authority, fingerprint);
    if (memcmp(fingerprint, token->fingerprint, sizeof(fingerprint)) != 0 ||
        !authority_certificate_is_one(result->authority))
        return say(why, CPMP_EKEY, "the pool's answer comes from another authority than the "
                                   "token's");
    if (!authority_signed(result->authority, result->certificate, key))
        return say(why, CPMP_EKEY, "the certificate that came is not of this peer's key");
    identity_certificate_name(result->authority, result->pool);
    identity_certificate_name(result->certificate, result->name);
    if (message->revoked.len > 0 &&
        revoked_decode(&result->revoked, result->authority, message->revoked.data,
                       message->revoked.len, &newer) != CPMP_OK)
        return say(why, CPMP_EPROTO, "the pool's list of revoked peers is malformed");
    peers_take(message, result);
    return CPMP_OK;
}

/* The text is another machine's; this one's own words are used where the reason is known. */
static int
refusal_say(const Cpmp__AdmitReply *message, struct text *why)
{
    const char *text = message->text;

    if (message->refusal < ADMIT_REFUSALS)
        return say(why, CPMP_EKEY, refusals[message->refusal]);
    text_add_string(why, "refused: ");
    for (size_t i = 0; text[i] != '\0' && i < 200; i++)
        text_print(why, "%c", isprint((unsigned char)text[i]) ? text[i] : '?');
    return CPMP_EKEY;
}

int
admit_accept(const struct token *token, EVP_PKEY *key, const void *bytes, size_t count,
             struct admit_result *result, struct text *why)
{
    Cpmp__AdmitReply *message = cpmp__admit_reply__unpack(NULL, count, bytes);
    int error;

    if (message == NULL)
        return say(why, CPMP_EPROTO, "the pool's answer is malformed");
    memset(result, 0, sizeof(*result));
    error = message->refusal != ADMIT_REFUSAL_NONE
                ? refusal_say(message, why)
                : welcome_check(token, key, message, result, why);
    if (error != CPMP_OK)
        admit_result_release(result);
    cpmp__admit_reply__free_unpacked(message, NULL);
    return error;
}
