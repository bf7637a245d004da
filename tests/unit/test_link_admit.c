/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cpmp.h>

#include "link/admit.h"
#include "link/door.h"
#include "link_pool.h"

static struct link_pool pool, other;
static char directory[] = "/tmp/cpmp-admit.XXXXXX";
static char path[128];
static uv_loop_t loop;

/* The founder's daemon in small. */
static struct {
    struct door *door;
    struct admit_server *server;
    struct admit_rules rules;
    struct invitations invitations;
    struct revoked revoked;
    struct token token;
    int admitted, ended, closed, refuses_to_remember;
    enum admit_refusal refusal;
    char name[IDENTITY_NAME_MAX + 1];
} founder;

static void
on_name(void *arg, const char *wanted, const unsigned char id[IDENTITY_ID_BYTES],
        char name[IDENTITY_NAME_MAX + 1])
{
    (void)arg;
    (void)id;
    snprintf(name, IDENTITY_NAME_MAX + 1, "%s-2", wanted[0] ? wanted : "peer");
}

static int
on_admitted(void *arg, const unsigned char id[IDENTITY_ID_BYTES], const char *name,
            struct text *why)
{
    (void)arg;
    (void)id;
    (void)name;
    if (founder.refuses_to_remember) {
        text_add_string(why, "the disk is full");
        return CPMP_ESYS;
    }
    founder.admitted++;
    return CPMP_OK;
}

static size_t
on_peers(void *arg, struct admit_peer *peers)
{
    (void)arg;
    memset(peers, 0, 3 * sizeof(*peers));
    memcpy(peers[0].id, pool.members[2].id, IDENTITY_ID_BYTES);
    snprintf(peers[0].name, sizeof(peers[0].name), "cid");
    peers[0].address_count = 2;
    address_parse("10.0.0.3:7711", &peers[0].addresses[0]);
    address_parse("[2001:db8::3]:7711", &peers[0].addresses[1]);
    memcpy(peers[1].id, pool.members[3].id, IDENTITY_ID_BYTES);  /* nobody knows where it is */
    memcpy(peers[2].id, pool.members[0].id, IDENTITY_ID_BYTES);
    peers[2].address_count = 1;
    address_parse("10.0.0.1:7711", &peers[2].addresses[0]);
    return 3;
}

static void
on_end(void *arg, const struct address *from, enum admit_refusal refusal, const char *name,
       const char *why)
{
    (void)arg;
    (void)from;
    (void)why;
    founder.ended++;
    founder.refusal = refusal;
    snprintf(founder.name, sizeof(founder.name), "%s", name);
}

static void
on_link(void *arg, struct link *link)
{
    (void)arg;
    if (link_purpose(link) == LINK_FOR_ADMISSION)
        admit_server_take(founder.server, link);
}

static void
on_closed(void *arg)
{
    (void)arg;
    founder.closed++;
}

static const struct door_hooks door_hooks = {.on_link = on_link, .on_closed = on_closed};

static int
founder_setup(void **state)
{
    struct address any = {.family = 4, .bytes = {127, 0, 0, 1}};
    struct text why = {0};

    (void)state;
    memset(&founder, 0, sizeof(founder));
    unlink(path);
    if (uv_loop_init(&loop) != 0 || invitations_load(&founder.invitations, path, &why) != CPMP_OK)
        return -1;
    founder.rules = (struct admit_rules){
        .authority = &pool.authority, .invitations = &founder.invitations,
        .revoked = &founder.revoked, .name = on_name, .admitted = on_admitted, .peers = on_peers,
        .on_end = on_end,
    };
    founder.server = admit_server_new(&loop, &founder.rules);
    founder.door = door_new(&loop, pool.members[1].context, &door_limits_default, &door_hooks,
                            NULL);
    if (door_listen(founder.door, &any, &why) != CPMP_OK)
        return -1;
    founder.token.expiry_s = time(NULL) + 1000;
    founder.token.address_count = 1;
    founder.token.addresses[0] = *door_listener(founder.door, 0);
    memcpy(founder.token.fingerprint, pool.fingerprint, sizeof(pool.fingerprint));
    return invitations_add(&founder.invitations, &founder.token, time(NULL), &why);
}

static int
founder_closed(void *arg)
{
    (void)arg;
    return founder.closed == 2;
}

static int
founder_teardown(void **state)
{
    (void)state;
    admit_server_close(founder.server, on_closed, NULL);
    door_close(founder.door);
    link_pool_run(&loop, founder_closed, NULL);
    link_pool_end(&loop);
    invitations_release(&founder.invitations);
    revoked_release(&founder.revoked);
    return 0;
}

/* --- over links --- */

