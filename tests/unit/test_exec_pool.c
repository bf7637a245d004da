/* SPDX-License-Identifier: BSD-3-Clause */

/* The pure parts of cpexec on a pool: hosts, what travels, what is published. */

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

#include "exec/enroll.h"
#include "exec/hosts.h"
#include "exec/publish.h"
#include "exec/ship.h"

/* --- hosts --- */

static void
hosts_are_read_from_lists_and_files(void **state)
{
    struct exec_hosts hosts = {.count = 0};
    struct text error = {0};

    (void)state;
    assert_int_equal(0, exec_hosts_add_list(&hosts, "pc1,lab*:4", &error));
    assert_int_equal(0, exec_hosts_add_file(&hosts, "file",
                                            "# all\n\n pc2 slots=3 max_slots=9 # x\npc3:2\nfd00::1",
                                            &error));
    assert_int_equal(5, hosts.count);
    assert_string_equal("pc1", hosts.list[0].pattern);
    assert_int_equal(0, hosts.list[0].ranks);
    assert_string_equal("lab*", hosts.list[1].pattern);
    assert_int_equal(4, hosts.list[1].ranks);
    assert_string_equal("pc2", hosts.list[2].pattern);
    assert_int_equal(3, hosts.list[2].ranks);
    assert_int_equal(2, hosts.list[3].ranks);
    assert_string_equal("fd00::1", hosts.list[4].pattern);
    text_release(&error);
}

static void
wrong_hosts_are_named(void **state)
{
    static const char *const wrong[] = {"", "a,,b", "a:", "a:0", "a:x", "a:4x", ":4", "a:70000"};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct exec_hosts hosts = {.count = 0};
        struct text error = {0};
        assert_int_equal(-1, exec_hosts_add_list(&hosts, wrong[i], &error));
        assert_non_null(strstr(text_string(&error), "--host"));
        text_release(&error);
    }
}

static void
hosts_stand_for_ranks(void **state)
{
    struct exec_hosts hosts = {.count = 0};
    struct text error = {0};
    uint64_t ranks;

    (void)state;
    assert_int_equal(0, exec_hosts_add_list(&hosts, "a,b:3", &error));
    assert_int_equal(0, exec_hosts_ranks(&hosts, 0, &ranks, &error));
    assert_int_equal(4, ranks);
    assert_int_equal(1, hosts.list[0].ranks);
    hosts.list[0].ranks = 0;
    assert_int_equal(0, exec_hosts_ranks(&hosts, 2, &ranks, &error));
    assert_int_equal(5, ranks);
    hosts.count = 0;
    assert_int_equal(0, exec_hosts_add_list(&hosts, "pc*", &error));
    assert_int_equal(-1, exec_hosts_ranks(&hosts, 0, &ranks, &error));
    assert_non_null(strstr(text_string(&error), "-np"));
    text_release(&error);
}

/* --- what travels --- */

static char directory[] = "/var/tmp/cpmp-ship-XXXXXX";

static void
file_make(const char *name, const char *content, mode_t mode)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
    assert_int_equal(0, chmod(path, mode));
}

static void
file_remove(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    assert_int_equal(0, unlink(path));
}

static void
programs_and_arguments_travel_until_they_change(void **state)
{
    char program[256];
    char *argv[] = {program, (char *)"in.txt", (char *)"absent", (char *)"/etc/passwd", NULL};
    struct exec_program programs[] = {{.argv = argv}};
    struct exec_options options = {.programs = programs, .programs_count = 1};
    struct exec_image image = {.path = program, .directory = directory};
    struct text notes = {0}, error = {0};
    struct exec_ship ship;
    char bytes[64];

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(program, sizeof(program), "%s/run.sh", directory);
    file_make("run.sh", "#!/bin/sh\n", 0755);
    file_make("in.txt", "five\n", 0644);
    assert_int_equal(0, exec_ship_init(&ship, &options, &image, &notes, &error));
    assert_int_equal(2, ship.count);
    assert_string_equal(program, ship.files[0]->path);
    assert_true(ship.files[0]->content->executable);
    assert_int_equal(5, ship.files[1]->content->size);
    assert_int_equal(0, notes.used);
    assert_int_equal(5, exec_ship_read(&ship, 1, 0, bytes, &error));
    assert_memory_equal("five\n", bytes, 5);
    file_make("in.txt", "longer\n", 0644);
    assert_int_equal(-1, exec_ship_read(&ship, 1, 0, bytes, &error));
    assert_non_null(strstr(text_string(&error), "has changed"));
    exec_ship_release(&ship);
    text_release(&notes);
    text_release(&error);
    file_remove("run.sh");
    file_remove("in.txt");
    assert_int_equal(0, rmdir(directory));
}

