/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/membership.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cpmp.h>

#include "system/saved.h"
#include "text/hex.h"
#include "text/memory.h"

#define MEMBERS_BYTES_MAX (16u << 20)

/* --- files --- */

/* Of a file in the directory; the caller frees it. */
static char *
path_of(const char *directory, const char *name)
{
    struct text path = {0};

    text_print(&path, "%s/%s", directory, name);
    return path.bytes;
}

static int
pool_directory_make(const char *directory, struct text *why)
{
    char *path = path_of(directory, "pool");
    int error = CPMP_OK;

    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        text_print(why, "%s can't be made: %s", path, strerror(errno));
        error = CPMP_ESYS;
    }
    free(path);
    return error;
}

static int
certificate_load(const char *directory, const char *name, X509 **certificate_p, struct text *why)
{
    char *path = path_of(directory, name);
    int error = identity_certificate_load(path, certificate_p, why);

    free(path);
    return error;
}

static int
certificate_save(const char *directory, const char *name, X509 *certificate, struct text *why)
{
    char *path = path_of(directory, name);
    int error = identity_certificate_save(path, certificate, why);

    free(path);
    return error;
}

static int
own_key_load(const char *directory, EVP_PKEY **key_p, struct text *why)
{
    char *path = path_of(directory, "identity.key");
    int error = identity_key_load(path, key_p, why);

    free(path);
    return error;
}

int
membership_key(const char *directory, EVP_PKEY **key_p, struct text *why)
{
    int error = own_key_load(directory, key_p, why);
    char *path;

    if (error != CPMP_ENOENT)
        return error;
    path = path_of(directory, "identity.key");
    *key_p = identity_key_new();
    error = identity_key_save(path, *key_p, why);
    if (error != CPMP_OK) {
        EVP_PKEY_free(*key_p);
        *key_p = NULL;
    }
    free(path);
    return error;
}

/* --- the founder's files --- */

static void
peer_add(struct membership *membership, const unsigned char *id, const char *name)
{
    struct membership_peer *peer;

    membership->peers = memory_grow(membership->peers, membership->peer_count + 1,
                                    sizeof(*membership->peers));
    peer = &membership->peers[membership->peer_count++];
    memcpy(peer->id, id, IDENTITY_ID_BYTES);
    snprintf(peer->name, sizeof(peer->name), "%s", name);
}

static bool
member_line_read(struct membership *membership, const char *line, size_t length)
{
    unsigned char id[IDENTITY_ID_BYTES];
    char name[IDENTITY_NAME_MAX + 1];

    if (length < 2 * IDENTITY_ID_BYTES + 2 ||
        length - 2 * IDENTITY_ID_BYTES - 1 > IDENTITY_NAME_MAX)
        return false;
    for (size_t i = 0; i < IDENTITY_ID_BYTES; i++) {
        unsigned value;
        if (sscanf(line + 2 * i, "%2x", &value) != 1)
            return false;
        id[i] = (unsigned char)value;
    }
    snprintf(name, sizeof(name), "%.*s", (int)(length - 2 * IDENTITY_ID_BYTES - 1),
             line + 2 * IDENTITY_ID_BYTES + 1);
    if (!identity_name_is_valid(name))
        return false;
    peer_add(membership, id, name);
    return true;
}

static int
members_load(struct membership *membership, struct text *why)
{
    char *path = path_of(membership->directory, "pool/members");
    struct text content = {0};
    int error = saved_read(path, MEMBERS_BYTES_MAX, SAVED_FOR_ALL, &content, why);

    for (const char *line = text_string(&content); error == CPMP_OK && *line != '\0';) {
        size_t length = strcspn(line, "\n");
        if (!member_line_read(membership, line, length)) {
            text_print(why, "%s is damaged at \"%.*s\"", path, (int)length, line);
            error = CPMP_EPROTO;
        }
        line += length + (line[length] == '\n');
    }
    free(path);
    text_release(&content);
    return error == CPMP_ENOENT ? CPMP_OK : error;
}

static int
members_save(const struct membership *membership, struct text *why)
{
    char *path = path_of(membership->directory, "pool/members");
    struct text content = {0};
    int error;

    for (size_t i = 0; i < membership->peer_count; i++) {
        hex_add(&content, membership->peers[i].id, IDENTITY_ID_BYTES);
        text_print(&content, " %s\n", membership->peers[i].name);
    }
    error = saved_write(path, text_string(&content), content.used, SAVED_FOR_ALL, why);
    free(path);
    text_release(&content);
    return error;
}

