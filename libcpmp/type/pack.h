/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TYPE_PACK_H
#define CPI_TYPE_PACK_H

/*
 * Packing: between elements in memory and the row of their bytes as they travel.
 *
 * Random access: any range of the packed bytes, in any order, with no state in between, so that a
 * message may be cut into fragments anywhere. Costs a memcpy where the layout is contiguous, a loop
 * of fixed-size moves for blocks of 1, 2, 4, 8, 12 and 16 bytes, a memcpy a block otherwise.
 */

#include <stddef.h>

#include "type/type.h"

/* Copies packed bytes [position, position + bytes) of `count` elements at `base` to `out`. Returns
 * how many there were: less than `bytes` at the end. */
size_t cpi_type_pack(const struct cpi_type *type, const void *base, size_t count, size_t position,
                     void *out, size_t bytes);

/* The other way round: `in` holds `bytes` packed bytes that belong at `position`. */
size_t cpi_type_unpack(const struct cpi_type *type, void *base, size_t count, size_t position,
                       const void *in, size_t bytes);

/* Copies elements from one buffer to another, as a message would: the packed bytes of one become
 * those of the other, as far as both have room. The datatypes may differ. Returns the bytes
 * copied. */
size_t cpi_type_copy(const struct cpi_type *to_type, void *to, size_t to_count,
                     const struct cpi_type *from_type, const void *from, size_t from_count);

#endif
