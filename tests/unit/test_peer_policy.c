/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <cpmp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peer/policy.h"
#include "peer/policy_file.h"
#include "text/memory.h"

static void
expect_shown(const struct policy *policy, const char *key, const char *value)
{
    struct text text = {0};

    assert_int_equal(policy_value(policy, key, &text), CPMP_OK);
    assert_string_equal(text_string(&text), value);
    text_release(&text);
}

static void
expect_set(struct policy *policy, const char *key, const char *value, const char *shown)
{
    struct text why = {0};

    if (policy_set(policy, key, value, &why) != CPMP_OK)
        fail_msg("%s", text_string(&why));
    expect_shown(policy, key, shown);
}

/* All that there is: "key=value" by lines. */
static void
all_add(const struct policy *policy, struct text *text)
{
    struct policy_row row;
    struct text value = {0};

    for (size_t i = 0; policy_row(policy, i, &row, &value, NULL); i++) {
        text_print(text, "%s=%s\n", row.key, text_string(&value));
        text_clear(&value);
    }
    text_release(&value);
}

static void
expect_refused(struct policy *policy, const char *key, const char *value, const char *words)
{
    struct text why = {0};
    struct text before = {0};
    struct text after = {0};

    all_add(policy, &before);
    assert_int_not_equal(policy_set(policy, key, value, &why), CPMP_OK);
    all_add(policy, &after);
    assert_string_equal(text_string(&before), text_string(&after));
    if (strstr(text_string(&why), words) == NULL)
        fail_msg("\"%s\" isn't in: %s", words, text_string(&why));
    text_release(&after);
    text_release(&before);
    text_release(&why);
}

static void
values_are_shown_as_they_would_be_written(void **state)
{
    struct policy policy;

    (void)state;
    policy_init(&policy);
    expect_set(&policy, "share", "OFF", "no");
    expect_set(&policy, "cpu", "50", "50%");
    expect_set(&policy, "cpu", "7%", "7%");
    expect_set(&policy, "cores", "3", "3");
    expect_set(&policy, "cores", "all", "all");
    expect_set(&policy, "idle", "15 min", "15min");
    expect_set(&policy, "idle", "90s", "90s");
    expect_set(&policy, "idle", "120sec", "2min");
    expect_set(&policy, "idle", "0", "no");
    expect_set(&policy, "memory", "4GiB", "4G");
    expect_set(&policy, "memory", "1536MB", "1536M");
    expect_set(&policy, "memory", "25%", "25%");
    expect_set(&policy, "store", "0", "0");
    expect_set(&policy, "run-time", "2h", "2h");
    expect_set(&policy, "run-time", "unlimited", "unlimited");
    expect_set(&policy, "deny", " lab*,10.0.0.0/8 2001:db8::/32 ", "lab*, 10.0.0.0/8, "
                                                                 "2001:db8::/32");
    expect_set(&policy, "deny", "none", "none");
    expect_set(&policy, "users", "alice @staff 1000", "alice, @staff, 1000");
    expect_set(&policy, "hours", "mon-fri 18:00-08:00, sat-sun", "mon-fri 18:00-08:00, sat-sun");
    expect_set(&policy, "store-directory", "/var/cache/cpmp", "/var/cache/cpmp");
    assert_int_equal(policy.others_percent, 50);
    assert_int_equal(policy.leave_after_us, 600000000);
    policy_release(&policy);
}

static void
wrong_values_are_refused_with_what_is_allowed(void **state)
{
    struct policy policy;

    (void)state;
    policy_init(&policy);
    expect_refused(&policy, "cpu", "150%", "cpu = 150%: it is a number from 1% to 100%");
    expect_refused(&policy, "cpu", "-1", "1% to 100%");
    expect_refused(&policy, "cpu", "", "1% to 100%");
    expect_refused(&policy, "cores", "0", "from 1 to 65536, or all");
    expect_refused(&policy, "share", "maybe", "yes or no");
    expect_refused(&policy, "idle", "5 parsecs", "a time (90s");
    expect_refused(&policy, "leave-after", "99999999999999999999s", "a time (90s");
    expect_refused(&policy, "store", "18446744073709551615T", "a size (512M");
    expect_refused(&policy, "memory", "101%", "75%");
    expect_refused(&policy, "memory", "12", "75%");
    expect_refused(&policy, "hours", "monday", "hours = monday: \"monday\"");
    expect_refused(&policy, "deny", "10.0.0.0/33", "names, ids, addresses");
    expect_refused(&policy, "deny", "300.1.1.1", "names, ids, addresses");
    expect_refused(&policy, "allow", "a$b", "names, ids, addresses");
    expect_refused(&policy, "store-directory", "relative", "an absolute path");
    expect_refused(&policy, "store-directory", "/a\nshare = yes", "an absolute path");
    policy_release(&policy);
}

