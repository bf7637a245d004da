/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Joining a pool by a token, and, on its founder, letting others join.
 */
#include "peer/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cpmp.h>

#include "link/admit.h"
#include "text/memory.h"

/* --- joining --- */

struct admission {
    struct daemon *daemon;
    struct token token;
    EVP_PKEY *key;
    char name[256];
    struct admit_join *join;
};

static void
admission_free(struct admission *admission)
{
    admission->daemon->admission = NULL;
    EVP_PKEY_free(admission->key);
    free(admission);
}

/* Peers to begin with, for the ring and for the next start. */
static void
peers_learn(struct daemon *daemon, const struct admit_result *result)
{
    for (size_t i = 0; i < result->peer_count; i++)
        links_learn(daemon->links, result->peers[i].id, result->peers[i].addresses,
                    result->peers[i].address_count);
}

static int
joined(struct daemon *daemon, struct admit_result *result, struct text *why)
{
    int error = membership_join(daemon->directory, result->certificate, result->authority,
                                &result->revoked, why);

    if (error == CPMP_OK)
        error = membership_load(&daemon->membership, daemon->directory, why);
    if (error != CPMP_OK)
        return -1;
    daemon_say("let into pool %s as %s", result->pool, result->name);
    daemon->joined = result;
    error = daemon_begin(daemon, why);
    daemon->joined = NULL;
    return error;
}

void
daemon_admit_learn(struct daemon *daemon)
{
    if (daemon->joined != NULL)
        peers_learn(daemon, daemon->joined);
}

static void
on_admitted(void *arg, struct admit_result *result, int error, const char *why)
{
    struct admission *admission = arg;
    struct daemon *daemon = admission->daemon;
    struct text trouble = {0};

    admission->join = NULL;
    if (error == CPMP_ECANCELED) {
        admission_free(admission);
        return;
    }
    if (error != CPMP_OK)
        text_print(&trouble, "the pool can't be joined: %s", why);
    if (error == CPMP_OK && joined(daemon, result, &trouble) != 0)
        error = CPMP_ESYS;
    if (result != NULL)
        admit_result_release(result);
    admission_free(admission);
    if (error != CPMP_OK) {
        daemon_say("%s", text_string(&trouble));
        daemon_leave(daemon, error == CPMP_EKEY ? DAEMON_EXIT_REFUSED : DAEMON_EXIT_FAILED);
    }
    text_release(&trouble);
}

static const char *
name_wish(const struct daemon *daemon, char *buffer, size_t bytes)
{
    if (daemon->options->name != NULL)
        return daemon->options->name;
    if (gethostname(buffer, bytes - 1) != 0)
        buffer[0] = '\0';
    buffer[strcspn(buffer, ".")] = '\0';
    return buffer;
}

int
daemon_admit_join(struct daemon *daemon, struct text *error)
{
    struct admission *admission = memory_new(1, sizeof(*admission));
    const char *name;

    admission->daemon = daemon;
    daemon->admission = admission;
    if (token_parse(daemon->options->join, &admission->token, error) != CPMP_OK) {
        admission_free(admission);
        return -1;
    }
    if (token_has_expired(&admission->token, (int64_t)time(NULL))) {
        text_add_string(error, "the token has expired; ask for a new one (cpmp pool invite on the "
                               "pool's founder)");
        daemon->exit_code = DAEMON_EXIT_REFUSED;
        admission_free(admission);
        return -1;
    }
    if (membership_key(daemon->directory, &admission->key, error) != CPMP_OK) {
        admission_free(admission);
        return -1;
    }
    name = name_wish(daemon, admission->name, sizeof(admission->name));
    admission->join = admit_join_start(&daemon->loop, &admission->token, admission->key, name,
                                       on_admitted, admission);
    return 0;
}

/* --- letting others join --- */

static void
rule_name(void *arg, const char *wanted, const unsigned char id[IDENTITY_ID_BYTES],
          char name[IDENTITY_NAME_MAX + 1])
{
    const struct daemon *daemon = arg;

    membership_name(&daemon->membership, wanted, id, name);
}

static int
rule_admitted(void *arg, const unsigned char id[IDENTITY_ID_BYTES], const char *name,
              struct text *why)
{
    struct daemon *daemon = arg;

    return membership_admitted(&daemon->membership, id, name, why);
}

struct listing {
    struct admit_peer *peers;
    size_t count;
};

static void
list_peer(void *arg, const struct links_view *view)
{
    struct listing *listing = arg;
    struct admit_peer *peer;

    if (!view->is_up || view->is_server || listing->count == ADMIT_PEERS_MAX)
        return;
    peer = &listing->peers[listing->count++];
    memset(peer, 0, sizeof(*peer));
    memcpy(peer->id, view->peer.id, IDENTITY_ID_BYTES);
    snprintf(peer->name, sizeof(peer->name), "%s", view->peer.name);
    peer->addresses[peer->address_count++] = view->address;
}

static size_t
rule_peers(void *arg, struct admit_peer *peers)
{
    struct daemon *daemon = arg;
    struct listing listing = {.peers = peers, .count = 1};

    memset(&peers[0], 0, sizeof(peers[0]));
    memcpy(peers[0].id, daemon->membership.id, IDENTITY_ID_BYTES);
    snprintf(peers[0].name, sizeof(peers[0].name), "%s", daemon->membership.name);
    for (size_t i = 0; i < daemon->address_count && i < ADMIT_ADDRESSES_MAX; i++)
        peers[0].addresses[peers[0].address_count++] = daemon->addresses[i];
    links_each(daemon->links, list_peer, &listing);
    return listing.count;
}

static void
rule_end(void *arg, const struct address *from, enum admit_refusal refusal, const char *name,
         const char *why)
{
    char address[ADDRESS_TEXT_MAX] = "somewhere";
    (void)arg;

    if (from != NULL)
        address_print(from, address);
    if (refusal == ADMIT_REFUSAL_NONE)
        daemon_say("%s is let in, from %s", name, address);
    else
        daemon_say("somebody at %s isn't let in: %s", address, why);
}

struct admissions {
    struct admit_rules rules;
    struct admit_server *server;
};

void
daemon_admit_link(struct daemon *daemon, struct link *link)
{
    struct admissions *admissions = daemon->admissions;

    if (!daemon->membership.founder)
        return;  /* the door closes what nobody takes */
    if (admissions == NULL) {
        admissions = daemon->admissions = memory_new(1, sizeof(*admissions));
        admissions->rules = (struct admit_rules){
            .authority = &daemon->membership.own,
            .invitations = &daemon->membership.invitations,
            .revoked = &daemon->membership.revoked,
            .name = rule_name,
            .admitted = rule_admitted,
            .peers = rule_peers,
            .on_end = rule_end,
            .arg = daemon,
        };
        admissions->server = admit_server_new(&daemon->loop, &admissions->rules);
    }
    admit_server_take(admissions->server, link);
}

static void
on_server_closed(void *arg)
{
    free(arg);
}

void
daemon_admit_close(struct daemon *daemon)
{
    if (daemon->admission != NULL && daemon->admission->join != NULL)
        admit_join_cancel(daemon->admission->join);
    if (daemon->admissions != NULL)
        admit_server_close(daemon->admissions->server, on_server_closed, daemon->admissions);
    daemon->admissions = NULL;
}
