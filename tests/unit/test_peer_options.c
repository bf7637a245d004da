/* SPDX-License-Identifier: BSD-3-Clause */
/* cpmpd's command line, and what it tells the manager of services. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "peer/notify.h"
#include "peer/options.h"

static struct peer_options options;

static int
parse(const char *line, struct text *error)
{
    static char copy[512];
    char *argv[32] = {(char *)"cpmpd"};
    char *rest;
    int argc = 1;

    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    optind = 0;
    return peer_options_parse(&options, argc, argv, error);
}

static void
assert_refused(const char *line, const char *words)
{
    struct text error = {0};

    assert_int_equal(-1, parse(line, &error));
    if (strstr(text_string(&error), words) == NULL)
        fail_msg("%s: \"%s\" has no \"%s\" in it", line, text_string(&error), words);
    text_release(&error);
}

static void
what_is_said_is_meant(void **state)
{
    struct text error = {0};
    (void)state;

    assert_int_equal(0, parse("", &error));
    assert_int_equal(PEER_DATA_PORT_FIRST, options.data_port_first);
    assert_int_equal(PEER_DATA_PORT_LAST, options.data_port_last);
    assert_int_equal(0, options.listen_count);
    assert_null(options.create);
    assert_int_equal(0, parse("--create lab --open --listen :7000 --listen [::1]:7 --name pc "
                              "--state /s --data-ports 7001-7001 -v --advertise 192.0.2.1",
                              &error));
    assert_string_equal("lab", options.create);
    assert_true(options.open && options.verbose);
    assert_int_equal(2, options.listen_count);
    assert_string_equal("[::1]:7", options.listen[1]);
    assert_int_equal(1, options.advertise_count);
    assert_int_equal(7001, options.data_port_last);
    assert_int_equal(0, parse("--join TOKEN -h", &error));
    assert_string_equal("TOKEN", options.join);
    assert_true(options.help);
    assert_int_equal(0, error.used);
}

static void
what_makes_no_sense_is_named(void **state)
{
    (void)state;
    assert_refused("--create a --join b", "exclude each other");
    assert_refused("--open", "--create");
    assert_refused("--data-ports 7712", "7712-7811");
    assert_refused("--data-ports 9-8", "9-8");
    assert_refused("--data-ports 1-70000", "70000");
    assert_refused("--data-ports 0-5", "0-5");
    assert_refused("--data-ports 1-2x", "1-2x");
    assert_refused("--listen", "missing");
    assert_refused("--lsiten x", "--lsiten");
    assert_refused("lab", "options only");
    assert_refused("--listen 1 --listen 2 --listen 3 --listen 4 --listen 5 --listen 6 --listen 7 "
                   "--listen 8 --listen 9", "more than 8");
}

static void
help_fits_a_screen(void **state)
{
    struct text text = {0};
    size_t lines = 0, column = 0;
    (void)state;

    peer_options_help(&text);
    for (const char *at = text_string(&text); *at != '\0'; at++) {
        column = *at == '\n' ? 0 : column + 1;
        lines += *at == '\n';
        assert_true(column <= 100);
    }
    assert_true(lines <= 24);
    assert_non_null(strstr(text_string(&text), "--data-ports"));
    text_release(&text);
}

static void
the_manager_of_services_hears(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64], heard[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ssize_t count;
    (void)state;

    snprintf(name, sizeof(name), "@cpmp-test-%d", (int)getpid());
    memcpy(address.sun_path, name, strlen(name));
    address.sun_path[0] = '\0';
    assert_int_equal(0, bind(fd, (struct sockaddr *)&address,
                             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))));
    assert_int_equal(0, notify_send(name, "READY=1\n"));
    count = recv(fd, heard, sizeof(heard), 0);
    assert_int_equal(8, count);
    assert_memory_equal("READY=1\n", heard, 8);
    close(fd);
    assert_int_equal(-1, notify_send(name, "READY=1\n"));
    assert_int_equal(ECONNREFUSED, errno);
    assert_int_equal(0, notify_send(NULL, "READY=1\n"));
    assert_int_equal(0, notify_send("vsock:2:1", "READY=1\n"));
    assert_int_equal(-1, notify_send("/nowhere/at/all", "READY=1\n"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_is_meant),
        cmocka_unit_test(what_makes_no_sense_is_named),
        cmocka_unit_test(help_fits_a_screen),
        cmocka_unit_test(the_manager_of_services_hears),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
