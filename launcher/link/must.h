/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_MUST_H
#define CPI_LINK_MUST_H

/* Ends the program unless `done`: for what OpenSSL can only fail to do without memory or random
 * bytes, after which there is no going on (text/memory.h). */
void must(int done);

/* `count` random bytes. */
void must_random(void *out, unsigned count);

#endif
