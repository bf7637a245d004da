/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpmp: looks at and governs this machine's part in a pool. See cpmp(1).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "text/text.h"
#include "tool/tool.h"

/* What is closed here would be given to the next file opened, and be written to. */
static void
standard_fds_open(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
            _exit(TOOL_FAILED);
}

static size_t
terminal_columns(void)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return 0;
    return size.ws_col;
}

static int
tool_run(struct tool *tool)
{
    if (tool->options.help) {
        tool_help(&tool->out, tool->command);
        return TOOL_OK;
    }
    if (tool->options.version) {
        text_print(&tool->out, "cpmp %s\n", PACKAGE_VERSION);
        return TOOL_OK;
    }
    return tool->command->run(tool);
}

/* A reader that has enough of it (`| head`) ends us quietly, as it does other programs. */
static int
output_write(const struct tool *tool, int code)
{
    signal(SIGPIPE, SIG_DFL);
    fwrite(text_string(&tool->out), 1, tool->out.used, stdout);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "cpmp: standard output can't be written: %s\n", text_write_error(errno));
        code = TOOL_FAILED;
    }
    if (tool->notes.used > 0 && isatty(STDERR_FILENO))
        fputs(text_string(&tool->notes), stderr);
    if (tool->error.used > 0)
        fprintf(stderr, "cpmp: %s\n", text_string(&tool->error));
    return code;
}

int
main(int argc, char **argv)
{
    struct tool tool = {.environment = environ, .now_s = (uint64_t)time(NULL)};
    int code;

    standard_fds_open();
    signal(SIGPIPE, SIG_IGN);
    tool.columns = terminal_columns();
    code = tool_parse(&tool, argc - 1, argv + 1);
    if (code == 0)
        code = tool_run(&tool);
    code = output_write(&tool, code);
    tool_release(&tool);
    return code;
}
