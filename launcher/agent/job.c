/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/job.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cpmp.h>

#include "control/rules.h"
#include "plat/plat.h"

#define HOST_PAGE_BYTES 4096u

/* Moves a descriptor out of the numbers that ranks are handed; -1 with errno, and `fd` is
 * closed. */
static int
fd_lift(int fd)
{
    int lifted = fcntl(fd, F_DUPFD_CLOEXEC, JOB_FD_MIN);
    int error = errno;

    close(fd);
    errno = error == EINVAL ? EMFILE : error;  /* the limit is below JOB_FD_MIN */
    return lifted;
}

/* --- before there is a job --- */

static int
host_page_make(void)
{
    int fd = cpi_memfd_make("cpmp-host", HOST_PAGE_BYTES);

    return fd < 0 ? fd : fd_lift(fd);
}

int
job_init(struct job *job, int host_fd)
{
    bool own = host_fd < 0;

    memset(job, 0, sizeof(*job));
    job->segment_fd = job->doorbell_fd = -1;
    job->host_fd = own ? host_page_make() : fd_lift(host_fd);
    if (job->host_fd < 0)
        return CPMP_ESYS;
    if (cpi_memfd_sealed_bytes(job->host_fd) < sizeof(struct cpi_host_page)) {
        close(job->host_fd);
        return CPMP_EPROTO;
    }
    job->host = cpi_memfd_map(job->host_fd, sizeof(struct cpi_host_page));
    if (job->host == NULL) {
        close(job->host_fd);
        return CPMP_ESYS;
    }
    if (own)
        job->host->cores = cpi_cores_usable();
    return CPMP_OK;
}

void
job_release(struct job *job)
{
    if (job->segment.header)
        cpi_segment_unmap(&job->segment);
    if (job->segment_fd >= 0)
        close(job->segment_fd);
    if (job->doorbell_fd >= 0)
        close(job->doorbell_fd);
    cpi_memory_unmap(job->host, sizeof(struct cpi_host_page));
    close(job->host_fd);
    if (job->start)
        cpmp__start__free_unpacked(job->start, NULL);
    free(job->places);
    free(job->local_ranks);
    free(job->pids);
    free(job->listen);
    free(job->cgroup);
    free(job->home);
    memset(job, 0, sizeof(*job));
}

void
job_listen_at(struct job *job, int connection_fd)
{
    struct sockaddr_storage local;
    socklen_t bytes = sizeof(local);

    if (getsockname(connection_fd, (struct sockaddr *)&local, &bytes) != 0 ||
        !address_print_host((struct sockaddr *)&local, job->reached_at))
        job->reached_at[0] = '\0';
}

void
job_foreign(struct job *job, uint32_t ranks_max)
{
    job->foreign = true;
    job->local_max = ranks_max;
}

int
job_setup(struct job *job, const Cpmp__Setup *setup)
{
    if (setup->version != CONTROL_VERSION)
        return CPMP_EVERSION;
    if (setup->key.len != JOB_KEY_BYTES || setup->peers == 0 || setup->peer >= setup->peers)
        return CPMP_EPROTO;
    job->listen = strdup(*setup->listen != '\0' ? setup->listen : job->reached_at);
    job->cgroup = strdup(job->foreign ? "" : setup->cgroup);
    job->home = strdup(job->foreign ? "" : setup->home);
    if (job->listen == NULL || job->cgroup == NULL || job->home == NULL)
        return CPMP_ENOMEM;
    job->id = setup->job;
    memcpy(job->key, setup->key.data, JOB_KEY_BYTES);
    job->peer = setup->peer;
    job->peers = setup->peers;
    job->encrypt = setup->encrypt;
    job->capacity_millicores = setup->capacity_millicores;
    return CPMP_OK;
}

/* --- the map --- */

static bool
programs_valid(const Cpmp__Start *start)
{
    for (size_t i = 0; i < start->n_programs; i++)
        if (start->programs[i]->n_argv == 0)
            return false;
    return start->n_programs > 0;
}