static int
founder_load(struct membership *membership, struct text *why)
{
    char *key = path_of(membership->directory, "pool/authority.key");
    char *certificate = path_of(membership->directory, "pool/authority.crt");
    char *invitations = path_of(membership->directory, "pool/invitations");
    char *open = path_of(membership->directory, "pool/open");
    int error = CPMP_OK;

    membership->founder = access(key, F_OK) == 0;
    if (membership->founder) {
        error = authority_load(&membership->own, key, certificate, why);
        if (error == CPMP_OK)
            error = invitations_load(&membership->invitations, invitations, why);
        if (error == CPMP_OK)
            error = members_load(membership, why);
        membership->open = access(open, F_OK) == 0;
    }
    free(key);
    free(certificate);
    free(invitations);
    free(open);
    return error;
}

/* --- loading --- */

static int
parts_load(struct membership *membership, struct text *why)
{
    const char *directory = membership->directory;
    int error = certificate_load(directory, "identity.crt", &membership->certificate, why);
    char *path;

    if (error == CPMP_OK) {
        error = own_key_load(directory, &membership->key, why);
        if (error == CPMP_OK)
            error = certificate_load(directory, "pool/authority.crt", &membership->authority, why);
        if (error == CPMP_ENOENT) {
            text_print(why, "%s lacks identity.key or pool/authority.crt: bring them back, or "
                            "remove identity.crt to join anew", directory);
            error = CPMP_EPROTO;
        }
    }
    if (error != CPMP_OK)
        return error;
    path = path_of(directory, "pool/revoked");
    error = revoked_load(&membership->revoked, membership->authority, path, why);
    free(path);
    return error == CPMP_OK ? founder_load(membership, why) : error;
}

static int
parts_check(struct membership *membership, struct text *why)
{
    if (!authority_signed(membership->authority, membership->certificate, membership->key) ||
        !identity_public_key(membership->key, membership->public_key) ||
        !identity_certificate_name(membership->certificate, membership->name) ||
        !identity_certificate_name(membership->authority, membership->pool)) {
        text_print(why, "the key, the certificate and the pool's authority in %s don't belong "
                        "together; bring back the ones that do, or join anew with a new state "
                        "directory", membership->directory);
        return CPMP_EPROTO;
    }
    identity_id(membership->public_key, membership->id);
    authority_fingerprint(membership->authority, membership->fingerprint);
    return CPMP_OK;
}

int
membership_load(struct membership *membership, const char *directory, struct text *why)
{
    int error;

    memset(membership, 0, sizeof(*membership));
    membership->directory = memory_copy_text(directory);
    error = parts_load(membership, why);
    return error == CPMP_OK ? parts_check(membership, why) : error;
}

void
membership_release(struct membership *membership)
{
    EVP_PKEY_free(membership->key);
    X509_free(membership->certificate);
    X509_free(membership->authority);
    revoked_release(&membership->revoked);
    if (membership->founder) {
        authority_release(&membership->own);
        invitations_release(&membership->invitations);
    }
    free(membership->peers);
    free(membership->directory);
    memset(membership, 0, sizeof(*membership));
}

/* --- founding and joining --- */

static int
authority_found(const char *directory, const char *pool, bool open, struct authority *authority,
                struct text *why)
{
    char *key = path_of(directory, "pool/authority.key");
    char *certificate = path_of(directory, "pool/authority.crt");
    char *flag = path_of(directory, "pool/open");
    int error = authority_init(authority, pool, (int64_t)time(NULL));

    if (error != CPMP_OK)
        text_print(why, "a pool can't be named \"%s\": up to %u letters, digits, '.', '-', '_'",
                   pool, IDENTITY_NAME_MAX);
    if (error == CPMP_OK)
        error = authority_save(authority, key, certificate, why);
    if (error == CPMP_OK && open)
        error = saved_write(flag, "", 0, SAVED_FOR_ALL, why);
    free(key);
    free(certificate);
    free(flag);
    return error;
}

static int
self_sign(struct membership *membership, struct authority *authority, const char *name,
          struct text *why)
{
    const char *directory = membership->directory;
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    unsigned char raw[IDENTITY_KEY_BYTES], id[IDENTITY_ID_BYTES];
    int error = membership_key(directory, &key, why);