static void
unknown_keys_have_neighbours(void **state)
{
    struct policy policy;

    (void)state;
    policy_init(&policy);
    expect_refused(&policy, "shaer", "no", "did you mean share?");
    expect_refused(&policy, "batery", "no", "did you mean battery?");
    expect_refused(&policy, "cpus", "1", "did you mean cpu?");
    expect_refused(&policy, "store-dir", "/x", "store-directory");
    expect_refused(&policy, "zzz", "1", "there is no key \"zzz\". `cpmp policy`");
    policy_release(&policy);
}

static void
pairs_are_taken_apart(void **state)
{
    struct policy policy;
    struct text why = {0};
    char key[POLICY_KEY_BYTES];

    (void)state;
    policy_init(&policy);
    assert_int_equal(policy_set_pair(&policy, " cpu = 30% ", key, &why), CPMP_OK);
    assert_string_equal(key, "cpu");
    assert_int_equal(policy.cpu_percent, 30);
    assert_int_equal(policy_set_pair(&policy, "store-directory=", NULL, &why), CPMP_OK);
    assert_int_equal(policy_set_pair(&policy, "cpu", key, &why), CPMP_EINVAL);
    assert_non_null(strstr(text_string(&why), "cpu=50%"));
    text_release(&why);
    policy_release(&policy);
}

static const char owners_file[] =
    "# mine\n"
    "share = yes\n"
    "\n"
    "cpu: 40%   ; half is too much\n"
    "deny = lab1, lab2\n"
    "    lab3\n"
    "  10.1.0.0/16\n"
    "; nights\n"
    "hours = 20:00-06:00\n";

static void
the_file_is_read(void **state)
{
    struct policy policy;
    struct text why = {0};

    (void)state;
    policy_init(&policy);
    assert_int_equal(policy_parse(&policy, "policy.conf", owners_file, &why), CPMP_OK);
    assert_int_equal(policy.cpu_percent, 40);
    expect_shown(&policy, "deny", "lab1, lab2, lab3, 10.1.0.0/16");
    expect_shown(&policy, "hours", "20:00-06:00");
    expect_shown(&policy, "battery", "no");
    policy_release(&policy);
}

static void
each_error_of_the_file_has_its_line(void **state)
{
    struct policy policy;
    struct text why = {0};

    (void)state;
    policy_init(&policy);
    assert_int_equal(policy_parse(&policy, "p", "share = no\n\ncpu = lots\nhuors = always\n"
                                                "[night]\ncores = 1\nbattery = yes\n", &why),
                     CPMP_EINVAL);
    assert_string_equal(text_string(&why),
                        "p:3: cpu = lots: it is a number from 1% to 100%\n"
                        "p:4: there is no key \"huors\"; did you mean hours? `cpmp policy` shows "
                        "all keys.\n"
                        "p:5: this file has no sections; leave this line out");
    assert_true(policy.share);
    text_clear(&why);
    assert_int_equal(policy_parse(&policy, "p", "share = no\nnonsense\n", &why), CPMP_EINVAL);
    assert_string_equal(text_string(&why), "p:2: a line is key = value, or a comment after #");
    text_clear(&why);
    assert_int_equal(policy_parse(&policy, "p", "cpu = 10%\n  20%\n", &why), CPMP_OK);
    assert_int_equal(policy.cpu_percent, 20);
    text_release(&why);
    policy_release(&policy);
}

static void
a_line_longer_than_the_reader_takes_is_an_error(void **state)
{
    struct policy policy;
    struct text file = {0};
    struct text why = {0};

    (void)state;
    policy_init(&policy);
    text_add_string(&file, "share = no\ndeny = ");
    for (int i = 0; i < 100; i++)
        text_add_string(&file, "lab, ");
    assert_int_equal(policy_parse(&policy, "p", text_string(&file), &why), CPMP_EINVAL);
    assert_non_null(strstr(text_string(&why), "p:2: the line is too long"));
    text_release(&file);
    text_release(&why);
    policy_release(&policy);
}

