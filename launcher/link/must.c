/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/must.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/rand.h>

void
must(int done)
{
    if (!done) {
        fputs("cpmp: OpenSSL has no memory or no random bytes; this program ends\n", stderr);
        exit(1);
    }
}

void
must_random(void *out, unsigned count)
{
    must(RAND_bytes(out, (int)count) == 1);
}
