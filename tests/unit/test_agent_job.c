/* SPDX-License-Identifier: BSD-3-Clause */
/* What an agent takes of its launcher's word about a job. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "agent/job.h"
#include "control/rules.h"

#define RANKS 4u

static void
setup_give(struct job *job)
{
    static uint8_t key[JOB_KEY_BYTES];
    Cpmp__Setup setup = CPMP__SETUP__INIT;

    setup.version = CONTROL_VERSION;
    setup.key = (ProtobufCBinaryData){.len = sizeof(key), .data = key};
    setup.peers = 2;
    setup.cgroup = (char *)(uintptr_t)"/somewhere/group";
    setup.home = (char *)(uintptr_t)"/somewhere";
    assert_int_equal(CPMP_OK, job_setup(job, &setup));
}

/* RANKS ranks here, one on the other peer; as it comes, packed. */
static Cpmp__Start *
start_make(void)
{
    char *argv[] = {(char *)(uintptr_t)"true"};
    Cpmp__Start start = CPMP__START__INIT;
    Cpmp__Program program = CPMP__PROGRAM__INIT, *programs[] = {&program};
    Cpmp__PeerInfo peer = CPMP__PEER_INFO__INIT, *peers[] = {&peer, &peer};
    Cpmp__RankPlace ranks[RANKS + 1], *list[RANKS + 1];
    uint8_t packed[1024];

    program.argv = argv;
    program.n_argv = 1;
    for (uint32_t i = 0; i <= RANKS; i++) {
        cpmp__rank_place__init(&ranks[i]);
        ranks[i].rank = i;
        ranks[i].peer = i == RANKS;
        list[i] = &ranks[i];
    }
    start.programs = programs;
    start.n_programs = 1;
    start.peers = peers;
    start.n_peers = 2;
    start.ranks = list;
    start.n_ranks = RANKS + 1;
    start.stdin_rank = CONTROL_STDIN_NONE;
    assert_true(cpmp__start__get_packed_size(&start) <= sizeof(packed));
    return cpmp__start__unpack(NULL, cpmp__start__pack(&start, packed), packed);
}

static void
a_launcher_of_this_machine_names_its_groups(void **state)
{
    struct job job;

    (void)state;
    assert_int_equal(CPMP_OK, job_init(&job, -1));
    setup_give(&job);
    assert_string_equal("/somewhere/group", job.cgroup);
    assert_string_equal("/somewhere", job.home);
    assert_int_equal(CPMP_OK, job_start(&job, start_make()));
    assert_int_equal(RANKS, job.local);
    job_release(&job);
}

static void
a_foreign_launcher_names_no_directory_here(void **state)
{
    struct job job;

    (void)state;
    assert_int_equal(CPMP_OK, job_init(&job, -1));
    job_foreign(&job, RANKS);
    setup_give(&job);
    assert_string_equal("", job.cgroup);
    assert_string_equal("", job.home);
    assert_int_equal(CPMP_OK, job_start(&job, start_make()));
    assert_int_equal(RANKS, job.local);
    job_release(&job);
}

static void
a_foreign_launcher_starts_no_more_ranks_than_agreed(void **state)
{
    Cpmp__Start *start = start_make();
    struct job job;

    (void)state;
    assert_int_equal(CPMP_OK, job_init(&job, -1));
    job_foreign(&job, RANKS - 1);
    setup_give(&job);
    assert_int_equal(CPMP_ELIMIT, job_start(&job, start));
    assert_null(job.start);
    cpmp__start__free_unpacked(start, NULL);
    job_release(&job);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_launcher_of_this_machine_names_its_groups),
        cmocka_unit_test(a_foreign_launcher_names_no_directory_here),
        cmocka_unit_test(a_foreign_launcher_starts_no_more_ranks_than_agreed),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
