/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_FABRIC_HELLO_H
#define CPI_AGENT_FABRIC_HELLO_H

/*
 * The greeting of two agents (wire/fabric.h): codes that only a holder of the job's key can make.
 * Pure: no socket, no state.
 *
 * The code is HMAC-SHA256 by OpenSSL, which the daemon's TLS brings along anyway; xxHash, which is
 * here too, is no secret keeper. Without --encrypt, who can change packets on the way can still
 * take a connection over. What it does stop is everybody else.
 */

#include <stdbool.h>

#include "agent/fabric_library.h"
#include "wire/fabric.h"

/* The tags of a connection, by the direction they travel in. */
struct hello_tags {
    uint64_t to_acceptor, to_connector;
};

/* Fills all but job, from, to, flags, incarnation and attempt, which the caller has set: magic,
 * versions, role, a fresh nonce, the code. `hello` is what a welcome answers, NULL for a hello
 * itself. Errors: CPMP_ESYS. */
int hello_make(const struct fabric_library *library, const uint8_t *key,
               const struct cpi_hello *hello, struct cpi_hello *made);

/* Is the code of `got` right? Its form has been checked. `hello` as above. */
bool hello_code_right(const struct fabric_library *library, const uint8_t *key,
                      const struct cpi_hello *hello, const struct cpi_hello *got);

/* The tags that follow from a greeting. Errors: CPMP_ESYS. */
int hello_tags(const struct fabric_library *library, const uint8_t *key,
               const struct cpi_hello *hello, const struct cpi_hello *welcome,
               struct hello_tags *tags);

#endif
