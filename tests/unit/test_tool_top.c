/* SPDX-License-Identifier: BSD-3-Clause */
/* The screen of cpmp top: what is on it, in which order, and that it always fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "text/width.h"
#include "tool/top.h"

#define PEERS 50u
#define JOBS  9u

static Cpmp__PeerRow peers[PEERS], *peer_rows[PEERS];
static Cpmp__JobRow jobs[JOBS], *job_rows[JOBS];
static char names[PEERS][32];
static Cpmp__PeersReply peers_reply;
static Cpmp__JobsReply jobs_reply;

static struct tool_top
top_make(size_t peer_count, size_t job_count)
{
    cpmp__peers_reply__init(&peers_reply);
    cpmp__jobs_reply__init(&jobs_reply);
    for (size_t i = 0; i < peer_count; i++) {
        snprintf(names[i], sizeof(names[i]), "peer-%zu", i);
        cpmp__peer_row__init(&peers[i]);
        peers[i] = (Cpmp__PeerRow){.base = peers[i].base, .name = names[i], .self = i == 0,
            .cores = 4, .free_millicores = (uint32_t)(i * 7 % 5) * 1000,
            .memory_bytes = 8ull << 30, .free_memory_bytes = (i * 3 % 8) << 30,
            .rtt_us = i == 3 ? 0 : 1000 * (PEERS - i), .sharing = i != 1,
            .reason = i == 1 ? "the owner is\nhere" : ""};
        peer_rows[i] = &peers[i];
    }
    for (size_t i = 0; i < job_count; i++) {
        cpmp__job_row__init(&jobs[i]);
        jobs[i] = (Cpmp__JobRow){.base = jobs[i].base, .job = i + 1, .program = "計算計算計算",
            .user = "ann", .launcher = "peer-0", .ranks = 16, .state = "running"};
        job_rows[i] = &jobs[i];
    }
    peers_reply.rows = peer_rows;
    peers_reply.n_rows = peer_count;
    jobs_reply.rows = job_rows;
    jobs_reply.n_rows = job_count;
    return (struct tool_top){.pool = "lab", .name = "peer-0", .peers = &peers_reply,
                             .jobs = &jobs_reply, .now_s = 1795259000, .trouble = ""};
}

/* The screen, after a look at its shape. */
static const char *
screen(struct tool_top *top, size_t lines, size_t columns)
{
    static char kept[65536];
    struct text text = {0};
    size_t count = 0;

    tool_top_screen(&text, top, lines, columns);
    for (const char *at = text_string(&text); *at != '\0'; count++) {
        size_t length = strcspn(at, "\n");
        assert_true(length >= 1);
        assert_non_null(strchr(" *#", at[0]));
        assert_true(text_width(at + 1, length - 1) <= columns);
        at += length;
        assert_int_equal('\n', *at++);
    }
    assert_true(count <= lines);
    assert_true(text.used < sizeof(kept));
    memcpy(kept, text_string(&text), text.used + 1);
    text_release(&text);
    return kept;
}

static void
the_screen_fits_whatever_its_size(void **state)
{
    struct tool_top top = top_make(PEERS, JOBS), empty = {.pool = "", .name = "", .trouble = ""};

    (void)state;
    for (size_t lines = 0; lines < 70; lines++) {
        for (size_t columns = 0; columns < 130; columns += 13) {
            screen(&top, lines, columns);
            screen(&empty, lines, columns);
        }
    }
    top.trouble = "bad\x1b[2J news";
    assert_non_null(strstr(screen(&top, 24, 80), "\n*bad\\x1b[2J news\n"));
}

static void
eighty_by_twentyfour_shows_peers_and_jobs(void **state)
{
    struct tool_top top = top_make(3, 1);
    const char *shown = screen(&top, 24, 80);

    (void)state;
    assert_non_null(strstr(shown, "*pool lab, peer peer-0   "));
    assert_non_null(strstr(shown, "   3 peers   1 job\n"));
    assert_non_null(strstr(shown, " cores [||||····] 6 of 12 free   memory "));
    assert_non_null(strstr(shown, "\n#PEER    CORES "));
    assert_non_null(strstr(shown, "\n peer-0  [||||||||]  0 of 4  "));
    assert_non_null(strstr(shown, "the owner is\\x0ahere\n"));
    assert_non_null(strstr(shown, "\n#JOB "));
    assert_non_null(strstr(shown, "\n 0000000000000001  計算計算計算  ann "));
    assert_non_null(strstr(shown, "\n*q quit "));
}

/* Positions of rows: a before b. */
static void
comes_before(const char *shown, const char *a, const char *b)
{
    assert_non_null(strstr(shown, a));
    assert_non_null(strstr(shown, b));
    assert_true(strstr(shown, a) < strstr(shown, b));
}

static void
keys_sort_the_peers(void **state)
{
    struct tool_top top = top_make(5, 0);

    (void)state;
    comes_before(screen(&top, 24, 80), "\n peer-1 ", "\n peer-2 ");
    assert_false(tool_top_key(&top, 'f'));
    comes_before(screen(&top, 24, 80), "\n peer-2 ", "\n peer-1 ");
    assert_non_null(strstr(screen(&top, 24, 80), "(now: free cores)"));
    assert_false(tool_top_key(&top, 'm'));
    comes_before(screen(&top, 24, 80), "\n peer-2 ", "\n peer-0 ");
    assert_false(tool_top_key(&top, 'd'));
    comes_before(screen(&top, 24, 80), "\n peer-0 ", "\n peer-4 ");
    comes_before(screen(&top, 24, 80), "\n peer-4 ", "\n peer-2 ");
    comes_before(screen(&top, 24, 80), "\n peer-2 ", "\n peer-3 ");
    assert_false(tool_top_key(&top, 'n'));
    comes_before(screen(&top, 24, 80), "\n peer-0 ", "\n peer-1 ");
    assert_false(tool_top_key(&top, 'x'));
    assert_true(tool_top_key(&top, 'q'));
}

static void
arrows_scroll_from_the_first_to_the_last(void **state)
{
    struct tool_top top = top_make(PEERS, JOBS);

    (void)state;
    assert_non_null(strstr(screen(&top, 24, 80), "\n peer-0 "));
    assert_false(tool_top_key(&top, TOOL_TOP_UP));
    assert_int_equal(0, top.scroll);
    tool_top_key(&top, TOOL_TOP_DOWN);
    assert_null(strstr(screen(&top, 24, 80), "\n peer-0 "));
    for (int i = 0; i < 20; i++)
        tool_top_key(&top, TOOL_TOP_PAGE_DOWN);
    assert_non_null(strstr(screen(&top, 24, 80), "\n peer-49 "));
    assert_true(top.scroll < PEERS);
    for (int i = 0; i < 20; i++)
        tool_top_key(&top, TOOL_TOP_PAGE_UP);
    assert_non_null(strstr(screen(&top, 24, 80), "\n peer-0 "));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_screen_fits_whatever_its_size),
        cmocka_unit_test(eighty_by_twentyfour_shows_peers_and_jobs),
        cmocka_unit_test(keys_sort_the_peers),
        cmocka_unit_test(arrows_scroll_from_the_first_to_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
