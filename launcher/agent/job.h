/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_JOB_H
#define CPI_AGENT_JOB_H

/*
 * The job as one agent sees it: what the launcher said in Setup and Start, checked, and the memory
 * made for it: the job segment, the agent's doorbell and the host page.
 *
 * Ranks of one peer get local indices in the order of their rank numbers, on every agent alike.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/address.h"
#include "ring/segment.h"
#include "wire/control.pb-c.h"

#define JOB_KEY_BYTES 32u

struct job {
    uint64_t id;
    unsigned char key[JOB_KEY_BYTES];
    uint32_t peer, peers;
    uint32_t capacity_millicores;
    char *listen;              /* address for the fabric endpoint; "": loopback */
    uint16_t port_first, port_last;  /* its ports; 0, 0: any */
    char reached_at[ADDRESS_TEXT_MAX];  /* stands in for an empty Setup.listen; "": nothing */
    bool encrypt;              /* what goes to other agents */
    char *cgroup, *home;       /* directories of control groups (Setup); "": none */
    bool foreign;              /* the launcher is on another machine: its word isn't enough */
    uint32_t local_max;        /* ranks that this machine has agreed to; 0: any number */
    Cpmp__Start *start;        /* NULL before job_start; owned */
    uint32_t world, local;
    const Cpmp__RankPlace **places;  /* [world], by rank; into start */
    uint32_t *local_ranks;     /* [local] world rank */
    uint32_t *pids;            /* [local] of caged ranks, as this process sees them; NULL: not
                                * caged, and what a rank says is looked at */
    struct cpi_segment segment;
    int segment_fd, doorbell_fd, host_fd;  /* all above JOB_FD_MIN, close-on-exec */
    struct cpi_host_page *host;
};

/* Numbers below this are free for what ranks are handed. */
#define JOB_FD_MIN 110

/* Maps the host page `host_fd` (taken over), or makes one when it is -1. CPMP_OK; CPMP_EPROTO when
 * the descriptor is no sealed memfd; CPMP_ESYS with errno. */
int job_init(struct job *job, int host_fd);
void job_release(struct job *job);

/* Before job_setup: the launcher's connection came to this address of the machine, so other agents
 * can reach it there too. */
void job_listen_at(struct job *job, int connection_fd);

/* The launcher is a foreign one, to whom this machine gives `ranks_max` ranks (0: any number). Its
 * Setup names no directory of this machine: what the agent enters, kills and removes there would be
 * the launcher's choice. */
void job_foreign(struct job *job, uint32_t ranks_max);

/* Who this agent is. CPMP_OK, CPMP_EVERSION, CPMP_EPROTO, CPMP_ENOMEM. */
int job_setup(struct job *job, const Cpmp__Setup *setup);

/* What is to run: takes `start` over when all is well, and sets up world, local, places and
 * local_ranks. CPMP_OK, CPMP_EPROTO, CPMP_ENOMEM; CPMP_ELIMIT when more ranks are to run here than
 * was agreed. */
int job_start(struct job *job, Cpmp__Start *start);

/* Makes segment and doorbell and fills in the map. CPMP_OK, CPMP_ELIMIT, CPMP_ESYS with errno. */
int job_segment_make(struct job *job);

const Cpmp__Program *job_program(const struct job *job, uint32_t index);

/* Whether local rank `index` has a standard input. */
bool job_rank_has_stdin(const struct job *job, uint32_t index);

/* The process of local rank `index` is gone: it no longer counts as awake. */
void job_rank_uncount(const struct job *job, uint32_t index);

#endif
