/* SPDX-License-Identifier: BSD-3-Clause */
#include "link_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cpmp.h>

static int
is_revoked(void *arg, const unsigned char id[IDENTITY_ID_BYTES])
{
    const struct link_pool *pool = arg;

    return pool->revoked != NULL && memcmp(pool->revoked, id, IDENTITY_ID_BYTES) == 0;
}

static int
by_id(const void *a, const void *b)
{
    return memcmp(((const struct link_member *)a)->id, ((const struct link_member *)b)->id,
                  IDENTITY_ID_BYTES);
}

static void
member_certify(struct link_pool *pool, struct link_member *member, const char *name)
{
    struct tls_membership membership = {
        .authority = pool->authority.certificate, .revoked = is_revoked, .arg = pool,
        .key = member->key, .takes_joiners = 1,
    };

    assert_int_equal(authority_sign_peer(&pool->authority, name, member->key, pool->now_s,
                                         &member->certificate), CPMP_OK);
    membership.certificate = member->certificate;
    member->context = tls_context_new_peer(&membership);
    assert_non_null(member->context);
}

void
link_pool_init(struct link_pool *pool, const char *name, int64_t now_s)
{
    static const char *const names[] = {"ann", "bob", "cid", "dan"};

    memset(pool, 0, sizeof(*pool));
    pool->now_s = now_s;
    assert_int_equal(authority_init(&pool->authority, name, now_s), CPMP_OK);
    authority_fingerprint(pool->authority.certificate, pool->fingerprint);
    for (int i = 0; i < LINK_POOL_MEMBERS; i++) {
        unsigned char raw[IDENTITY_KEY_BYTES];

        pool->members[i].key = identity_key_new();
        assert_int_equal(identity_public_key(pool->members[i].key, raw), 1);
        identity_id(raw, pool->members[i].id);
    }
    qsort(pool->members, LINK_POOL_MEMBERS, sizeof(pool->members[0]), by_id);
    for (int i = 0; i < LINK_POOL_MEMBERS; i++)
        member_certify(pool, &pool->members[i], names[i]);
}

void
link_pool_release(struct link_pool *pool)
{
    for (int i = 0; i < LINK_POOL_MEMBERS; i++) {
        tls_context_free(pool->members[i].context);
        EVP_PKEY_free(pool->members[i].key);
        X509_free(pool->members[i].certificate);
    }
    authority_release(&pool->authority);
    assert_true(ERR_peek_error() == 0);
}

static void
on_guard(uv_timer_t *timer)
{
    *(int *)timer->data = 1;
}

static void
on_guard_closed(uv_handle_t *handle)
{
    free(handle);
}

void
link_pool_run(uv_loop_t *loop, link_pool_done_fn *done, void *arg)
{
    uv_timer_t *guard = malloc(sizeof(*guard));
    int late = 0;

    uv_timer_init(loop, guard);
    guard->data = &late;
    uv_timer_start(guard, on_guard, LINK_POOL_WAIT_MS, 0);
    while (!done(arg) && !late)
        uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)guard, on_guard_closed);
    if (late)
        fail_msg("what was waited for has not happened");
}

void
link_pool_end(uv_loop_t *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
    assert_true(ERR_peek_error() == 0);
}

int
link_pool_socket(const struct address *to)
{
    struct sockaddr_storage at;
    socklen_t bytes = address_to_sockaddr(to, &at);
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, bytes), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

int
link_pool_socket_ended(int fd)
{
    char bytes[4096];
    ssize_t count;

    while ((count = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        ;
    return count == 0 || (errno != EAGAIN && errno != EINTR);
}
