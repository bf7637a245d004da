/* SPDX-License-Identifier: BSD-3-Clause */
#include "native_check.h"

/* Bytes with tags, and the collectives: for any number of ranks, one included. */

#define LONG_BYTES (3u << 20)

static void
fill(unsigned char *buf, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++)
        buf[i] = (unsigned char)(seed + i * 7 + (i >> 8));
}

static size_t
wrong(const unsigned char *buf, size_t bytes, unsigned seed)
{
    size_t count = 0;

    for (size_t i = 0; i < bytes; i++)
        count += buf[i] != (unsigned char)(seed + i * 7 + (i >> 8));
    return count;
}

/* Every rank to the next one, itself when alone: lengths around the limits of the protocols. */
static void
round_the_ring(void)
{
    static const size_t lengths[] = {0,    1,    63,    64,    4096,      8191,
                                     8192, 8193, 65536, 65537, LONG_BYTES};
    int next = (rank + 1) % size, before = (rank + size - 1) % size;
    unsigned char *out = malloc(LONG_BYTES), *in = malloc(LONG_BYTES);

    CHECK(out != NULL && in != NULL);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        cpmp_request *requests[2];
        cpmp_status statuses[2];
        size_t bytes = lengths[i];

        fill(out, bytes, (unsigned)rank);
        memset(in, 0xee, LONG_BYTES);
        OK(cpmp_irecv(in, LONG_BYTES, before, (int)i, &requests[0]));
        OK(cpmp_isend(out, bytes, next, (int)i, &requests[1]));
        OK(cpmp_wait_all(2, requests, statuses));
        CHECK(requests[0] == NULL && requests[1] == NULL);
        CHECK(statuses[0].source == before && statuses[0].tag == (int)i);
        CHECK(statuses[0].bytes == bytes && wrong(in, bytes, (unsigned)before) == 0);
        CHECK(bytes == LONG_BYTES || in[bytes] == 0xee);
    }
    free(out);
    free(in);
}

/* The others to rank 0, which takes them as they come, by probe, wildcard and tag. */
static void
all_to_one(void)
{
    int value = rank * 10, got, found = 0;
    cpmp_status status;

    if (rank > 0) {
        for (int i = 0; i < 3; i++, value++)
            OK(cpmp_send(&value, sizeof(value), 0, 100 + i));
    }
    for (int i = 1; rank == 0 && i < size; i++) {
        OK(cpmp_probe(CPMP_ANY_SOURCE, 101, &status));
        CHECK(status.tag == 101 && status.bytes == sizeof(int));
        int source = status.source;
        OK(cpmp_recv(&got, sizeof(got), source, 101, NULL));
        CHECK(got == source * 10 + 1);
        /* in order, whatever the tag; 101 is gone */
        OK(cpmp_recv(&got, sizeof(got), source, CPMP_ANY_TAG, &status));
        CHECK(status.tag == 100 && got == source * 10);
        OK(cpmp_iprobe(source, 100, &found, &status));
        CHECK(!found);
        while (!found)
            OK(cpmp_iprobe(source, CPMP_ANY_TAG, &found, &status));
        CHECK(status.source == source && status.tag == 102);
        /* from any source it could be that of a rank which is still to be asked for its own */
        OK(cpmp_recv(&got, sizeof(got), source, CPMP_ANY_TAG, &status));
    }
    OK(cpmp_barrier());
}

static void
cut_and_refused(void)
{
    char out[100] = "0123456789", in[4] = "";
    cpmp_request *request;
    cpmp_status status;
    int done = 0;

    OK(cpmp_isend(out, sizeof(out), rank, 7, &request));
    CHECK(cpmp_recv(in, sizeof(in), rank, 7, &status) == CPMP_ETRUNC);
    CHECK(memcmp(in, "0123", 4) == 0);
    while (!done)
        OK(cpmp_test(&request, &done, NULL));
    CHECK(request == NULL);
    OK(cpmp_wait(&request, NULL));
    CHECK(cpmp_send(out, 1, size, 0) == CPMP_ERANK);
    CHECK(cpmp_send(out, 1, -5, 0) == CPMP_ERANK);
    CHECK(cpmp_send(out, 1, 0, -1) == CPMP_ETAG);
    CHECK(cpmp_recv(in, 1, size, 0, NULL) == CPMP_ERANK);
    CHECK(cpmp_bcast(in, 1, size) == CPMP_ERANK);
    CHECK(cpmp_init() == CPMP_ESTATE);
    CHECK(strcmp(cpmp_strerror(CPMP_ERANK), "no such rank") == 0);
    CHECK(cpmp_strerror(12345) != NULL);
}

static void
collectives(void)
{
    static const size_t lengths[] = {0, 1, 1000, 100000, LONG_BYTES};
    unsigned char *buf = malloc(LONG_BYTES);

    CHECK(buf != NULL);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        int root = (int)i % size;
        fill(buf, lengths[i], rank == root ? 9u : 1u);
        OK(cpmp_bcast(buf, lengths[i], root));
        CHECK(wrong(buf, lengths[i], 9u) == 0);
    }
    free(buf);

    double in[3] = {rank + 0.1, 1e300 / (rank + 1), -rank}, out[3] = {0, 0, 0}, serial;
    OK(cpmp_reduce(in, out, 3, CPMP_DOUBLE, CPMP_SUM, CPMP_ALL));
    serial = 0.1;
    for (int i = 1; i < size; i++)
        serial += i + 0.1;
    CHECK(memcmp(&out[0], &serial, sizeof(serial)) == 0);
    int64_t most = rank;
    OK(cpmp_reduce(&most, rank == size - 1 ? &most : NULL, 1, CPMP_INT64, CPMP_MAX, size - 1));
    CHECK(most == (rank == size - 1 ? size - 1 : rank));
}

int
main(int argc, char **argv)
{
    CHECK(cpmp_rank() == CPMP_ESTATE && cpmp_barrier() == CPMP_ESTATE);
    begin();
    if (argc > 2 && strcmp(argv[1], "abort") == 0) {
        if (rank == size / 2)
            cpmp_abort((int)strtol(argv[2], NULL, 10), "no more apples");
        cpmp_recv(&size, sizeof(size), rank, 0, NULL);  /* never comes */
    }
    CHECK(rank >= 0 && rank < size && cpmp_peer() >= 0 && cpmp_peer() < cpmp_peers());
    CHECK(cpmp_capacity() > 0 && cpmp_time() <= cpmp_time());
    round_the_ring();
    all_to_one();
    cut_and_refused();
    collectives();
    int code = end();
    return cpmp_barrier() == CPMP_ESTATE ? code : 4;
}
