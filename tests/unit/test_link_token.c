/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <netinet/in.h>

#include <cpmp.h>

#include "link/invitations.h"
#include "system/saved.h"
#include "link/token.h"

#define NOW_S INT64_C(1790000000)

static char directory[] = "/tmp/cpmp-token.XXXXXX";
static char path[128];

static int
directory_make(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/invitations", directory);
    return 0;
}

static int
directory_remove(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

/* --- addresses --- */

static void
addresses_read_as_they_print(void **state)
{
    static const struct {
        const char *text, *printed;
    } good[] = {
        {"1.2.3.4:5", "1.2.3.4:5"}, {"1.2.3.4", "1.2.3.4:7711"}, {"[::1]:65535", "[::1]:65535"},
        {"[fe80::1]", "[fe80::1]:7711"}, {"2001:db8::7", "[2001:db8::7]:7711"},
    };
    static const char *const bad[] = {"", "1.2.3:4", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:65536",
        "[::1", "[::1]7", "host:7711", "1.2.3.4:77x", ":7711", "*",
        "111111111111111111111111111111111111111111111111111111111111111111"};
    char printed[ADDRESS_TEXT_MAX];
    struct address address;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(address_parse(good[i].text, &address), 1);
        address_print(&address, printed);
        assert_string_equal(printed, good[i].printed);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(address_parse(bad[i], &address), 0);
    assert_int_equal(address_parse_listen(":80", &address), 1);
    address_print(&address, printed);
    assert_string_equal(printed, "[::]:80");
    assert_int_equal(address_parse_listen("*", &address), 1);
    assert_int_equal(address_parse_listen(":", &address), 0);
    assert_int_equal(address_parse_listen("[]:80", &address), 0);
}

static void
addresses_of_sockets_are_the_same(void **state)
{
    struct address address, back;
    struct sockaddr_storage socket;
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    char printed[ADDRESS_TEXT_MAX];

    (void)state;
    assert_int_equal(address_parse("[2001:db8::7]:99", &address), 1);
    assert_int_equal(address_to_sockaddr(&address, &socket), sizeof(struct sockaddr_in6));
    assert_int_equal(address_from_sockaddr((struct sockaddr *)&socket, &back), 1);
    assert_true(address_equal(&address, &back));
    mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
    mapped.sin6_addr.s6_addr[12] = 10;
    mapped.sin6_addr.s6_addr[15] = 1;
    assert_int_equal(address_from_sockaddr((struct sockaddr *)&mapped, &back), 1);
    address_print(&back, printed);
    assert_string_equal(printed, "10.0.0.1:9");
    assert_true(address_is_usable(&back));
    assert_int_equal(address_parse("0.0.0.0:1", &back), 1);
    assert_false(address_is_usable(&back));
}

/* --- tokens --- */

static struct token
token_make(size_t addresses)
{
    struct token token = {.expiry_s = NOW_S, .address_count = addresses};

    memset(token.fingerprint, 0xa5, sizeof(token.fingerprint));
    memset(token.secret, 0x3c, sizeof(token.secret));
    for (size_t i = 0; i < addresses; i++) {
        char text[ADDRESS_TEXT_MAX];

        snprintf(text, sizeof(text), i % 2 ? "[2001:db8::%zu]:7711" : "10.0.0.%zu:7711", i + 1);
        assert_int_equal(address_parse(text, &token.addresses[i]), 1);
    }
    return token;
}

static void
tokens_are_one_word_that_reads_back(void **state)
{
    struct text why = {0};

    (void)state;
    for (size_t addresses = 1; addresses <= TOKEN_ADDRESSES_MAX; addresses++) {
        struct token token = token_make(addresses), back = {0};
        struct text text = {0};

        token.open = addresses % 2;
        token_print(&token, &text);
        assert_int_equal(strspn(text.bytes, "abcdefghijklmnopqrstuvwxyz0123456789-"), text.used);
        assert_true(text.used < TOKEN_TEXT_MAX);
        assert_int_equal(token_parse(text.bytes, &back, &why), CPMP_OK);
        assert_memory_equal(&token, &back, sizeof(token));
        text_release(&text);
    }
    text_release(&why);
}

static void
broken_lines_and_capitals_do_no_harm(void **state)
{
    struct token token = token_make(2), back;
    struct text text = {0}, broken = {0}, why = {0};

    (void)state;
    token_print(&token, &text);
    text_add_string(&broken, "  ");
    for (size_t i = 0; i < text.used; i++) {
        char letter = text.bytes[i];
        if (letter >= 'a' && letter <= 'z')
            letter = (char)(letter - 'a' + 'A');
        text_add(&broken, &letter, 1);
        text_add_string(&broken, i % 40 == 39 ? "\r\n" : "");
    }
    text_add_string(&broken, "\n");
    assert_int_equal(token_parse(broken.bytes, &back, &why), CPMP_OK);
    assert_memory_equal(&token, &back, sizeof(token));
    text_release(&text);
    text_release(&broken);
    text_release(&why);
}

static void
typos_are_told_from_old_tokens(void **state)
{
    struct token token = token_make(1), back;
    struct text text = {0}, why = {0};

    (void)state;
    token_print(&token, &text);
    assert_int_equal(token_parse(text.bytes, &back, &why), CPMP_OK);
    assert_int_equal(token_has_expired(&back, NOW_S - 1), 0);
    assert_int_equal(token_has_expired(&back, NOW_S), 1);
    back.expiry_s = 0;
    assert_int_equal(token_has_expired(&back, INT64_MAX), 0);
    for (size_t i = 6; i < text.used; i++) {
        char was = text.bytes[i];

        text.bytes[i] = was == 'q' ? 'r' : 'q';
        text_clear(&why);
        assert_int_equal(token_parse(text.bytes, &back, &why), CPMP_EPROTO);
        assert_non_null(strstr(text_string(&why), "mistyped"));
        text.bytes[i] = '\0';
        assert_int_equal(token_parse(text.bytes, &back, &why), CPMP_EPROTO);
        text.bytes[i] = was;
    }
    text_release(&text);
    text_release(&why);
}

static void
what_is_no_token_is_called_so(void **state)
{
    static const struct {
        const char *text;
        int error;
        const char *words;
    } cases[] = {
        {"", CPMP_EPROTO, "begins with"}, {"hello", CPMP_EPROTO, "begins with"},
        {"cpmp2-abc", CPMP_EVERSION, "another version"}, {"cpmp1-", CPMP_EPROTO, "cut short"},
        {"cpmp1-aaaaaaaaaaaaaaaa", CPMP_EPROTO, "mistyped"},
        {"cpmp1-\303\251", CPMP_EPROTO, "mistyped"},
    };
    struct text why = {0};
    struct token token;
    char *giant = malloc(10000);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text_clear(&why);
        assert_int_equal(token_parse(cases[i].text, &token, &why), cases[i].error);
        assert_non_null(strstr(text_string(&why), cases[i].words));
    }
    memset(giant, 'a', 9999);
    giant[9999] = '\0';
    assert_int_equal(token_parse(giant, &token, &why), CPMP_EPROTO);
    free(giant);
    text_release(&why);
}