static void
expect_edit(const char *text, const char *key, const char *value, const char *expected)
{
    struct text out = {0};

    policy_edit(text, key, value, &out);
    assert_string_equal(text_string(&out), expected);
    text_release(&out);
}

static void
an_edit_keeps_what_the_owner_wrote(void **state)
{
    (void)state;
    expect_edit(owners_file, "cpu", "20%",
                "# mine\nshare = yes\n\ncpu = 20%   ; half is too much\ndeny = lab1, lab2\n"
                "    lab3\n  10.1.0.0/16\n; nights\nhours = 20:00-06:00\n");
    expect_edit(owners_file, "deny", "none",
                "# mine\nshare = yes\n\ncpu: 40%   ; half is too much\ndeny = none\n"
                "; nights\nhours = 20:00-06:00\n");
    expect_edit("share = yes", "cpu", "1%", "share = yes\ncpu = 1%\n");
    expect_edit("", "cpu", "1%", "cpu = 1%\n");
    expect_edit("cpu = 1%\ncpu = 2%\n", "cpu", "3%", "cpu = 1%\ncpu = 3%\n");
    expect_edit("# cpu = 1%\n#cpu = 2%\nshare = no\n", "cpu", "3%",
                "# cpu = 1%\ncpu = 3%\n#cpu = 2%\nshare = no\n");
}

static void
a_long_list_comes_back_from_its_lines(void **state)
{
    struct policy policy;
    struct text value = {0};
    struct text file = {0};
    struct text why = {0};

    (void)state;
    for (int i = 0; i < 200; i++)
        text_print(&value, "%slaboratory-number-%d", i > 0 ? ", " : "", i);
    policy_edit("# here\n", "deny", text_string(&value), &file);
    policy_init(&policy);
    assert_int_equal(policy_parse(&policy, "p", text_string(&file), &why), CPMP_OK);
    assert_int_equal(policy.deny.count, 200);
    expect_shown(&policy, "deny", text_string(&value));
    policy_release(&policy);
    text_release(&value);
    text_release(&file);
}

static void
the_template_is_the_default_policy(void **state)
{
    struct text template = {0};
    struct text shown = {0};
    struct text first = {0};
    struct text why = {0};
    struct policy policy;

    (void)state;
    policy_template(&template);
    policy_init(&policy);
    all_add(&policy, &first);
    assert_int_equal(policy_parse(&policy, "p", text_string(&template), &why), CPMP_OK);
    all_add(&policy, &shown);
    assert_string_equal(text_string(&first), text_string(&shown));
    for (const char *line = text_string(&template); *line != '\0'; line++) {
        size_t length = strcspn(line, "\n");

        assert_true(length <= 100);
        line += length;
    }
    policy_release(&policy);
    text_release(&template);
    text_release(&shown);
    text_release(&first);
}

static void
rows_have_value_default_and_meaning(void **state)
{
    struct policy policy;
    struct policy_row row;
    struct text value = {0};
    struct text allowed = {0};
    size_t rows = 0;

    (void)state;
    policy_init(&policy);
    expect_set(&policy, "cpu", "50", "50%");
    while (policy_row(&policy, rows, &row, &value, &allowed)) {
        assert_true(row.changed == (strcmp(row.key, "cpu") == 0));
        assert_true(strlen(row.key) < POLICY_KEY_BYTES);
        if (strcmp(row.key, "cpu") == 0) {
            assert_string_equal(text_string(&value), "50%");
            assert_string_equal(row.initial, "100%");
            assert_string_equal(text_string(&allowed), "a number from 1% to 100%");
        } else {
            assert_string_equal(text_string(&value), row.initial);
        }
        text_clear(&value);
        text_clear(&allowed);
        rows++;
    }
    assert_int_equal(rows, 23);
    text_release(&allowed);
    text_release(&value);
    policy_release(&policy);
}

/* --- who is let in --- */

