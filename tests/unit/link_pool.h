/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TESTS_UNIT_LINK_POOL_H
#define CPI_TESTS_UNIT_LINK_POOL_H

/* What tests of links share: pools with members, loops that run until something has happened, and
 * bare sockets. */

#include <uv.h>

#include "link/authority.h"
#include "link/link.h"
#include "link/tls.h"

#define LINK_POOL_MEMBERS 4
#define LINK_POOL_WAIT_MS 20000u  /* what hasn't happened by then fails the test */

struct link_member {
    EVP_PKEY *key;
    X509 *certificate;
    unsigned char id[IDENTITY_ID_BYTES];
    struct tls_context *context;  /* as a server it takes joiners */
};

struct link_pool {
    struct authority authority;
    unsigned char fingerprint[AUTHORITY_FINGERPRINT_BYTES];
    struct link_member members[LINK_POOL_MEMBERS];  /* by ascending ids */
    int64_t now_s;
    /* Whom the members take for revoked: NULL nobody. */
    const unsigned char *revoked;
};

/* A pool made at `now_s`, members' certificates included. */
void link_pool_init(struct link_pool *pool, const char *name, int64_t now_s);
void link_pool_release(struct link_pool *pool);

/* Runs the loop until `done` says 1; the test fails when that takes LINK_POOL_WAIT_MS. */
typedef int link_pool_done_fn(void *arg);
void link_pool_run(uv_loop_t *loop, link_pool_done_fn *done, void *arg);
/* Runs it until nothing is left in it, and closes it. */
void link_pool_end(uv_loop_t *loop);

/* A bare nonblocking TCP socket that is connected there. */
int link_pool_socket(const struct address *to);
/* 1 once the other side has ended the connection; what came before is thrown away. */
int link_pool_socket_ended(int fd);

#endif