struct joiner {
    EVP_PKEY *key;
    struct admit_result result;
    int called, error;
    char why[256];
};

static void
on_joined(void *arg, struct admit_result *result, int error, const char *why)
{
    struct joiner *joiner = arg;

    joiner->called++;
    joiner->error = error;
    snprintf(joiner->why, sizeof(joiner->why), "%s", why);
    if (result != NULL)
        joiner->result = *result;
}

static int
was_called(void *arg)
{
    return ((struct joiner *)arg)->called;
}

static void
joiner_run(struct joiner *joiner, const struct token *token)
{
    joiner->called = 0;
    admit_join_start(&loop, token, joiner->key, "garage", on_joined, joiner);
    link_pool_run(&loop, was_called, joiner);
    assert_int_equal(joiner->called, 1);
}

static void
joiner_release(struct joiner *joiner)
{
    EVP_PKEY_free(joiner->key);
    admit_result_release(&joiner->result);
}

static void
a_token_lets_in_once(void **state)
{
    struct joiner joiner = {.key = identity_key_new()}, late = {.key = identity_key_new()};
    struct tls_membership membership = {.key = joiner.key};
    static const unsigned char somebody[IDENTITY_ID_BYTES] = {7};
    struct tls_context *context;

    (void)state;
    assert_int_equal(revoked_add(&founder.revoked, &pool.authority, somebody, 1), CPMP_OK);
    joiner_run(&joiner, &founder.token);
    assert_int_equal(joiner.error, CPMP_OK);
    assert_string_equal(joiner.result.name, "garage-2");
    assert_string_equal(joiner.result.pool, "home");
    assert_int_equal(revoked_has(&joiner.result.revoked, somebody), 1);
    assert_int_equal(joiner.result.peer_count, 3);
    assert_string_equal(joiner.result.peers[0].name, "bob");  /* the door */
    assert_true(address_equal(&joiner.result.peers[0].addresses[0], &founder.token.addresses[0]));
    assert_string_equal(joiner.result.peers[1].name, "cid");
    assert_int_equal(joiner.result.peers[1].address_count, 2);
    assert_memory_equal(joiner.result.peers[2].id, pool.members[0].id, IDENTITY_ID_BYTES);
    assert_int_equal(founder.admitted, 1);
    assert_int_equal(founder.refusal, ADMIT_REFUSAL_NONE);
    assert_string_equal(founder.name, "garage-2");

    membership.certificate = joiner.result.certificate;
    membership.authority = joiner.result.authority;
    context = tls_context_new_peer(&membership);
    assert_non_null(context);
    tls_context_free(context);

    joiner_run(&late, &founder.token);
    assert_int_equal(late.error, CPMP_EKEY);
    assert_non_null(strstr(late.why, "was used by another peer"));
    assert_int_equal(founder.admitted, 1);
    assert_int_equal(admit_server_counters(founder.server)[ADMIT_REFUSAL_USED], 1);
    assert_int_equal(admit_server_counters(founder.server)[ADMIT_REFUSAL_NONE], 1);

    /* Whose answer was lost asks again. */
    admit_result_release(&joiner.result);
    joiner_run(&joiner, &founder.token);
    assert_int_equal(joiner.error, CPMP_OK);
    joiner_release(&joiner);
    joiner_release(&late);
}

static void
who_has_no_invitation_is_told_why(void **state)
{
    struct joiner joiner = {.key = identity_key_new()};
    struct token token = founder.token;
    unsigned char raw[IDENTITY_KEY_BYTES], id[IDENTITY_ID_BYTES];

    (void)state;
    token.secret[0] ^= 1;
    joiner_run(&joiner, &token);
    assert_int_equal(joiner.error, CPMP_EKEY);
    assert_non_null(strstr(joiner.why, "ask for a new token"));

    founder.invitations.list[0].expiry_s = time(NULL) - 1;
    joiner_run(&joiner, &founder.token);
    assert_non_null(strstr(joiner.why, "has expired"));
    founder.invitations.list[0].expiry_s = time(NULL) + 1000;

    founder.refuses_to_remember = 1;
    joiner_run(&joiner, &founder.token);
    assert_non_null(strstr(joiner.why, "trouble with its disk"));
    founder.refuses_to_remember = 0;

    assert_int_equal(identity_public_key(joiner.key, raw), 1);
    identity_id(raw, id);
    assert_int_equal(revoked_add(&founder.revoked, &pool.authority, id, 1), CPMP_OK);
    joiner_run(&joiner, &founder.token);
    assert_non_null(strstr(joiner.why, "was shut out"));
    assert_int_equal(founder.admitted, 0);
    joiner_release(&joiner);
}