    if (error == CPMP_OK) {
        error = authority_sign_peer(authority, name, key, (int64_t)time(NULL), &certificate);
        if (error != CPMP_OK)
            text_print(why, "a peer can't be named \"%s\"; name it by --name: up to %u letters, "
                            "digits, '.', '-', '_'", name, IDENTITY_NAME_MAX);
    }
    if (error == CPMP_OK && identity_public_key(key, raw)) {
        identity_id(raw, id);
        peer_add(membership, id, name);
        error = members_save(membership, why);
    }
    if (error == CPMP_OK)
        error = certificate_save(directory, "identity.crt", certificate, why);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return error;
}

int
membership_found(struct membership *membership, const char *directory, const char *pool,
                 const char *name, bool open, struct text *why)
{
    struct membership fresh = {.directory = (char *)directory};
    struct authority authority = {0};
    int error = CPMP_OK;

    memset(membership, 0, sizeof(*membership));
    if (!identity_name_is_valid(name)) {
        text_print(why, "a peer can't be named \"%s\"; name it by --name: up to %u letters, "
                        "digits, '.', '-', '_'", name, IDENTITY_NAME_MAX);
        error = CPMP_EINVAL;
    }
    if (error == CPMP_OK)
        error = pool_directory_make(directory, why);
    if (error == CPMP_OK)
        error = authority_found(directory, pool, open, &authority, why);
    if (error == CPMP_OK)
        error = self_sign(&fresh, &authority, name, why);
    authority_release(&authority);
    free(fresh.peers);
    return error == CPMP_OK ? membership_load(membership, directory, why) : error;
}

/* An authority that is left of a founding that didn't come to its end, or of a pool that was left,
 * would make this peer the founder of the one that it joins. */
static int
founding_put_aside(const char *directory, struct text *why)
{
    char *key = path_of(directory, "pool/authority.key");
    char *aside = path_of(directory, "pool/authority.key.old");
    int error = CPMP_OK;

    if (rename(key, aside) != 0 && errno != ENOENT) {
        text_print(why, "%s can't be renamed: %s", key, strerror(errno));
        error = CPMP_ESYS;
    }
    free(key);
    free(aside);
    return error;
}

int
membership_join(const char *directory, X509 *certificate, X509 *authority,
                const struct revoked *revoked, struct text *why)
{
    char *path = path_of(directory, "pool/revoked");
    int error = pool_directory_make(directory, why);

    if (error == CPMP_OK)
        error = founding_put_aside(directory, why);
    if (error == CPMP_OK)
        error = certificate_save(directory, "pool/authority.crt", authority, why);
    if (error == CPMP_OK && revoked->serial > 0)
        error = revoked_save(revoked, path, why);
    else if (error == CPMP_OK)
        unlink(path);  /* another pool's */
    if (error == CPMP_OK)
        error = certificate_save(directory, "identity.crt", certificate, why);
    free(path);
    return error;
}

/* --- the founder's --- */

static int
founder_only(const struct membership *membership, const char *what, struct text *why)
{
    if (membership->founder)
        return CPMP_OK;
    text_print(why, "%s takes the authority of pool %s, which is on the peer that founded it: run "
                    "this there", what, membership->pool);
    return CPMP_ESTATE;
}

int
membership_invite(struct membership *membership, const struct address *addresses, size_t count,
                  uint64_t lifetime_s, struct text *out, int64_t *expiry_p, struct text *why)
{
    struct token token = {.open = membership->open};
    int64_t now_s = (int64_t)time(NULL);
    int error = founder_only(membership, "inviting", why);

    if (error != CPMP_OK)
        return error;
    if (lifetime_s > MEMBERSHIP_LIFETIME_MAX_S) {
        text_print(why, "an invitation lasts a year at most");
        return CPMP_EINVAL;
    }
    if (!token.open)
        token.expiry_s = now_s + (int64_t)(lifetime_s > 0 ? lifetime_s : MEMBERSHIP_LIFETIME_S);
    memcpy(token.fingerprint, membership->fingerprint, sizeof(token.fingerprint));
    for (size_t i = 0; i < count && token.address_count < TOKEN_ADDRESSES_MAX; i++)
        token.addresses[token.address_count++] = addresses[i];
    error = invitations_add(&membership->invitations, &token, now_s, why);
    if (error != CPMP_OK)
        return error;
    token_print(&token, out);
    *expiry_p = token.expiry_s;
    return CPMP_OK;
}