/* --- invitations --- */

static void
name_of(const struct token *token, unsigned char name[TOKEN_NAME_BYTES])
{
    unsigned char key[TOKEN_KEY_BYTES];

    token_key(token->secret, key);
    token_name(key, name);
}

static void
an_invitation_counts_once_across_restarts(void **state)
{
    static const unsigned char ann[IDENTITY_ID_BYTES] = {1}, bob[IDENTITY_ID_BYTES] = {2};
    unsigned char name[TOKEN_NAME_BYTES];
    struct invitations list;
    struct token token = token_make(1), second = token_make(1);
    struct text why = {0};
    struct stat status;

    (void)state;
    token.expiry_s = NOW_S + 100;
    second.expiry_s = NOW_S + 100;
    assert_int_equal(invitations_load(&list, path, &why), CPMP_OK);
    assert_int_equal(invitations_add(&list, &token, NOW_S, &why), CPMP_OK);
    assert_int_equal(invitations_add(&list, &second, NOW_S, &why), CPMP_OK);
    assert_memory_not_equal(token.secret, second.secret, sizeof(token.secret));
    invitations_release(&list);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);

    name_of(&token, name);
    assert_int_equal(invitations_load(&list, path, &why), CPMP_OK);
    assert_int_equal(invitations_use(&list, name, ann, NOW_S, &why), CPMP_OK);
    invitations_release(&list);
    assert_int_equal(invitations_load(&list, path, &why), CPMP_OK);
    assert_int_equal(invitations_use(&list, name, bob, NOW_S, &why), CPMP_EEXIST);
    assert_int_equal(invitations_use(&list, name, ann, NOW_S, &why), CPMP_OK);
    assert_int_equal(invitations_use(&list, name, ann, NOW_S + 100, &why), CPMP_EAGAIN);
    name[0] ^= 1;
    assert_int_equal(invitations_use(&list, name, ann, NOW_S, &why), CPMP_ENOENT);
    name_of(&second, name);
    assert_int_equal(invitations_use(&list, name, bob, NOW_S, &why), CPMP_OK);
    invitations_release(&list);
    text_release(&why);
}