static bool
admits(const struct policy *policy, const char *name, const char *address)
{
    static const char id[] = "00112233445566778899aabbccddeeff00112233";
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct policy_peer peer = {.name = name, .id = id};
    struct text why = {0};
    bool yes;

    if (address != NULL && inet_pton(AF_INET, address, &in.sin_addr) == 1)
        peer.address = (struct sockaddr *)&in;
    else if (address != NULL && inet_pton(AF_INET6, address, &in6.sin6_addr) == 1)
        peer.address = (struct sockaddr *)&in6;
    yes = policy_admits_peer(policy, &peer, &why);
    assert_true(yes == (why.used == 0));
    text_release(&why);
    return yes;
}

static void
peers_are_allowed_and_denied(void **state)
{
    struct policy policy;

    (void)state;
    policy_init(&policy);
    assert_true(admits(&policy, "any", NULL));
    expect_set(&policy, "deny", "lab*, 10.1.0.0/15", "lab*, 10.1.0.0/15");
    assert_false(admits(&policy, "LAB7", NULL));
    assert_true(admits(&policy, "desk", "10.4.0.1"));
    assert_false(admits(&policy, "desk", "10.0.255.1"));
    assert_false(admits(&policy, "desk", "::ffff:10.1.2.3"));
    assert_true(admits(&policy, "desk", "2001:db8::1"));
    expect_set(&policy, "deny", "00112233445566778899AABBCCDDEEFF00112233",
               "00112233445566778899AABBCCDDEEFF00112233");
    assert_false(admits(&policy, "desk", NULL));
    expect_set(&policy, "deny", "none", "none");
    expect_set(&policy, "allow", "2001:db8::/33, desk", "2001:db8::/33, desk");
    assert_true(admits(&policy, "other", "2001:db8:7fff::1"));
    assert_false(admits(&policy, "other", "2001:db8:8000::1"));
    assert_true(admits(&policy, "desk", NULL));
    expect_set(&policy, "allow", "0.0.0.0/0", "0.0.0.0/0");
    assert_true(admits(&policy, "other", "9.9.9.9"));
    assert_false(admits(&policy, "other", "::1"));
    policy_release(&policy);
}

static void
users_and_weaknesses_are_looked_up(void **state)
{
    static const char *const groups[] = {"wheel", "staff"};
    struct policy policy;
    struct text why = {0};

    (void)state;
    policy_init(&policy);
    assert_true(policy_admits_user(&policy, 1000, "alice", NULL, 0, &why));
    expect_set(&policy, "users", "bob, @staff, 77", "bob, @staff, 77");
    assert_false(policy_admits_user(&policy, 1000, "alice", groups, 1, &why));
    assert_non_null(strstr(text_string(&why), "user alice"));
    assert_true(policy_admits_user(&policy, 1000, "alice", groups, 2, &why));
    assert_true(policy_admits_user(&policy, 1001, "bob", NULL, 0, &why));
    assert_true(policy_admits_user(&policy, 77, NULL, NULL, 0, &why));
    assert_true(policy_admits_user(&policy, 0, "root", NULL, 0, &why));
    assert_false(policy_accepts_weakness(&policy, "no-cgroup"));
    expect_set(&policy, "accept-weakness", "no-landlock, no-cgroup", "no-landlock, no-cgroup");
    assert_true(policy_accepts_weakness(&policy, "no-cgroup"));
    assert_false(policy_accepts_weakness(&policy, "no-seccomp"));
    text_release(&why);
    policy_release(&policy);
}

static void
parts_of_a_whole(void **state)
{
    (void)state;
    assert_int_equal(policy_amount_bytes(&(struct policy_amount){.percent = 75}, 1000), 750);
    assert_int_equal(policy_amount_bytes(&(struct policy_amount){.bytes = 10}, 1000), 10);
    assert_int_equal(policy_amount_bytes(&(struct policy_amount){.bytes = 5000}, 1000), 1000);
    assert_true(policy_amount_bytes(&(struct policy_amount){.percent = 100}, UINT64_MAX) ==
                UINT64_MAX);
}

/* --- files --- */

