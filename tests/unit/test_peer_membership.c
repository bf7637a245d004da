/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A peer's place in its pool: founding, joining, inviting, shutting out; damaged files, full disks,
 * and what a crash between two steps leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cpmp.h>

#include "peer/membership.h"
#include "peer_world.h"

static struct peer_world world, other;

static int
worlds_make(void **state)
{
    (void)state;
    peer_world_init(&world, NULL);
    peer_world_init(&other, NULL);
    return 0;
}

static int
worlds_remove(void **state)
{
    (void)state;
    peer_world_end(&world);
    peer_world_end(&other);
    return 0;
}

static void
path_print(char path[128], const struct peer_world *of, const char *name)
{
    snprintf(path, 128, "%s/%s", of->directory, name);
}

static bool
exists(const struct peer_world *of, const char *name)
{
    char path[128];

    path_print(path, of, name);
    return access(path, F_OK) == 0;
}

static void
remove_file(const struct peer_world *of, const char *name)
{
    char path[128];

    path_print(path, of, name);
    assert_int_equal(0, unlink(path));
}

static void
found(struct membership *membership, const char *pool)
{
    struct text why = {0};

    assert_int_equal(CPMP_OK, membership_found(membership, world.directory, pool, "pc1", false,
                                               &why));
    assert_int_equal(0, why.used);
}

/* Loading fails so, with words that have `words` in them. */
static void
assert_load(const struct peer_world *of, int error, const char *words)
{
    struct membership membership;
    struct text why = {0};

    assert_int_equal(error, membership_load(&membership, of->directory, &why));
    if (words != NULL && strstr(text_string(&why), words) == NULL)
        fail_msg("\"%s\" has no \"%s\" in it", text_string(&why), words);
    membership_release(&membership);
    text_release(&why);
}

/* The other directory joins the founder's pool as `name`. */
static void
join(struct membership *founder, const char *name, unsigned char id[IDENTITY_ID_BYTES])
{
    unsigned char raw[IDENTITY_KEY_BYTES];
    struct text why = {0};
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;

    assert_int_equal(CPMP_OK, membership_key(other.directory, &key, &why));
    assert_true(identity_public_key(key, raw));
    identity_id(raw, id);
    assert_int_equal(CPMP_OK, authority_sign_peer(&founder->own, name, key, time(NULL),
                                                  &certificate));
    assert_int_equal(CPMP_OK, membership_admitted(founder, id, name, &why));
    assert_int_equal(CPMP_OK, membership_join(other.directory, certificate, founder->authority,
                                              &founder->revoked, &why));
    X509_free(certificate);
    EVP_PKEY_free(key);
    text_release(&why);
}

static void
a_founder_finds_its_pool_again(void **state)
{
    struct membership first, again;
    struct text why = {0};
    (void)state;

    assert_load(&world, CPMP_ENOENT, NULL);
    found(&first, "lab");
    assert_true(first.founder && !first.open);
    assert_int_equal(CPMP_OK, membership_load(&again, world.directory, &why));
    assert_string_equal("lab", again.pool);
    assert_string_equal("pc1", again.name);
    assert_memory_equal(first.id, again.id, sizeof(first.id));
    assert_memory_equal(first.fingerprint, again.fingerprint, sizeof(first.fingerprint));
    assert_int_equal(1, again.peer_count);
    membership_release(&first);
    membership_release(&again);
}

static void
names_that_are_none_leave_nothing_behind(void **state)
{
    static const char *const pools[] = {"", "a pool", "lab"};
    struct membership membership;
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct text why = {0};
        assert_int_not_equal(CPMP_OK,
                             membership_found(&membership, world.directory, pools[i],
                                              i == 2 ? "my pc" : "pc1", false, &why));
        assert_true(why.used > 0);
        assert_false(exists(&world, "identity.crt") || exists(&world, "pool/authority.key"));
        membership_release(&membership);
        text_release(&why);
    }
}

static void
who_joins_is_a_member_and_no_founder(void **state)
{
    struct membership founder, member;
    unsigned char id[IDENTITY_ID_BYTES];
    struct text why = {0};
    int64_t expiry_s;
    (void)state;

    found(&founder, "lab");
    join(&founder, "pc2", id);
    assert_int_equal(CPMP_OK, membership_load(&member, other.directory, &why));
    assert_false(member.founder);
    assert_string_equal("pc2", member.name);
    assert_memory_equal(id, member.id, sizeof(id));
    assert_memory_equal(founder.fingerprint, member.fingerprint, sizeof(member.fingerprint));
    assert_int_equal(CPMP_ESTATE, membership_invite(&member, NULL, 0, 0, &why, &expiry_s, &why));
    assert_non_null(strstr(text_string(&why), "run this there"));
    membership_release(&founder);
    membership_release(&member);
    text_release(&why);
}

