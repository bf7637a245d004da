/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include <cpmp.h>

#include "link/admit.h"
#include "link/must.h"
#include "text/memory.h"

struct admit_join {
    struct token token;
    EVP_PKEY *key;
    char name[IDENTITY_NAME_MAX + 1];
    admit_join_fn *fn;
    void *arg;
    struct tls_context *context;
    struct link *link;
    int answered, canceled;
    int error;                   /* of the answer */
    struct admit_result *result;
    struct text why;
};

static void
on_join_up(void *arg, struct link *link)
{
    struct admit_join *join = arg;
    unsigned char exporter[32];
    struct text request = {0};

    if (tls_exporter(link_tls(link), "cpmp admission", exporter) != CPMP_OK) {
        link_abort(link, "no exporter");
        return;
    }
    admit_request(&join->token, join->key, join->name, exporter, &request);
    link_send(link, request.bytes, request.used);
    text_release(&request);
}

/* Who let us in is the first to ask for a place in the ring, where we reached him. */
static void
result_add_door(struct admit_result *result, const struct link *link)
{
    const struct tls_peer *peer = link_peer(link);
    struct admit_peer door = {.address_count = 1, .addresses = {*link_address(link)}};

    if (peer == NULL)
        return;
    memcpy(door.id, peer->id, sizeof(door.id));
    memcpy(door.name, peer->name, sizeof(door.name));
    memmove(&result->peers[1], &result->peers[0], result->peer_count * sizeof(door));
    result->peers[0] = door;
    result->peer_count++;
}

static void
on_join_message(void *arg, struct link *link, const void *bytes, size_t count)
{
    struct admit_join *join = arg;

    if (join->answered)
        return;
    join->answered = 1;
    join->error = admit_accept(&join->token, join->key, bytes, count, join->result, &join->why);
    if (join->error == CPMP_OK)
        result_add_door(join->result, link);
    link_close(link, "thank you");
}

static int
error_of_end(enum link_end end)
{
    switch (end) {
    case LINK_END_POOL:
    case LINK_END_EXPIRED:
    case LINK_END_REFUSED:
        return CPMP_EKEY;
    case LINK_END_VERSION:
        return CPMP_EVERSION;
    case LINK_END_NOT_TLS:
    case LINK_END_BROKEN:
        return CPMP_EPROTO;
    default:
        return CPMP_EPEER;
    }
}

static void
on_join_closed(void *arg, struct link *link, enum link_end end, const char *why)
{
    struct admit_join *join = arg;

    (void)link;
    if (!join->answered) {
        join->error = join->canceled ? CPMP_ECANCELED : error_of_end(end);
        text_add_string(&join->why, why);
    }
    tls_context_free(join->context);
    join->fn(join->arg, join->error == CPMP_OK ? join->result : NULL, join->error,
             text_string(&join->why));
    OPENSSL_cleanse(&join->token, sizeof(join->token));
    text_release(&join->why);
    free(join->result);
    free(join);
}

static const struct link_hooks join_hooks = {
    .on_up = on_join_up, .on_message = on_join_message, .on_closed = on_join_closed,
};

struct admit_join *
admit_join_start(uv_loop_t *loop, const struct token *token, EVP_PKEY *key, const char *name,
                 admit_join_fn *fn, void *arg)
{
    struct admit_join *join = memory_new(1, sizeof(*join));

    join->token = *token;
    join->key = key;
    if (identity_name_is_valid(name))
        memcpy(join->name, name, strlen(name) + 1);
    join->fn = fn;
    join->arg = arg;
    join->result = memory_new(1, sizeof(*join->result));
    join->context = tls_context_new_joiner(token->fingerprint);
    must(join->context != NULL);
    join->link = link_connect(loop, join->context, LINK_FOR_ADMISSION, join->token.addresses,
                              join->token.address_count, NULL, &link_limits_default, &join_hooks,
                              join);
    return join;
}

void
admit_join_cancel(struct admit_join *join)
{
    join->canceled = 1;
    link_abort(join->link, "canceled");
}
