/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/invitations.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include <cpmp.h>

#include "link/must.h"
#include "system/saved.h"
#include "text/hex.h"
#include "text/memory.h"

static int
has_expired(const struct invitation *invitation, int64_t now_s)
{
    return invitation->expiry_s != 0 && now_s >= invitation->expiry_s;
}

/* --- the file --- */

static void
line_print(const struct invitation *invitation, struct text *out)
{
    hex_add(out, invitation->key, sizeof(invitation->key));
    text_print(out, " %" PRId64 " ", invitation->expiry_s);
    if (invitation->used)
        hex_add(out, invitation->used_by, sizeof(invitation->used_by));
    else
        text_add_string(out, invitation->open ? "open" : "once");
    text_add_string(out, "\n");
}

static int
line_parse(char *line, struct invitation *invitation)
{
    char *rest, *key = strtok_r(line, " ", &rest);
    char *expiry = strtok_r(NULL, " ", &rest);
    char *state = strtok_r(NULL, " ", &rest);
    char *end;

    memset(invitation, 0, sizeof(*invitation));
    if (state == NULL || strtok_r(NULL, " ", &rest) != NULL ||
        !hex_read(key, invitation->key, sizeof(invitation->key)))
        return 0;
    errno = 0;
    invitation->expiry_s = strtoll(expiry, &end, 10);
    if (errno != 0 || *end != '\0' || invitation->expiry_s < 0)
        return 0;
    invitation->open = strcmp(state, "open") == 0;
    invitation->used = !invitation->open && strcmp(state, "once") != 0;
    if (invitation->used && !hex_read(state, invitation->used_by, sizeof(invitation->used_by)))
        return 0;
    token_name(invitation->key, invitation->name);
    return 1;
}

/* Writes what is not expired, and `last` when it isn't NULL. */
static int
file_write(const struct invitations *invitations, const struct invitation *last, int64_t now_s,
           struct text *why)
{
    struct text lines = {0};
    int error;

    for (size_t i = 0; i < invitations->count; i++) {
        if (!has_expired(&invitations->list[i], now_s))
            line_print(&invitations->list[i], &lines);
    }
    if (last != NULL)
        line_print(last, &lines);
    error = saved_write(invitations->path, text_string(&lines), lines.used, SAVED_FOR_OWNER, why);
    if (lines.bytes != NULL)
        OPENSSL_cleanse(lines.bytes, lines.used);
    text_release(&lines);
    return error;
}

static void
list_append(struct invitations *invitations, const struct invitation *invitation)
{
    invitations->list = memory_grow(invitations->list, invitations->count + 1,
                                    sizeof(*invitations->list));
    invitations->list[invitations->count++] = *invitation;
}

static int
lines_parse(struct invitations *invitations, char *lines)
{
    char *rest, *line;

    for (line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        struct invitation invitation;

        if (invitations->count == INVITATIONS_MAX || !line_parse(line, &invitation))
            return 0;
        list_append(invitations, &invitation);
    }
    return 1;
}

int
invitations_load(struct invitations *invitations, const char *path, struct text *why)
{
    struct text bytes = {0};
    int error = saved_read(path, INVITATIONS_BYTES_MAX, SAVED_FOR_OWNER, &bytes, why);

    memset(invitations, 0, sizeof(*invitations));
    invitations->path = memory_copy_text(path);
    if (error == CPMP_OK && bytes.used > 0 &&
        (strlen(bytes.bytes) != bytes.used || !lines_parse(invitations, bytes.bytes))) {
        text_print(why, "%s is damaged; remove it and invite anew", path);
        error = CPMP_EPROTO;
    }
    if (bytes.bytes != NULL)
        OPENSSL_cleanse(bytes.bytes, bytes.used);
    text_release(&bytes);
    if (error == CPMP_ENOENT)
        error = CPMP_OK;
    if (error != CPMP_OK)
        invitations_release(invitations);
    return error;
}

void
invitations_release(struct invitations *invitations)
{
    if (invitations->list != NULL)
        OPENSSL_cleanse(invitations->list, invitations->count * sizeof(*invitations->list));
    free(invitations->list);
    free(invitations->path);
    memset(invitations, 0, sizeof(*invitations));
}

/* --- giving out and using up --- */

static void
drop_expired(struct invitations *invitations, int64_t now_s)
{
    size_t kept = 0;

    for (size_t i = 0; i < invitations->count; i++) {
        if (!has_expired(&invitations->list[i], now_s))
            invitations->list[kept++] = invitations->list[i];
    }
    invitations->count = kept;
}

int
invitations_add(struct invitations *invitations, struct token *token, int64_t now_s,
                struct text *why)
{
    struct invitation invitation = {.expiry_s = token->expiry_s, .open = token->open};
    unsigned char secret[TOKEN_SECRET_BYTES];
    int error;

    drop_expired(invitations, now_s);
    if (invitations->count == INVITATIONS_MAX) {
        text_print(why, "%u invitations are open; wait until some expire, or remove %s",
                   INVITATIONS_MAX, invitations->path);
        return CPMP_ELIMIT;
    }
    must_random(secret, sizeof(secret));
    token_key(secret, invitation.key);
    token_name(invitation.key, invitation.name);
    error = file_write(invitations, &invitation, now_s, why);
    if (error != CPMP_OK)
        return error;
    list_append(invitations, &invitation);
    memcpy(token->secret, secret, sizeof(secret));
    return CPMP_OK;
}

const struct invitation *
invitations_find(const struct invitations *invitations, const unsigned char name[TOKEN_NAME_BYTES])
{
    for (size_t i = 0; i < invitations->count; i++) {
        if (memcmp(invitations->list[i].name, name, TOKEN_NAME_BYTES) == 0)
            return &invitations->list[i];
    }
    return NULL;
}

int
invitations_use(struct invitations *invitations, const unsigned char name[TOKEN_NAME_BYTES],
                const unsigned char id[IDENTITY_ID_BYTES], int64_t now_s, struct text *why)
{
    const struct invitation *found = invitations_find(invitations, name);
    struct invitation *invitation;
    int error;

    if (found == NULL)
        return CPMP_ENOENT;
    invitation = &invitations->list[found - invitations->list];
    if (has_expired(invitation, now_s))
        return CPMP_EAGAIN;
    if (invitation->open)
        return CPMP_OK;
    if (invitation->used)
        return memcmp(invitation->used_by, id, IDENTITY_ID_BYTES) == 0 ? CPMP_OK : CPMP_EEXIST;
    invitation->used = 1;
    memcpy(invitation->used_by, id, IDENTITY_ID_BYTES);
    error = file_write(invitations, NULL, now_s, why);
    if (error != CPMP_OK)
        invitation->used = 0;
    return error;
}
