/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_ADMIT_H
#define CPI_LINK_ADMIT_H

/*
 * How a machine gets into a pool. The joiner, who has a token, connects to one of its addresses and
 * accepts only a member of the pool whose fingerprint the token has. He sends a request for a
 * certificate and a proof that he knows the token's secret:
 *
 *     HMAC-SHA256(token_key(secret), "cpmp admission" | exporter of the TLS session | request)
 *
 * So the secret never leaves him, and a member in the middle can't use what it sees for itself. The
 * founder's daemon, which has the authority's key, looks the invitation up, uses it up (on the
 * disk, before anything else), and answers with the certificate, the authority's, the list of those
 * shut out, and peers to begin with. The joiner believes a certificate that the authority of that
 * fingerprint signed for his own key, and nothing less.
 *
 * Strangers get this far and no further: at most ADMIT_JOINERS_MAX at once (the oldest makes room),
 * for ADMIT_TIME_MS each, one request each, ADMIT_REQUESTS_PER_S in all.
 */

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "link/authority.h"
#include "link/invitations.h"
#include "link/link.h"
#include "link/revoked.h"
#include "link/token.h"
#include "text/text.h"

#define ADMIT_VERSION        1u
#define ADMIT_PROOF_BYTES    32u
#define ADMIT_PEERS_MAX      64u
#define ADMIT_ADDRESSES_MAX  8u
#define ADMIT_JOINERS_MAX    32u
#define ADMIT_TIME_MS        10000u
#define ADMIT_REQUESTS_PER_S 50.0

/* Why a joiner isn't let in: name, text for people. */
#define ADMIT_REFUSAL_MAP(X)                                                                       \
    X(NONE, "welcome")                                                                             \
    X(MALFORMED, "the request is malformed")                                                       \
    X(VERSION, "the pool runs another version of cpmp; install that one")                          \
    X(UNKNOWN, "the pool does not know this invitation (any more); ask for a new token")           \
    X(EXPIRED, "the token has expired; ask for a new one")                                         \
    X(USED, "the token was used by another peer; ask for one of your own")                         \
    X(PROOF, "the token's secret is wrong")                                                        \
    X(REVOKED, "this peer was shut out of the pool")                                               \
    X(BUSY, "too many ask at once; try again")                                                     \
    X(TROUBLE, "the pool's founder has trouble with its disk; try again later")

enum admit_refusal {
#define ADMIT_REFUSAL_ENUM(name, text) ADMIT_REFUSAL_##name,
    ADMIT_REFUSAL_MAP(ADMIT_REFUSAL_ENUM)
#undef ADMIT_REFUSAL_ENUM
    ADMIT_REFUSALS
};

/* A peer of the pool, as the joiner is told of it. */
struct admit_peer {
    unsigned char id[IDENTITY_ID_BYTES];
    char name[IDENTITY_NAME_MAX + 1];   /* "" when it isn't known */
    size_t address_count;
    struct address addresses[ADMIT_ADDRESSES_MAX];
};

/* --- the founder's side --- */

struct admit_rules {
    struct authority *authority;
    struct invitations *invitations;
    const struct revoked *revoked;
    /* The name for the peer `id` that wishes `wanted` ("" when what it wished can't be a name). */
    void (*name)(void *arg, const char *wanted, const unsigned char id[IDENTITY_ID_BYTES],
                 char name[IDENTITY_NAME_MAX + 1]);
    /* It is let in: remember that. CPMP_OK, or an error, with which it is not. */
    int (*admitted)(void *arg, const unsigned char id[IDENTITY_ID_BYTES], const char *name,
                    struct text *why);
    /* Fills in up to ADMIT_PEERS_MAX peers to begin with, this one included; how many. */
    size_t (*peers)(void *arg, struct admit_peer *peers);
    /* Who came in or didn't, for the log. May be NULL. */
    void (*on_end)(void *arg, const struct address *from, enum admit_refusal refusal,
                   const char *name, const char *why);
    void *arg;
};

/* Answers the request in `bytes`; adds the reply to `reply`. `exporter` is the session's. On
 * success the name that was given is in `name`. `why` gets what the log should say. */
enum admit_refusal admit_answer(const struct admit_rules *rules, const unsigned char exporter[32],
                                const void *bytes, size_t count, int64_t now_s,
                                struct text *reply, char name[IDENTITY_NAME_MAX + 1],
                                struct text *why);

struct admit_server;

/* `rules` must outlive it. */
struct admit_server *admit_server_new(uv_loop_t *loop, const struct admit_rules *rules);
/* Takes a link from the door whose purpose is LINK_FOR_ADMISSION. */
void admit_server_take(struct admit_server *server, struct link *link);
/* How many were refused, by reason; [0]: let in. */
const uint64_t *admit_server_counters(const struct admit_server *server);
/* Drops all joiners; on_closed (may be NULL) tells when the memory is gone. */
void admit_server_close(struct admit_server *server, void (*on_closed)(void *arg), void *arg);

/* --- the joiner's side --- */

/* What an admission brings. */
struct admit_result {
    X509 *certificate, *authority;
    char name[IDENTITY_NAME_MAX + 1], pool[IDENTITY_NAME_MAX + 1];
    struct revoked revoked;
    size_t peer_count;             /* the first is the one that let us in, where we reached it */
    struct admit_peer peers[ADMIT_PEERS_MAX + 1];
};

void admit_result_release(struct admit_result *result);

/* The request for a token, with that key, over the session with that exporter. */
void admit_request(const struct token *token, EVP_PKEY *key, const char *name,
                   const unsigned char exporter[32], struct text *out);
/* What the reply says. CPMP_OK and a result; CPMP_EKEY when it is a refusal, or comes from a wrong
 * authority or for a wrong key; CPMP_EPROTO when it is malformed. `why` for people. */
int admit_accept(const struct token *token, EVP_PKEY *key, const void *bytes, size_t count,
                 struct admit_result *result, struct text *why);

struct admit_join;

/* Once, from the loop. `error` CPMP_OK: `result` is the callee's to keep and release (its memory is
 * the caller's until then: copy the struct). Else NULL, and `why` for people. */
typedef void admit_join_fn(void *arg, struct admit_result *result, int error, const char *why);

/* Asks for admission. `key` must live until `fn` is called. */
struct admit_join *admit_join_start(uv_loop_t *loop, const struct token *token, EVP_PKEY *key,
                                    const char *name, admit_join_fn *fn, void *arg);
/* Gives up; `fn` comes with CPMP_ECANCELED. */
void admit_join_cancel(struct admit_join *join);

#endif
