/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TYPE_PAYLOAD_H
#define CPI_TYPE_PAYLOAD_H

/*
 * Elements of a datatype as the payload of a message: plain bytes where they lie in one block, else
 * with the pack engine as packer.
 */

#include <stddef.h>

#include "p2p/request.h"
#include "type/type.h"

/* `type` must live until the message is done. */
struct cpi_payload cpi_type_payload(const void *buf, size_t count, const struct cpi_type *type);

#endif