static void
a_joiner_trusts_the_pool_of_its_token_only(void **state)
{
    struct joiner joiner = {.key = identity_key_new()};
    struct token token = founder.token;

    (void)state;
    memcpy(token.fingerprint, other.fingerprint, sizeof(token.fingerprint));
    joiner_run(&joiner, &token);
    assert_int_equal(joiner.error, CPMP_EKEY);
    assert_non_null(strstr(joiner.why, "of another pool"));
    assert_int_equal(founder.ended, 0);

    token = founder.token;
    token.addresses[0].port = 1;
    joiner_run(&joiner, &token);
    assert_int_equal(joiner.error, CPMP_EPEER);
    assert_non_null(strstr(joiner.why, "127.0.0.1:1: connection refused"));
    joiner_release(&joiner);
}

static void
who_gives_up_is_told_so(void **state)
{
    struct joiner joiner = {.key = identity_key_new()};

    (void)state;
    admit_join_cancel(admit_join_start(&loop, &founder.token, joiner.key, "x", on_joined,
                                       &joiner));
    link_pool_run(&loop, was_called, &joiner);
    assert_int_equal(joiner.error, CPMP_ECANCELED);
    joiner_release(&joiner);
}

/* --- strangers --- */

struct stranger {
    struct link *link;
    int closed;
    char why[128];
};

static void
on_stranger_up(void *arg, struct link *link)
{
    (void)arg;
    (void)link;
}

static void
on_stranger_message(void *arg, struct link *link, const void *bytes, size_t count)
{
    (void)arg;
    (void)link;
    (void)bytes;
    (void)count;
}

static void
on_stranger_closed(void *arg, struct link *link, enum link_end end, const char *why)
{
    struct stranger *stranger = arg;

    (void)link;
    (void)end;
    stranger->closed = 1;
    snprintf(stranger->why, sizeof(stranger->why), "%s", why);
}

static const struct link_hooks stranger_hooks = {
    .on_up = on_stranger_up, .on_message = on_stranger_message, .on_closed = on_stranger_closed,
};

static int
is_closed(void *arg)
{
    return ((struct stranger *)arg)->closed;
}

static int
one_was_too_many(void *arg)
{
    (void)arg;
    return admit_server_counters(founder.server)[ADMIT_REFUSAL_BUSY] > 0;
}

static void
strangers_are_few_and_ask_once(void **state)
{
    struct tls_context *context = tls_context_new_joiner(pool.fingerprint);
    struct stranger strangers[ADMIT_JOINERS_MAX + 1] = {0};
    struct address to = founder.token.addresses[0];
    unsigned open = 0;

    (void)state;
    for (unsigned i = 0; i <= ADMIT_JOINERS_MAX; i++)
        strangers[i].link = link_connect(&loop, context, LINK_FOR_ADMISSION, &to, 1, NULL,
                                         &link_limits_default, &stranger_hooks, &strangers[i]);
    link_pool_run(&loop, one_was_too_many, NULL);
    for (unsigned i = 0; i <= ADMIT_JOINERS_MAX; i++)
        open += !strangers[i].closed;
    assert_true(open >= ADMIT_JOINERS_MAX);
    for (unsigned i = 0; i <= ADMIT_JOINERS_MAX; i++) {
        if (strangers[i].closed)
            continue;
        link_send(strangers[i].link, "garbage", 7);
        link_send(strangers[i].link, "more garbage", 12);
        link_pool_run(&loop, is_closed, &strangers[i]);
    }
    assert_in_range(admit_server_counters(founder.server)[ADMIT_REFUSAL_MALFORMED],
                    ADMIT_JOINERS_MAX - 1, ADMIT_JOINERS_MAX);
    assert_int_equal(founder.admitted, 0);
    tls_context_free(context);
}

static int
all_are_up(void *arg)
{
    const struct stranger *strangers = arg;
    unsigned up = 0;

    for (unsigned i = 0; i < ADMIT_JOINERS_MAX; i++)
        up += link_is_up(strangers[i].link);
    return up == ADMIT_JOINERS_MAX;
}

static void
strangers_that_stay_keep_nobody_out(void **state)
{
    struct tls_context *context = tls_context_new_joiner(pool.fingerprint);
    struct stranger strangers[ADMIT_JOINERS_MAX] = {0};
    struct joiner joiner = {.key = identity_key_new()};
    struct address to = founder.token.addresses[0];

    (void)state;
    for (unsigned i = 0; i < ADMIT_JOINERS_MAX; i++)
        strangers[i].link = link_connect(&loop, context, LINK_FOR_ADMISSION, &to, 1, NULL,
                                         &link_limits_default, &stranger_hooks, &strangers[i]);
    link_pool_run(&loop, all_are_up, strangers);
    joiner_run(&joiner, &founder.token);
    assert_int_equal(joiner.error, CPMP_OK);
    assert_int_equal(admit_server_counters(founder.server)[ADMIT_REFUSAL_BUSY], 1);
    for (unsigned i = 0; i < ADMIT_JOINERS_MAX; i++) {
        if (!strangers[i].closed)
            link_abort(strangers[i].link, "enough");
        link_pool_run(&loop, is_closed, &strangers[i]);
    }
    joiner_release(&joiner);
    tls_context_free(context);
}

