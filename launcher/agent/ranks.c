/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/ranks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/environment.h"
#include "agent/report.h"
#include "process/rank.h"

/* A rank's three streams: the agent's ends and the rank's. -1: none. */
struct stdio {
    int ours[3], theirs[3];
};

static void
fds_close(int fds[3])
{
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

static int
stdin_make(struct stdio *stdio, bool wanted)
{
    int ends[2];

    if (!wanted) {
        stdio->theirs[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return stdio->theirs[0] < 0 ? -1 : 0;
    }
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    stdio->theirs[0] = ends[0];
    stdio->ours[0] = ends[1];
    return 0;
}

/* On error -1 with errno; what was made is in `stdio` all the same. */
static int
stdio_make(struct stdio *stdio, bool with_stdin)
{
    *stdio = (struct stdio){.ours = {-1, -1, -1}, .theirs = {-1, -1, -1}};
    if (stdin_make(stdio, with_stdin) < 0)
        return -1;
    for (int i = 1; i < 3; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0)
            return -1;
        stdio->ours[i] = ends[0];
        stdio->theirs[i] = ends[1];
    }
    return 0;
}

/* Hands our ends to the parts that own them from then on. */
static int
stdio_attach(const struct ranks_parts *parts, uint32_t rank, struct stdio *stdio)
{
    if (stdio->ours[0] >= 0 && input_add(parts->input, stdio->ours[0]) < 0)
        return -1;
    stdio->ours[0] = -1;
    for (uint32_t i = 1; i < 3; i++) {
        if (output_add(parts->output, rank, i, stdio->ours[i]) < 0)
            return -1;
        stdio->ours[i] = -1;
    }
    return 0;
}

static void
failed_report(const struct ranks_parts *parts, uint32_t index, enum spawn_step step, int error)
{
    const Cpmp__Program *program = job_program(parts->job, index);
    const char *what = step == SPAWN_RUN ? "run" : step == SPAWN_DIRECTORY ? "directory" : "start";

    report_start_failed(parts->stream, parts->job->local_ranks[index], what, error,
                        step == SPAWN_DIRECTORY ? program->directory : program->argv[0]);
}

static int
rank_spawn(const struct ranks_parts *parts, uint32_t index, const struct stdio *stdio, char **env,
           enum spawn_step *step_p)
{
    const struct job *job = parts->job;
    const Cpmp__Program *program = job_program(job, index);
    size_t count = program->n_argv;
    char **argv = malloc((count + 1) * sizeof(*argv));
    int result;

    if (argv == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        argv[i] = program->argv[i];
    argv[count] = NULL;
    char *file = parts->caging ? caging_file(parts->caging, program->path) : NULL;
    struct spawn_request request = {
        .argv = argv,
        .file = file,
        .env = env,
        .directory = parts->caging ? caging_scratch(parts->caging) : program->directory,
        .umask = (mode_t)(job->start->umask & 0777),
        .stdio = {stdio->theirs[0], stdio->theirs[1], stdio->theirs[2]},
        .handed = {job->segment_fd, job->doorbell_fd, job->host_fd},
        .handed_as = {RANK_SEGMENT_FD, RANK_DOORBELL_FD, RANK_HOST_FD},
        .files = parts->files,
    };
    result = supervisor_start(parts->supervisor, index, &request, step_p);
    free(file);
    free(argv);
    return result;
}

/* The pipes are attached before the rank is started: what can fail fails while there is no
 * process. */
static int
rank_start(const struct ranks_parts *parts, uint32_t index, enum spawn_step *step_p)
{
    uint32_t rank = parts->job->local_ranks[index];
    char **env = environment_new(parts->job, index,
                                 parts->caging ? caging_scratch(parts->caging) : NULL);
    struct stdio stdio;
    int result = -1;
    int error;

    *step_p = SPAWN_SETUP;
    if (env && stdio_make(&stdio, job_rank_has_stdin(parts->job, index)) == 0 &&
        stdio_attach(parts, rank, &stdio) == 0)
        result = rank_spawn(parts, index, &stdio, env, step_p);
    error = errno;
    if (env) {
        fds_close(stdio.ours);
        fds_close(stdio.theirs);
    }
    free(env);
    errno = error;
    return result;
}

void
ranks_start(const struct ranks_parts *parts)
{
    for (uint32_t i = 0; i < parts->job->local; i++) {
        enum spawn_step step;
        if (rank_start(parts, i, &step) < 0) {
            failed_report(parts, i, step, errno);
            return;
        }
        if (parts->job->pids != NULL)
            parts->job->pids[i] = (uint32_t)supervisor_pid(parts->supervisor, i);
        report_started(parts->stream, parts->job->local_ranks[i],
                       (int)supervisor_pid(parts->supervisor, i));
    }
}

size_t
ranks_stdin_count(const struct job *job)
{
    size_t count = 0;

    for (uint32_t i = 0; i < job->local; i++)
        count += job_rank_has_stdin(job, i);
    return count;
}
