/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_CAGING_H
#define CPI_AGENT_CAGING_H

/*
 * Whether the ranks of this agent are caged, and how: from a Cpmp__Sandbox to a running sandbox.
 *
 * The first one who asks decides. An embedded agent is asked by its launcher (Setup.sandbox); on a
 * shared machine the owner's daemon asks before the launcher is heard, and the launcher's wishes
 * count for nothing.
 */

#include "agent/job.h"
#include "agent/supervisor.h"
#include "sandbox/sandbox.h"
#include "text/text.h"

struct caging {
    Cpmp__Sandbox *asked;       /* NULL: not caged; owned */
    struct sandbox_bind *binds; /* owned; into `asked` */
    size_t binds_count;
    char *scratch;              /* owned */
    bool tried;                 /* to start it */
    struct text why;            /* why it could not be started; "": it could */
    struct sandbox sandbox;
};

/* Takes over `asked`, which was unpacked by protobuf-c; one that comes later is freed. NULL is
 * fine. CPMP_OK, CPMP_EPROTO for paths that aren't absolute or too many of them, CPMP_ENOMEM. */
int caging_ask(struct caging *caging, Cpmp__Sandbox *asked);

/* Begins to start the sandbox, when one was asked for; once, however often called. What fails is
 * kept for caging_await. */
void caging_start(struct caging *caging, struct supervisor *supervisor);

/* Before the first rank, after supervisor_reserve. CPMP_OK, also when none was asked for; or
 * CPMP_ESYS with caging->why for people. */
int caging_await(struct caging *caging, struct supervisor *supervisor);

const char *caging_scratch(const struct caging *caging);

/* Where the launcher's program `path` lies inside; NULL: not told, take argv[0]. The caller frees
 * it. */
char *caging_file(const struct caging *caging, const char *path);

/* After the supervisor is released. */
void caging_release(struct caging *caging);

#endif
