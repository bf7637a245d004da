/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/environment.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/libdir.h"
#include "process/rank.h"
#include "sandbox/sandbox.h"

#define ENTRY_BYTES 64u
#define LIBRARY_PATH "LD_LIBRARY_PATH="

/* What is ours to set. Open MPI's names let programs and scripts written for it find their rank. */
enum {
    OWN_SEGMENT_FD, OWN_DOORBELL_FD, OWN_HOST_FD, OWN_LOCAL_INDEX, OWN_RANK, OWN_SIZE, OWN_PEER,
    OWN_JOB, OWN_PROGRAM, OWN_OMPI_RANK, OWN_OMPI_SIZE, OWN_OMPI_LOCAL_RANK, OWN_OMPI_LOCAL_SIZE,
    OWN_OMPI_NODE_RANK, OWN_OMPI_UNIVERSE, OWN_COUNT
};

static const char *const own_names[OWN_COUNT] = {
    [OWN_SEGMENT_FD] = "CPMP_SEGMENT_FD",
    [OWN_DOORBELL_FD] = "CPMP_DOORBELL_FD",
    [OWN_HOST_FD] = "CPMP_HOST_FD",
    [OWN_LOCAL_INDEX] = "CPMP_LOCAL_INDEX",
    [OWN_RANK] = "CPMP_RANK",
    [OWN_SIZE] = "CPMP_SIZE",
    [OWN_PEER] = "CPMP_PEER",
    [OWN_JOB] = "CPMP_JOB",
    [OWN_PROGRAM] = "CPMP_PROGRAM",
    [OWN_OMPI_RANK] = "OMPI_COMM_WORLD_RANK",
    [OWN_OMPI_SIZE] = "OMPI_COMM_WORLD_SIZE",
    [OWN_OMPI_LOCAL_RANK] = "OMPI_COMM_WORLD_LOCAL_RANK",
    [OWN_OMPI_LOCAL_SIZE] = "OMPI_COMM_WORLD_LOCAL_SIZE",
    [OWN_OMPI_NODE_RANK] = "OMPI_COMM_WORLD_NODE_RANK",
    [OWN_OMPI_UNIVERSE] = "OMPI_UNIVERSE_SIZE",
};

static bool
name_is_own(const char *entry)
{
    size_t bytes = strcspn(entry, "=");

    for (int i = 0; i < OWN_COUNT; i++)
        if (strlen(own_names[i]) == bytes && memcmp(entry, own_names[i], bytes) == 0)
            return true;
    return false;
}

/* In a build with the address sanitizer: the leak checker would trace its process at the end, which
 * the cage refuses. */
#ifdef __SANITIZE_ADDRESS__
static char *const caged_asan = "ASAN_OPTIONS=detect_leaks=0:exitcode=99";
#else
static char *const caged_asan = NULL;
#endif

static bool
is_asan(const char *entry)
{
    return caged_asan != NULL && strncmp(entry, "ASAN_OPTIONS=", 13) == 0;
}

static void
own_values(const struct job *job, uint32_t index, uint64_t values[OWN_COUNT])
{
    values[OWN_SEGMENT_FD] = RANK_SEGMENT_FD;
    values[OWN_DOORBELL_FD] = RANK_DOORBELL_FD;
    values[OWN_HOST_FD] = RANK_HOST_FD;
    values[OWN_LOCAL_INDEX] = index;
    values[OWN_RANK] = job->local_ranks[index];
    values[OWN_SIZE] = job->world;
    values[OWN_PEER] = job->peer;
    values[OWN_JOB] = job->id;
    values[OWN_PROGRAM] = job->places[job->local_ranks[index]]->program;
    values[OWN_OMPI_RANK] = job->local_ranks[index];
    values[OWN_OMPI_SIZE] = job->world;
    values[OWN_OMPI_LOCAL_RANK] = index;
    values[OWN_OMPI_LOCAL_SIZE] = job->local;
    values[OWN_OMPI_NODE_RANK] = index;
    values[OWN_OMPI_UNIVERSE] = job->world;
}

static const char *const scratch_names[] = {"HOME=", "TMPDIR="};
#define SCRATCH_COUNT (sizeof(scratch_names) / sizeof(scratch_names[0]))

static bool
name_is_scratch(const char *entry)
{
    for (size_t i = 0; i < SCRATCH_COUNT; i++)
        if (strncmp(entry, scratch_names[i], strlen(scratch_names[i])) == 0)
            return true;
    return false;
}

static bool
library_find(char directory[PATH_MAX], bool caged)
{
    if (!caged)
        return libdir_find(directory);
    snprintf(directory, PATH_MAX, "%s", SANDBOX_LIBRARY);
    return true;
}

static bool
is_library_path(const char *entry)
{
    return strncmp(entry, LIBRARY_PATH, strlen(LIBRARY_PATH)) == 0;
}

static const char *
library_path_given(const Cpmp__Program *program)
{
    for (size_t i = 0; i < program->n_env; i++)
        if (is_library_path(program->env[i]))
            return program->env[i] + strlen(LIBRARY_PATH);
    return "";
}

/* Every rank gets the path, also one that is no MPI program: it may start one. */
char **
environment_new(const struct job *job, uint32_t index, const char *scratch)
{
    const Cpmp__Program *program = job_program(job, index);
    const char *given = library_path_given(program);
    char directory[PATH_MAX];
    bool prepend = library_find(directory, scratch != NULL) && !libdir_is_listed(given, directory);
    size_t path_bytes = prepend ? sizeof(LIBRARY_PATH ":") + strlen(directory) + strlen(given) : 0;
    size_t pointers = program->n_env + OWN_COUNT + SCRATCH_COUNT + 3;
    size_t scratch_bytes = scratch ? sizeof("TMPDIR=") + strlen(scratch) : 0;
    char **env = malloc(pointers * sizeof(*env) + OWN_COUNT * ENTRY_BYTES +
                        SCRATCH_COUNT * scratch_bytes + path_bytes);
    uint64_t values[OWN_COUNT];
    size_t used = 0;
    char *entry;

    if (env == NULL)
        return NULL;
    for (size_t i = 0; i < program->n_env; i++)
        if (!name_is_own(program->env[i]) && !(prepend && is_library_path(program->env[i])) &&
            !(scratch && (name_is_scratch(program->env[i]) || is_asan(program->env[i]))))
            env[used++] = program->env[i];
    own_values(job, index, values);
    entry = (char *)(env + pointers);
    for (int i = 0; i < OWN_COUNT; i++) {
        int bytes = snprintf(entry, ENTRY_BYTES, i == OWN_JOB ? "%s=%016" PRIx64 : "%s=%" PRIu64,
                             own_names[i], values[i]);
        assert(bytes > 0 && (size_t)bytes < ENTRY_BYTES);
        (void)bytes;
        env[used++] = entry;
        entry += ENTRY_BYTES;
    }
    for (size_t i = 0; scratch && i < SCRATCH_COUNT; i++) {
        snprintf(entry, scratch_bytes, "%s%s", scratch_names[i], scratch);
        env[used++] = entry;
        entry += scratch_bytes;
    }
    if (scratch && caged_asan != NULL)
        env[used++] = caged_asan;
    if (prepend) {
        snprintf(entry, path_bytes, "%s%s%s%s", LIBRARY_PATH, directory, *given ? ":" : "", given);
        env[used++] = entry;
    }
    env[used] = NULL;
    return env;
}