/* --- what is published --- */

static void
the_row_says_where_ranks_are_and_how_peers_do(void **state)
{
    char *argv[] = {(char *)"/opt/bin/tool", NULL}, *names[] = {(char *)"pc1", (char *)"pc2"};
    struct exec_program programs[] = {{.argv = argv, .ranks = 3}};
    struct exec_options options = {.programs = programs, .programs_count = 1};
    struct exec_remotes remotes = {0};
    struct exec_publish_states states;
    struct exec_map map;
    struct exec_job job;
    struct exec_view view = {.options = &options, .map = &map, .peer_names = names, .job = &job,
                             .remotes = &remotes, .id = 7};
    uint32_t counts[] = {2, 1}, millicores[] = {2000, 500};
    bool suspended[] = {false, true};
    struct text error = {0};
    Cpmp__JobRow *row;

    (void)state;
    exec_remotes_add(&remotes, "pc1");
    exec_remotes_add(&remotes, "pc2");
    assert_int_equal(0, exec_map_init_enlisted(&map, &options, counts, millicores, 2, &error));
    exec_job_init(&job, &map, 0, 1);
    exec_publish_states(&view, suspended, &states);
    assert_string_equal("starting", exec_publish_word(states.job));
    job.state = EXEC_JOB_RUNNING;
    exec_publish_states(&view, suspended, &states);
    row = exec_publish_row(&view, &states, "pc1", "ada", 99);
    assert_int_equal(7, row->job);
    assert_string_equal("tool", row->program);
    assert_string_equal("suspended", row->state);
    assert_int_equal(3, row->ranks);
    assert_int_equal(2, row->n_peers);
    assert_string_equal("running", row->peers[0]->state);
    assert_int_equal(2, row->peers[0]->n_ranks);
    assert_string_equal("suspended", row->peers[1]->state);
    assert_int_equal(2, row->peers[1]->ranks[0]);
    assert_int_equal(500, row->peers[1]->millicores);
    cpmp__job_row__free_unpacked(row, NULL);
    job.peers[1] = EXEC_PEER_LOST;
    job.state = EXEC_JOB_STOPPING;
    exec_publish_states(&view, suspended, &states);
    assert_string_equal("ending", exec_publish_word(states.job));
    assert_string_equal("lost", exec_publish_word(states.peers[1]));
    exec_job_release(&job);
    exec_map_release(&map);
    exec_remotes_release(&remotes);
}

static void
the_status_of_fetching_is_short(void **state)
{
    struct text text = {0};

    (void)state;
    exec_enroll_progress(&text, 0, 0, 0);
    assert_int_equal(0, text.used);
    exec_enroll_progress(&text, 40u << 20, (120u << 20) - 5, 3);
    assert_string_equal("fetching 40 of 120 MiB on 3 peers", text_string(&text));
    text_release(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_read_from_lists_and_files),
        cmocka_unit_test(wrong_hosts_are_named),
        cmocka_unit_test(hosts_stand_for_ranks),
        cmocka_unit_test(programs_and_arguments_travel_until_they_change),
        cmocka_unit_test(the_row_says_where_ranks_are_and_how_peers_do),
        cmocka_unit_test(the_status_of_fetching_is_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
