/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_COMPUTER_SELLER_H
#define CPI_PROTO_COMPUTER_SELLER_H

/*
 * What a peer says of itself to those who look for capacity. Plain memory: copied by assignment.
 * Texts end with a 0 byte and hold printable characters only, which whoever decodes them from
 * outside has checked (peer/offer.h).
 */

#include <stdint.h>

#define SELLER_ID_BYTES         20u
#define SELLER_NAME_BYTES       64u
#define SELLER_WORD_BYTES       64u
#define SELLER_WEAKNESSES_BYTES 256u
#define SELLER_DISTANCE_UNKNOWN UINT32_MAX

struct seller {
    uint8_t id[SELLER_ID_BYTES];
    char name[SELLER_NAME_BYTES];
    char arch[SELLER_WORD_BYTES];      /* uname -m */
    char os[SELLER_WORD_BYTES];        /* uname -s */
    char kernel[SELLER_WORD_BYTES];    /* uname -r */
    char version[SELLER_WORD_BYTES];   /* of cpmp */
    uint32_t cores;
    uint32_t ranks_max;                /* cores for jobs; 0: its owner wants none at present */
    uint32_t ranks_free;               /* of these, without a rank */
    uint32_t millicores_free;
    uint64_t memory_bytes, memory_free_bytes;
    uint64_t scratch_bytes;
    char weaknesses[SELLER_WEAKNESSES_BYTES]; /* of its sandbox: names with commas between */
    uint32_t distance_us;              /* round trip from here; not the peer's own word */
};

#endif
