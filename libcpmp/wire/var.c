/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/var.h"

#include <cpmp.h>
#include <stdlib.h>
#include <string.h>

int
cpi_var_request_parse(struct cpi_var_request *request, int32_t op, const void *body, size_t bytes)
{
    struct cpi_var_call call;

    if (op < CPI_VAR_OPEN || op >= CPI_VAR_OP_END || bytes < sizeof(call))
        return CPMP_EPROTO;
    memcpy(&call, body, sizeof(call));
    if (call.name_bytes == 0 || call.name_bytes > CPMP_NAME_MAX ||
        call.size_bytes > CPMP_VAR_BYTES_MAX || call.value_bytes > CPMP_VAR_BYTES_MAX ||
        call.second_bytes > CPMP_VAR_BYTES_MAX)
        return CPMP_EPROTO;
    if (bytes != sizeof(call) + call.name_bytes + call.value_bytes + call.second_bytes)
        return CPMP_EPROTO;
    if (op == CPI_VAR_OPEN && call.value_bytes != 0 && call.value_bytes != call.size_bytes)
        return CPMP_EPROTO;
    request->call = call;
    request->op = (enum cpi_var_op)op;
    request->name = (const char *)body + sizeof(call);
    request->value = request->name + call.name_bytes;
    request->second = (const char *)request->value + call.value_bytes;
    return CPMP_OK;
}

void
cpi_assembly_release(struct cpi_assembly *assembly)
{
    free(assembly->body);
    *assembly = (struct cpi_assembly){0};
}

static int
assembly_begin(struct cpi_assembly *assembly, const struct cpi_frame *frame)
{
    cpi_assembly_release(assembly);
    if (frame->length > CPI_BODY_BYTES_MAX)
        return CPMP_EPROTO;
    assembly->body = malloc(frame->length + 1);
    if (assembly->body == NULL)
        return CPMP_ENOMEM;
    assembly->bytes = frame->length;
    assembly->handle = frame->handle;
    return CPMP_OK;
}

int
cpi_assembly_add(struct cpi_assembly *assembly, const struct cpi_frame *frame, bool *complete_p)
{
    size_t part = cpi_frame_payload_bytes(frame);

    if (frame->context == 0) {
        int error = assembly_begin(assembly, frame);
        if (error != CPMP_OK)
            return error;
    }
    if (assembly->body == NULL || frame->handle != assembly->handle ||
        frame->context != assembly->have || frame->length != assembly->bytes ||
        part > assembly->bytes - assembly->have || (part == 0 && assembly->bytes > 0)) {
        cpi_assembly_release(assembly);
        return CPMP_EPROTO;
    }
    memcpy(assembly->body + assembly->have, frame + 1, part);
    assembly->have += part;
    *complete_p = assembly->have == assembly->bytes;
    return CPMP_OK;
}