static void
names_are_given_once(void **state)
{
    unsigned char first[IDENTITY_ID_BYTES] = {1}, second[IDENTITY_ID_BYTES] = {2};
    char name[IDENTITY_NAME_MAX + 1], longest[IDENTITY_NAME_MAX + 1];
    struct membership founder;
    struct text why = {0};
    (void)state;

    found(&founder, "lab");
    membership_name(&founder, "PC1", first, name);
    assert_string_equal("PC1-2", name);
    assert_int_equal(CPMP_OK, membership_admitted(&founder, first, name, &why));
    membership_name(&founder, "pc1", second, name);
    assert_string_equal("pc1-3", name);
    membership_name(&founder, "pc1-2", first, name);
    assert_string_equal("pc1-2", name);
    membership_name(&founder, "no name", first, name);
    assert_string_equal("peer", name);
    memset(longest, 'a', IDENTITY_NAME_MAX);
    longest[IDENTITY_NAME_MAX] = '\0';
    assert_int_equal(CPMP_OK, membership_admitted(&founder, first, longest, &why));
    membership_release(&founder);
    assert_int_equal(CPMP_OK, membership_load(&founder, world.directory, &why));
    assert_int_equal(2, founder.peer_count);
    membership_release(&founder);
}

static void
tokens_name_the_pool_and_an_end(void **state)
{
    struct address address = {.family = 4, .bytes = {127, 0, 0, 1}, .port = 7711};
    struct membership founder;
    struct text out = {0}, why = {0};
    struct token token;
    int64_t expiry_s = 0, now_s = time(NULL);
    (void)state;

    found(&founder, "lab");
    assert_int_equal(CPMP_OK, membership_invite(&founder, &address, 1, 60, &out, &expiry_s, &why));
    assert_in_range(expiry_s, now_s + 60, now_s + 90);
    assert_int_equal(CPMP_OK, token_parse(text_string(&out), &token, &why));
    assert_memory_equal(founder.fingerprint, token.fingerprint, sizeof(token.fingerprint));
    assert_int_equal(1, token.address_count);
    assert_int_equal(CPMP_EINVAL,
                     membership_invite(&founder, &address, 1, UINT64_MAX, &out, &expiry_s, &why));
    membership_release(&founder);
    text_release(&out);
    text_release(&why);
}

static void
who_is_shut_out_is_so_for_all_who_hear_it(void **state)
{
    struct membership founder, member;
    struct membership_peer peer;
    unsigned char id[IDENTITY_ID_BYTES];
    struct text why = {0};
    int newer = 0;
    (void)state;

    found(&founder, "lab");
    join(&founder, "pc2", id);
    assert_int_equal(CPMP_OK, membership_load(&member, other.directory, &why));
    assert_int_equal(CPMP_ENOENT, membership_revoke(&founder, "pc9", &peer, &why));
    assert_int_equal(CPMP_EINVAL, membership_revoke(&founder, "pc1", &peer, &why));
    assert_int_equal(CPMP_ESTATE, membership_revoke(&member, "pc1", &peer, &why));
    assert_int_equal(CPMP_OK, membership_revoke(&founder, "PC2", &peer, &why));
    assert_memory_equal(id, peer.id, sizeof(id));
    assert_int_equal(CPMP_EEXIST, membership_revoke(&founder, "pc2", &peer, &why));
    assert_true(membership_is_revoked(&founder, id));

    assert_false(membership_is_revoked(&member, id));
    assert_int_equal(CPMP_OK, membership_revocations(&member, founder.revoked.encoded.bytes,
                                                     founder.revoked.encoded.used, &newer, &why));
    assert_true(newer && membership_is_revoked(&member, id));
    assert_int_equal(CPMP_OK, membership_revocations(&member, founder.revoked.encoded.bytes,
                                                     founder.revoked.encoded.used, &newer, &why));
    assert_false(newer);
    founder.revoked.encoded.bytes[20] ^= 1;
    assert_int_not_equal(CPMP_OK,
                         membership_revocations(&member, founder.revoked.encoded.bytes,
                                                founder.revoked.encoded.used, &newer, &why));
    membership_release(&member);
    assert_int_equal(CPMP_OK, membership_load(&member, other.directory, &why));
    assert_true(membership_is_revoked(&member, id));
    membership_release(&founder);
    membership_release(&member);
    text_release(&why);
}