static void
an_open_pools_token_counts_for_everybody(void **state)
{
    unsigned char name[TOKEN_NAME_BYTES], id[IDENTITY_ID_BYTES] = {0};
    struct token token = token_make(1);
    struct invitations list;
    struct text why = {0};

    (void)state;
    unlink(path);
    token.expiry_s = 0;
    token.open = 1;
    assert_int_equal(invitations_load(&list, path, &why), CPMP_OK);
    assert_int_equal(invitations_add(&list, &token, NOW_S, &why), CPMP_OK);
    invitations_release(&list);
    assert_int_equal(invitations_load(&list, path, &why), CPMP_OK);
    name_of(&token, name);
    for (; id[0] < 5; id[0]++)
        assert_int_equal(invitations_use(&list, name, id, INT64_MAX, &why), CPMP_OK);
    invitations_release(&list);
    text_release(&why);
}

static void
what_cannot_be_written_does_not_count(void **state)
{
    static const unsigned char id[IDENTITY_ID_BYTES] = {1};
    unsigned char name[TOKEN_NAME_BYTES];
    struct token token = token_make(1);
    struct invitations list;
    struct text why = {0};

    (void)state;
    unlink(path);
    token.expiry_s = NOW_S + 100;
    assert_int_equal(invitations_load(&list, path, &why), CPMP_OK);
    assert_int_equal(invitations_add(&list, &token, NOW_S, &why), CPMP_OK);
    name_of(&token, name);
    snprintf(list.path, strlen(path) + 1, "/nowhere/at/all");
    assert_int_equal(invitations_use(&list, name, id, NOW_S, &why), CPMP_ESYS);
    assert_int_equal(invitations_add(&list, &token, NOW_S, &why), CPMP_ESYS);
    assert_int_equal(invitations_find(&list, name)->used, 0);
    assert_int_equal(list.count, 1);
    invitations_release(&list);
    text_release(&why);
}

static void
a_damaged_file_is_refused(void **state)
{
    static const char *const damaged[] = {
        "hello\n", "00 1 once\n", "\n\0\n",
        "000000000000000000000000000000000000000000000000000000000000000g 1 once\n",
        "0000000000000000000000000000000000000000000000000000000000000000 -1 once\n",
        "0000000000000000000000000000000000000000000000000000000000000000 1 twice\n",
        "0000000000000000000000000000000000000000000000000000000000000000 1 once more\n",
    };
    struct invitations list;
    struct text why = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        size_t count = i == 2 ? 3 : strlen(damaged[i]);

        assert_int_equal(saved_write(path, damaged[i], count, SAVED_FOR_OWNER, &why), CPMP_OK);
        text_clear(&why);
        assert_int_equal(invitations_load(&list, path, &why), CPMP_EPROTO);
        assert_non_null(strstr(text_string(&why), "invite anew"));
    }
    text_release(&why);
}

static void
old_invitations_make_room_for_new_ones(void **state)
{
    struct invitations list;
    struct text why = {0};
    struct token token = token_make(1);

    (void)state;
    unlink(path);
    assert_int_equal(invitations_load(&list, path, &why), CPMP_OK);
    token.expiry_s = NOW_S + 10;
    list.list = calloc(INVITATIONS_MAX, sizeof(*list.list));
    list.count = INVITATIONS_MAX;
    assert_int_equal(invitations_add(&list, &token, NOW_S, &why), CPMP_ELIMIT);
    for (size_t i = 0; i < INVITATIONS_MAX; i++)
        list.list[i].expiry_s = NOW_S + 1;
    assert_int_equal(invitations_add(&list, &token, NOW_S + 5, &why), CPMP_OK);
    assert_int_equal(list.count, 1);
    invitations_release(&list);
    text_release(&why);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_read_as_they_print),
        cmocka_unit_test(addresses_of_sockets_are_the_same),
        cmocka_unit_test(tokens_are_one_word_that_reads_back),
        cmocka_unit_test(broken_lines_and_capitals_do_no_harm),
        cmocka_unit_test(typos_are_told_from_old_tokens),
        cmocka_unit_test(what_is_no_token_is_called_so),
        cmocka_unit_test(an_invitation_counts_once_across_restarts),
        cmocka_unit_test(an_open_pools_token_counts_for_everybody),
        cmocka_unit_test(what_cannot_be_written_does_not_count),
        cmocka_unit_test(a_damaged_file_is_refused),
        cmocka_unit_test(old_invitations_make_room_for_new_ones),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, directory_make, directory_remove);
}
