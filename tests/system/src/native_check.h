/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NATIVE_CHECK_H
#define NATIVE_CHECK_H

/* For programs that test cpmp.h: the first check that fails is named and ends the job. */

#include <cpmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int rank, size;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("rank %d: %s:%d: %s\n", rank, __FILE__, __LINE__, #condition);                  \
            fflush(stdout);                                                                        \
            cpmp_abort(3, "a check failed");                                                       \
        }                                                                                          \
    } while (0)

/* `call` gives this error, or CPMP_OK. */
#define GIVES(error, call)                                                                         \
    do {                                                                                           \
        int gives_code = (call);                                                                   \
        if (gives_code != (error)) {                                                               \
            printf("rank %d: %s:%d: %s gives %d (%s), not %s\n", rank, __FILE__, __LINE__, #call,  \
                   gives_code, cpmp_strerror(gives_code), #error);                                 \
            fflush(stdout);                                                                        \
            cpmp_abort(3, "a check failed");                                                       \
        }                                                                                          \
    } while (0)

#define OK(call) GIVES(CPMP_OK, call)

static void
begin(void)
{
    OK(cpmp_init());
    rank = cpmp_rank();
    size = cpmp_size();
}

static int
end(void)
{
    OK(cpmp_barrier());
    if (rank == 0)
        printf("all well\n");
    OK(cpmp_end());
    return 0;
}

/* Memory for `bytes` bytes, of which there is always one. */
static inline void *
room_new(size_t bytes)
{
    void *room = calloc(1, bytes + 1);

    CHECK(room != NULL);
    return room;
}

/* What this rank's agent, its parent, does: S, R, T, ... (proc(5)). */
static inline char
agent_state(void)
{
    char path[64], line[256];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)getppid());
    FILE *file = fopen(path, "r");
    CHECK(file != NULL && fgets(line, sizeof(line), file) != NULL);
    fclose(file);
    CHECK(strrchr(line, ')') != NULL);
    return strrchr(line, ')')[2];
}

#endif