static void
the_file_changes_whole_or_not_at_all(void **state)
{
    char cpu[] = "cpu=35", cpu_wrong[] = "cpu=135", deny[] = "deny=lab", cores[] = "cores = 3";
    char *const wrong[] = {cores, cpu_wrong};
    char *const right[] = {cores, deny};
    char *const one[] = {cpu};
    char directory[] = "policy.XXXXXX";
    char path[64];
    struct policy policy;
    struct text why = {0};
    struct stat about;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/policy.conf", directory);
    policy_init(&policy);
    assert_int_equal(policy_file_load(path, &policy, &why), CPMP_OK);
    assert_int_equal(policy_file_set(path, &policy, one, 1, &why), CPMP_OK);
    assert_int_equal(policy.cpu_percent, 35);
    assert_int_equal(policy_file_set(path, &policy, wrong, 2, &why), CPMP_EINVAL);
    assert_int_equal(policy.cpu_percent, 35);
    assert_int_equal(policy.cores, 0);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(policy_file_set(path, &policy, right, 2, &why), CPMP_OK);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0640);

    policy_release(&policy);
    policy_init(&policy);
    assert_int_equal(policy_file_load(path, &policy, &why), CPMP_OK);
    assert_int_equal(policy.cpu_percent, 35);
    assert_int_equal(policy.cores, 3);
    expect_shown(&policy, "deny", "lab");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);  /* nothing else was left there */
    text_clear(&why);
    assert_int_equal(policy_file_set(path, &policy, one, 1, &why), CPMP_ESYS);
    assert_int_equal(policy.cpu_percent, 35);
    assert_non_null(strstr(text_string(&why), path));
    text_release(&why);
    policy_release(&policy);
}

/* --- the manual page --- */

/* The page's words without its mark-up, blanks made one. */
static void
page_add(FILE *file, struct text *page)
{
    int previous = ' ';

    for (int c; (c = getc(file)) != EOF;) {
        if (c == '\\') {
            c = getc(file);
        } else if (c == '*' || c == '_') {
            continue;
        }
        if (isspace(c))
            c = ' ';
        if (c != ' ' || previous != ' ')
            text_print(page, "%c", c);
        previous = c;
    }
}

static void
the_manual_page_has_the_table(void **state)
{
    const char *srcdir = getenv("CPMP_SRCDIR");
    struct text path = {0};
    struct text page = {0};
    struct text entry = {0};
    struct text value = {0};
    struct text allowed = {0};
    struct policy policy;
    struct policy_row row;
    FILE *file;

    (void)state;
    text_print(&path, "%s/doc/man/cpmp-policy.5.scd", srcdir != NULL ? srcdir : ".");
    file = fopen(text_string(&path), "r");
    assert_non_null(file);
    page_add(file, &page);
    fclose(file);
    policy_init(&policy);
    for (size_t i = 0; policy_row(&policy, i, &row, &value, &allowed); i++) {
        text_print(&entry, "%s (%s; default: %s) %s", row.key, text_string(&allowed),
                   *row.initial != '\0' ? row.initial : "nothing", row.help);
        if (strstr(text_string(&page), text_string(&entry)) == NULL)
            fail_msg("cpmp-policy.5.scd doesn't have: %s", text_string(&entry));
        text_clear(&entry);
        text_clear(&allowed);
    }
    policy_release(&policy);
    text_release(&path);
    text_release(&page);
    text_release(&entry);
    text_release(&value);
    text_release(&allowed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_shown_as_they_would_be_written),
        cmocka_unit_test(wrong_values_are_refused_with_what_is_allowed),
        cmocka_unit_test(unknown_keys_have_neighbours),
        cmocka_unit_test(pairs_are_taken_apart),
        cmocka_unit_test(the_file_is_read),
        cmocka_unit_test(each_error_of_the_file_has_its_line),
        cmocka_unit_test(a_line_longer_than_the_reader_takes_is_an_error),
        cmocka_unit_test(an_edit_keeps_what_the_owner_wrote),
        cmocka_unit_test(a_long_list_comes_back_from_its_lines),
        cmocka_unit_test(the_template_is_the_default_policy),
        cmocka_unit_test(rows_have_value_default_and_meaning),
        cmocka_unit_test(peers_are_allowed_and_denied),
        cmocka_unit_test(users_and_weaknesses_are_looked_up),
        cmocka_unit_test(parts_of_a_whole),
        cmocka_unit_test(the_file_changes_whole_or_not_at_all),
        cmocka_unit_test(the_manual_page_has_the_table),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
