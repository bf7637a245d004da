/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_WIRE_VAR_H
#define CPI_WIRE_VAR_H

/*
 * Calls on global variables, and bodies in parts.
 *
 * A body longer than one frame travels in parts: frames of one kind with the same handle, `length`
 * the whole body's bytes, `context` the part's offset, in order. A rank has one call under way at a
 * time.
 *
 * VAR_CALL: handle = home << 32 | call number, tag = enum cpi_var_op, body = struct cpi_var_call,
 * the name, the value, the second value. The home (the peer whose agent keeps the variable) follows
 * from the name. VAR_REPLY: handle as in the call, tag = error code, body = struct cpi_var_reply
 * and the value.
 *
 * EVENT: handle = sequence, tag = 1 for text, body = 1 byte topic length, topic, data. EVENT_ACK:
 * handle = highest sequence taken, tag 0; or tag 1: one agent knows subscription `handle`.
 * SUBSCRIBE: handle = number of the subscription, body = topic (empty: all).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"

#define CPI_BODY_BYTES_MAX    (4u << 20)
#define CPI_SUBSCRIPTIONS_MAX 256u        /* of one rank */

enum cpi_var_op {
    CPI_VAR_OPEN = 1,      /* value: initial or none; size_bytes */
    CPI_VAR_READ,
    CPI_VAR_WRITE,         /* value */
    CPI_VAR_COMMIT,        /* value, if the version still is `version`; reply.done tells */
    CPI_VAR_COMPARE_SWAP,  /* value = expected, second value = desired; replies the value before */
    CPI_VAR_FETCH_ADD,     /* operand; replies the value before */
    CPI_VAR_WAIT,          /* replies when the version is above `version` */
    CPI_VAR_OP_END
};

struct cpi_var_call {
    uint64_t version;
    int64_t operand;
    uint32_t size_bytes;
    uint32_t name_bytes;
    uint32_t value_bytes;
    uint32_t second_bytes;
};

struct cpi_var_reply {
    uint64_t version;
    uint32_t value_bytes;
    uint32_t done;
};

/* A call taken apart; pointers into the body. */
struct cpi_var_request {
    struct cpi_var_call call;
    enum cpi_var_op op;
    const char *name;
    const void *value, *second;
};

/* Takes a body apart. CPMP_EPROTO unless its parts add up and fit the op. */
int cpi_var_request_parse(struct cpi_var_request *request, int32_t op, const void *body,
                          size_t bytes);

/* Puts the parts of one body together. */
struct cpi_assembly {
    char *body;            /* owned */
    size_t bytes, have;
    uint64_t handle;
};

/* Adds a part. *complete_p: the body is whole (assembly->body, bytes) until the next call.
 * CPMP_EPROTO for a part out of order or a body beyond CPI_BODY_BYTES_MAX, CPMP_ENOMEM. On error
 * the assembly is empty. */
int cpi_assembly_add(struct cpi_assembly *assembly, const struct cpi_frame *frame,
                     bool *complete_p);
void cpi_assembly_release(struct cpi_assembly *assembly);

#endif