static bool
name_is_taken(const struct membership *membership, const char *name,
              const unsigned char id[IDENTITY_ID_BYTES])
{
    for (size_t i = 0; i < membership->peer_count; i++)
        if (strcasecmp(membership->peers[i].name, name) == 0 &&
            memcmp(membership->peers[i].id, id, IDENTITY_ID_BYTES) != 0)
            return true;
    return false;
}

void
membership_name(const struct membership *membership, const char *wanted,
                const unsigned char id[IDENTITY_ID_BYTES], char name[IDENTITY_NAME_MAX + 1])
{
    const char *base = identity_name_is_valid(wanted) ? wanted : "peer";

    snprintf(name, IDENTITY_NAME_MAX + 1, "%s", base);
    for (unsigned number = 2; name_is_taken(membership, name, id); number++)
        snprintf(name, IDENTITY_NAME_MAX + 1, "%.*s-%u", (int)IDENTITY_NAME_MAX - 11, base, number);
}

int
membership_admitted(struct membership *membership, const unsigned char id[IDENTITY_ID_BYTES],
                    const char *name, struct text *why)
{
    int error;

    for (size_t i = 0; i < membership->peer_count; i++)
        if (memcmp(membership->peers[i].id, id, IDENTITY_ID_BYTES) == 0)
            return CPMP_OK;
    if (membership->peer_count >= MEMBERSHIP_PEERS_MAX) {
        text_print(why, "pool %s has %u members, which is the most", membership->pool,
                   MEMBERSHIP_PEERS_MAX);
        return CPMP_ELIMIT;
    }
    peer_add(membership, id, name);
    error = members_save(membership, why);
    if (error != CPMP_OK)
        membership->peer_count--;
    return error;
}

static bool
id_begins(const unsigned char id[IDENTITY_ID_BYTES], const char *text)
{
    char hex[HEX_BYTES(IDENTITY_ID_BYTES)];

    hex_print(id, IDENTITY_ID_BYTES, hex);
    return strlen(text) >= 4 && strncasecmp(hex, text, strlen(text)) == 0;
}

static const struct membership_peer *
peer_search(const struct membership *membership, const char *text, struct text *why)
{
    const struct membership_peer *found = NULL;

    for (size_t i = 0; i < membership->peer_count; i++) {
        const struct membership_peer *peer = &membership->peers[i];
        if (strcasecmp(peer->name, text) == 0)
            return peer;
        if (!id_begins(peer->id, text))
            continue;
        if (found != NULL) {
            text_print(why, "%s is the beginning of several peers' ids; give more of it", text);
            return NULL;
        }
        found = peer;
    }
    if (found == NULL)
        text_print(why, "no peer of pool %s is named %s, or has an id that begins so; see cpmp "
                        "peers --long", membership->pool, text);
    return found;
}

int
membership_revoke(struct membership *membership, const char *text,
                  struct membership_peer *peer_p, struct text *why)
{
    const struct membership_peer *peer;
    int error = founder_only(membership, "shutting a peer out", why);
    char *path;

    if (error != CPMP_OK)
        return error;
    peer = peer_search(membership, text, why);
    if (peer == NULL)
        return CPMP_ENOENT;
    if (memcmp(peer->id, membership->id, IDENTITY_ID_BYTES) == 0) {
        text_print(why, "%s is this peer, which holds the pool's authority; it can't shut itself "
                        "out", peer->name);
        return CPMP_EINVAL;
    }
    error = revoked_add(&membership->revoked, &membership->own, peer->id, (int64_t)time(NULL));
    if (error == CPMP_EEXIST)
        text_print(why, "%s is shut out already", peer->name);
    else if (error == CPMP_ELIMIT)
        text_print(why, "the list of those shut out is full (%u); found a new pool", REVOKED_MAX);
    if (error != CPMP_OK)
        return error;
    path = path_of(membership->directory, "pool/revoked");
    error = revoked_save(&membership->revoked, path, why);
    free(path);
    *peer_p = *peer;
    return error;
}

/* --- everybody's --- */

bool
membership_is_revoked(const struct membership *membership,
                      const unsigned char id[IDENTITY_ID_BYTES])
{
    return revoked_has(&membership->revoked, id) != 0;
}

int
membership_revocations(struct membership *membership, const void *bytes, size_t count,
                       int *newer_p, struct text *why)
{
    int error = revoked_decode(&membership->revoked, membership->authority, bytes, count, newer_p);
    char *path;

    if (error != CPMP_OK || !*newer_p)
        return error;
    path = path_of(membership->directory, "pool/revoked");
    error = revoked_save(&membership->revoked, path, why);
    free(path);
    return error;
}