/* Every rank from 0 to world - 1 is there once, at a peer and with a program that exist. */
static int
places_set(struct job *job, const Cpmp__Start *start)
{
    size_t world = start->n_ranks;

    if (world == 0 || world > CPI_SEGMENT_WORLD_MAX)
        return CPMP_EPROTO;
    job->places = calloc(world, sizeof(const Cpmp__RankPlace *));
    if (job->places == NULL)
        return CPMP_ENOMEM;
    for (size_t i = 0; i < world; i++) {
        const Cpmp__RankPlace *place = start->ranks[i];
        if (place->rank >= world || job->places[place->rank] || place->peer >= job->peers ||
            place->program >= start->n_programs)
            return CPMP_EPROTO;
        job->places[place->rank] = place;
    }
    job->world = (uint32_t)world;
    return CPMP_OK;
}

static int
local_ranks_set(struct job *job)
{
    job->local_ranks = calloc(job->world, sizeof(*job->local_ranks));
    if (job->local_ranks == NULL)
        return CPMP_ENOMEM;
    for (uint32_t rank = 0; rank < job->world; rank++)
        if (job->places[rank]->peer == job->peer)
            job->local_ranks[job->local++] = rank;
    return CPMP_OK;
}

int
job_start(struct job *job, Cpmp__Start *start)
{
    int error;

    assert(job->start == NULL && job->places == NULL);
    if (!programs_valid(start) || start->n_peers != job->peers)
        return CPMP_EPROTO;
    if (start->stdin_rank < CONTROL_STDIN_NONE || start->stdin_rank >= (int64_t)start->n_ranks)
        return CPMP_EPROTO;
    error = places_set(job, start);
    if (error == CPMP_OK)
        error = local_ranks_set(job);
    if (error == CPMP_OK && job->local_max > 0 && job->local > job->local_max)
        error = CPMP_ELIMIT;
    if (error == CPMP_OK)
        job->start = start;
    return error;
}

const Cpmp__Program *
job_program(const struct job *job, uint32_t index)
{
    return job->start->programs[job->places[job->local_ranks[index]]->program];
}

bool
job_rank_has_stdin(const struct job *job, uint32_t index)
{
    int wanted = job->start->stdin_rank;

    return wanted == CONTROL_STDIN_ALL ||
           (wanted >= 0 && (uint32_t)wanted == job->local_ranks[index]);
}

/* --- the memory --- */

/* Fails with CPMP_ENOMEM only. */
static int
segment_fill(struct job *job)
{
    struct cpi_segment *segment = &job->segment;
    uint32_t *next = calloc(job->peers, sizeof(*next));

    if (next == NULL)
        return CPMP_ENOMEM;
    for (uint32_t rank = 0; rank < job->world; rank++) {
        uint32_t peer = job->places[rank]->peer;
        segment->places[rank] = (struct cpi_place){.peer = peer, .local = next[peer]++};
    }
    free(next);
    for (uint32_t i = 0; i < job->local; i++)
        segment->ranks[i].world_rank = job->local_ranks[i];
    for (uint32_t peer = 0; peer < job->peers; peer++)
        snprintf(segment->peer_names[peer], CPI_SEGMENT_NAME_MAX, "%s",
                 job->start->peers[peer]->name);
    return CPMP_OK;
}

int
job_segment_make(struct job *job)
{
    struct cpi_segment_config config = {
        .job = job->id,
        .world = job->world,
        .local = job->local,
        .peer = job->peer,
        .peers = job->peers,
        .cores = (uint32_t)cpi_cores_usable(),
        .capacity_millicores = job->capacity_millicores,
    };
    int fd = -1;
    int error = cpi_segment_make(&job->segment, &config, &fd);

    if (error != CPMP_OK)
        return error;
    job->segment_fd = fd_lift(fd);
    if (job->segment_fd < 0)
        return CPMP_ESYS;
    fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    job->doorbell_fd = fd < 0 ? fd : fd_lift(fd);
    if (job->doorbell_fd < 0)
        return CPMP_ESYS;
    return segment_fill(job);
}

void
job_rank_uncount(const struct job *job, uint32_t index)
{
    struct cpi_rank_block *block = &job->segment.ranks[index];
    uint32_t core = atomic_exchange(&block->core, 0);

    if (atomic_exchange(&block->counted, 0) == 1)
        atomic_fetch_sub(&job->host->awake, 1);
    if (core > 0 && core <= CPI_HOST_CORES_MAX)
        atomic_fetch_sub(&job->host->waited[core - 1], 1);
}