/* --- the messages --- */

static void
a_request_counts_in_its_session_only(void **state)
{
    static const unsigned char here[32] = {1}, there[32] = {2};
    EVP_PKEY *key = identity_key_new();
    char name[IDENTITY_NAME_MAX + 1];
    struct text request = {0}, reply = {0}, why = {0};

    (void)state;
    admit_request(&founder.token, key, "garage", here, &request);
    assert_int_equal(admit_answer(&founder.rules, there, request.bytes, request.used, time(NULL),
                                  &reply, name, &why), ADMIT_REFUSAL_PROOF);
    assert_int_equal(founder.invitations.list[0].used, 0);
    /* Changed on the way, the proof doesn't fit what it asks for. */
    for (size_t i = 0; i < request.used; i++) {
        enum admit_refusal refusal;

        request.bytes[i] ^= 0x40;
        refusal = admit_answer(&founder.rules, here, request.bytes, request.used, time(NULL),
                               &reply, name, &why);
        assert_true(refusal != ADMIT_REFUSAL_NONE || strcmp(name, "garage-2") != 0);
        request.bytes[i] ^= 0x40;
        founder.invitations.list[0].used = 0;
    }
    text_clear(&reply);
    assert_int_equal(admit_answer(&founder.rules, here, request.bytes, request.used, time(NULL),
                                  &reply, name, &why), ADMIT_REFUSAL_NONE);
    EVP_PKEY_free(key);
    text_release(&request);
    text_release(&reply);
    text_release(&why);
}

static void
a_joiner_believes_no_other_authority_and_no_other_key(void **state)
{
    static const unsigned char exporter[32] = {1};
    EVP_PKEY *key = identity_key_new(), *another = identity_key_new();
    struct admit_result result = {0};
    struct token token = founder.token;
    char name[IDENTITY_NAME_MAX + 1];
    struct text request = {0}, reply = {0}, why = {0};

    (void)state;
    admit_request(&founder.token, key, "garage", exporter, &request);
    assert_int_equal(admit_answer(&founder.rules, exporter, request.bytes, request.used,
                                  time(NULL), &reply, name, &why), ADMIT_REFUSAL_NONE);
    assert_int_equal(admit_accept(&token, another, reply.bytes, reply.used, &result, &why),
                     CPMP_EKEY);
    token.fingerprint[5] ^= 1;
    assert_int_equal(admit_accept(&token, key, reply.bytes, reply.used, &result, &why), CPMP_EKEY);
    assert_int_equal(admit_accept(&token, key, "", 0, &result, &why), CPMP_EPROTO);
    assert_int_equal(admit_accept(&token, key, "garbage", 7, &result, &why), CPMP_EPROTO);
    assert_null(result.certificate);
    assert_int_equal(admit_accept(&founder.token, key, reply.bytes, reply.used, &result, &why),
                     CPMP_OK);
    assert_string_equal(result.name, "garage-2");
    admit_result_release(&result);
    EVP_PKEY_free(key);
    EVP_PKEY_free(another);
    text_release(&request);
    text_release(&reply);
    text_release(&why);
}

static int
pools_setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    link_pool_init(&pool, "home", time(NULL));
    link_pool_init(&other, "home", time(NULL));
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/invitations", directory);
    return 0;
}

static int
pools_teardown(void **state)
{
    (void)state;
    link_pool_release(&pool);
    link_pool_release(&other);
    unlink(path);
    return rmdir(directory);
}

#define ADMIT_TEST(name) cmocka_unit_test_setup_teardown(name, founder_setup, founder_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ADMIT_TEST(a_token_lets_in_once),
        ADMIT_TEST(who_has_no_invitation_is_told_why),
        ADMIT_TEST(a_joiner_trusts_the_pool_of_its_token_only),
        ADMIT_TEST(who_gives_up_is_told_so),
        ADMIT_TEST(strangers_are_few_and_ask_once),
        ADMIT_TEST(strangers_that_stay_keep_nobody_out),
        ADMIT_TEST(a_request_counts_in_its_session_only),
        ADMIT_TEST(a_joiner_believes_no_other_authority_and_no_other_key),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, pools_setup, pools_teardown);
}