static void
damage_is_named(void **state)
{
    static const char *const files[] = {"identity.crt", "identity.key", "pool/authority.crt",
                                        "pool/authority.key", "pool/members"};
    struct membership founder;
    (void)state;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        worlds_remove(state);
        worlds_make(state);
        found(&founder, "lab");
        membership_release(&founder);
        peer_world_write(&world, files[i], "not what it was\n");
        assert_load(&world, CPMP_EPROTO, files[i]);
    }
}

/* Every prefix of the steps: what is there is a member's directory or none, and goes on. */
static void
a_crash_while_founding_is_begun_anew(void **state)
{
    struct membership founder;
    struct text why = {0};
    (void)state;

    found(&founder, "lab");
    membership_release(&founder);
    remove_file(&world, "identity.crt");
    assert_load(&world, CPMP_ENOENT, NULL);
    found(&founder, "lab");
    assert_int_equal(1, founder.peer_count);
    membership_release(&founder);

    remove_file(&world, "identity.crt");
    remove_file(&world, "identity.key");
    assert_load(&world, CPMP_ENOENT, NULL);
    found(&founder, "other");
    assert_string_equal("other", founder.pool);
    membership_release(&founder);
    text_release(&why);
}

static void
what_is_left_of_a_founding_makes_no_founder_of_who_joins(void **state)
{
    struct membership founder, half, member;
    unsigned char id[IDENTITY_ID_BYTES];
    struct text why = {0};
    (void)state;

    assert_int_equal(CPMP_OK, membership_found(&half, other.directory, "mine", "pc2", false,
                                               &why));
    membership_release(&half);
    remove_file(&other, "identity.crt");
    found(&founder, "lab");
    join(&founder, "pc2", id);
    assert_int_equal(CPMP_OK, membership_load(&member, other.directory, &why));
    assert_false(member.founder);
    assert_string_equal("lab", member.pool);
    assert_true(exists(&other, "pool/authority.key.old"));
    membership_release(&founder);
    membership_release(&member);
}

static void
a_full_disk_lets_nobody_in_and_shuts_out_all_the_same(void **state)
{
    struct rlimit limit, none = {0, 0};
    struct membership founder;
    struct membership_peer peer;
    unsigned char id[IDENTITY_ID_BYTES], third[IDENTITY_ID_BYTES] = {3};
    struct text why = {0};
    (void)state;

    found(&founder, "lab");
    join(&founder, "pc2", id);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(0, getrlimit(RLIMIT_FSIZE, &limit));
    none.rlim_max = limit.rlim_max;
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &none));
    assert_int_equal(CPMP_ESYS, membership_admitted(&founder, third, "pc3", &why));
    assert_int_equal(2, founder.peer_count);
    assert_int_equal(CPMP_ESYS, membership_revoke(&founder, "pc2", &peer, &why));
    assert_true(membership_is_revoked(&founder, id));
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &limit));
    assert_true(why.used > 0);
    membership_release(&founder);
    assert_load(&world, CPMP_OK, NULL);
    text_release(&why);
}

static void
a_key_that_others_can_read_is_refused(void **state)
{
    struct membership founder;
    char path[128];
    (void)state;

    found(&founder, "lab");
    membership_release(&founder);
    path_print(path, &world, "identity.key");
    assert_int_equal(0, chmod(path, 0644));
    assert_load(&world, CPMP_EKEY, "identity.key");
}

int
main(void)
{
#define HERE(test) cmocka_unit_test_setup_teardown(test, worlds_make, worlds_remove)
    const struct CMUnitTest tests[] = {
        HERE(a_founder_finds_its_pool_again),
        HERE(names_that_are_none_leave_nothing_behind),
        HERE(who_joins_is_a_member_and_no_founder),
        HERE(names_are_given_once),
        HERE(tokens_name_the_pool_and_an_end),
        HERE(who_is_shut_out_is_so_for_all_who_hear_it),
        HERE(damage_is_named),
        HERE(a_crash_while_founding_is_begun_anew),
        HERE(what_is_left_of_a_founding_makes_no_founder_of_who_joins),
        HERE(a_full_disk_lets_nobody_in_and_shuts_out_all_the_same),
        HERE(a_key_that_others_can_read_is_refused),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
