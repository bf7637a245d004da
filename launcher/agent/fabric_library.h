/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_FABRIC_LIBRARY_H
#define CPI_AGENT_FABRIC_LIBRARY_H

/*
 * libfabric and libcrypto, loaded when a job has a second peer and not before.
 *
 * Debian's libfabric is linked with libpsm2 and libinfinipath, whose constructors calibrate a clock
 * by sleeping 100 ms each: a program linked with it starts 200 ms later, whether it uses it or not.
 * A job on one peer starts in a fraction of that. libfabric's interface is made for this: four
 * functions are looked up by name, all the rest is reached through the objects they return. Never
 * unloaded.
 *
 * Those constructors also install handlers for SIGINT, SIGTERM, SIGSEGV and others. What the agent
 * does about signals is its own affair, so all dispositions are put back.
 */

#include <openssl/evp.h>
#include <rdma/fabric.h>
#include <signal.h>
#include <stddef.h>

struct fabric_library {
    int (*getinfo)(uint32_t version, const char *node, const char *service, uint64_t flags,
                   const struct fi_info *hints, struct fi_info **info);
    void (*freeinfo)(struct fi_info *info);
    struct fi_info *(*dupinfo)(const struct fi_info *info);
    int (*fabric)(struct fi_fabric_attr *attr, struct fid_fabric **fabric, void *context);
    const char *(*strerror)(int error);
    unsigned char *(*mac)(OSSL_LIB_CTX *context, const char *name, const char *properties,
                          const char *sub_algorithm, const OSSL_PARAM *params, const void *key,
                          size_t key_bytes, const unsigned char *data, size_t bytes,
                          unsigned char *out, size_t out_bytes, size_t *out_bytes_p);
};

/* The dispositions of all signals, before and after a call that may meddle with them. */
struct fabric_signals {
    struct sigaction actions[NSIG];
};

void fabric_signals_save(struct fabric_signals *signals);
void fabric_signals_restore(const struct fabric_signals *signals);

/* The libraries, loaded by the first call; NULL when one can't be, and `why` (`why_bytes`) says
 * which, and what to install. */
const struct fabric_library *fabric_library_get(char *why, size_t why_bytes);

#endif
