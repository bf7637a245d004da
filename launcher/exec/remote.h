/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_REMOTE_H
#define CPI_EXEC_REMOTE_H

/*
 * Agents that somebody else has started for this job, on other machines as a rule: where they
 * listen, and by which key. The launcher connects to each (control/dial.h); they are no children of
 * its own, and end themselves when their stream does.
 *
 * For tests and benchmarks without daemons such a list can come from the file $CPMP_AGENTS. A line
 * of it is an agent: NAME CORES KEY ADDRESS..., with the key as 64 hexadecimal digits and each
 * address with its port; "#" begins a comment.
 */

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exec/options.h"
#include "link/tls.h"
#include "proto/computer/seller.h"
#include "text/text.h"

struct exec_remote {
    char *name;                   /* of the peer, for people */
    char **addresses;             /* [addresses_count] numeric, with port, the best one first */
    size_t addresses_count;
    char *listen;                 /* where its fabric is to listen; NULL: where we reach it */
    uint32_t millicores;
    uint32_t distance_us;         /* round trip; SELLER_DISTANCE_UNKNOWN */
    uint32_t ranks;               /* that it was enlisted for; 0: not said */
    uint64_t nonce;               /* of the reservation */
    unsigned char id[SELLER_ID_BYTES];
    unsigned char key[TLS_KEY_BYTES];
};

struct exec_remotes {
    struct exec_remote *list;     /* [count]; by peer index */
    uint32_t count;
    uint64_t job;                 /* its number; 0: none yet */
    uint64_t begun_us, formed_us; /* exec_run_now_us, of forming the computer; 0: it wasn't */
    bool held;                    /* signals are held back, `before` is the mask to go back to */
    sigset_t before;
    char *state;                  /* state directory of the daemon that formed it; NULL: none */
};

/* Adds one with `name` and room for nothing else yet. */
struct exec_remote *exec_remotes_add(struct exec_remotes *remotes, const char *name);
void exec_remote_add_address(struct exec_remote *remote, const char *address);
void exec_remotes_release(struct exec_remotes *remotes);

/* Reads a list from `path`. 0, or -1 with `error`. */
int exec_remotes_read(struct exec_remotes *remotes, const char *path, struct text *error);

/* The same from the file's content. */
int exec_remotes_parse(struct exec_remotes *remotes, const char *path, const char *content,
                       struct text *error);

#endif
