/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpmpd: shares this machine with a pool. See cpmpd(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "peer/daemon.h"
#include "peer/options.h"

/* What is closed here would be given to the next file opened. */
static void
standard_fds_open(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            _exit(1);
}

static int
stdout_print(const struct text *text)
{
    fputs(text_string(text), stdout);
    if (fflush(stdout) == 0)
        return 0;
    fprintf(stderr, "cpmpd: standard output can't be written: %s\n", strerror(errno));
    return 1;
}

/* --join -: the token is the first line of standard input, where no list of processes shows it. */
static int
token_read(struct peer_options *options, struct text *text)
{
    char line[TOKEN_TEXT_MAX + 2];

    if (options->join == NULL || strcmp(options->join, "-") != 0)
        return 0;
    if (fgets(line, sizeof(line), stdin) == NULL) {
        fputs("cpmpd: --join -: there is no token on standard input\n", stderr);
        return -1;
    }
    line[strcspn(line, "\r\n")] = '\0';
    text_add_string(text, line);
    options->join = text_string(text);
    return 0;
}

int
main(int argc, char **argv)
{
    struct peer_options options;
    struct text text = {0};
    int code;

    standard_fds_open();
    if (peer_options_parse(&options, argc, argv, &text) != 0) {
        fprintf(stderr, "cpmpd: %s\n", text_string(&text));
        code = 2;
    } else if (options.help) {
        peer_options_help(&text);
        code = stdout_print(&text);
    } else if (options.version) {
        text_print(&text, "cpmpd (cpmp) %s\n", PACKAGE_VERSION);
        code = stdout_print(&text);
    } else if (token_read(&options, &text) != 0) {
        code = DAEMON_EXIT_USAGE;
    } else {
        code = daemon_run(&options, environ);
    }
    text_release(&text);
    return code;
}
