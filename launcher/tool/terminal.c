/* SPDX-License-Identifier: BSD-3-Clause */
#include "tool/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <ncurses.h>

#include "tool/top.h"

static SCREEN *screen;

/* What is shown is UTF-8, whatever the locale says. */
static void
locale_set(void)
{
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

int
terminal_init(struct text *error)
{
    const char *type = getenv("TERM");

    locale_set();
    screen = newterm(NULL, stdout, stdin);
    if (screen == NULL) {
        text_print(error, "the terminal type (TERM=%s) is not known; for programs there is "
                          "cpmp top --json", type != NULL ? type : "");
        return -1;
    }
    cbreak();
    noecho();
    curs_set(0);
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(25);
    return 0;
}

void
terminal_release(void)
{
    if (screen == NULL)
        return;
    endwin();
    delscreen(screen);
    screen = NULL;
}

void
terminal_resize(size_t *lines_p, size_t *columns_p)
{
    struct winsize size = {0};

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0 &&
        (size.ws_row != LINES || size.ws_col != COLS))
        resizeterm(size.ws_row, size.ws_col);
    *lines_p = (size_t)LINES;
    *columns_p = (size_t)COLS;
}

static attr_t
attribute(char style)
{
    return style == '*' ? A_BOLD : style == '#' ? A_REVERSE : A_NORMAL;
}

void
terminal_show(const char *text)
{
    erase();
    for (int y = 0; *text != '\0'; y++) {
        size_t length = strcspn(text, "\n");

        attrset(attribute(text[0]));
        mvaddnstr(y, 0, text + 1, (int)length - 1);
        text += length + (text[length] == '\n');
    }
    attrset(A_NORMAL);
    refresh();
}

int
terminal_key(void)
{
    int key = getch();

    switch (key) {
    case ERR:
        return -1;
    case KEY_UP:
        return TOOL_TOP_UP;
    case KEY_DOWN:
        return TOOL_TOP_DOWN;
    case KEY_PPAGE:
        return TOOL_TOP_PAGE_UP;
    case KEY_NPAGE:
    case ' ':
        return TOOL_TOP_PAGE_DOWN;
    default:
        return key < KEY_MIN ? key : 0;
    }
}
