/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random traffic between all ranks: messages of 0 bytes to 4 MiB, most of them short, half of them
 * taken from whom they come, all of a round under way at once. What arrives must be what was sent,
 * in order. Prints "all well".
 *
 *   mpi_traffic ROUNDS
 *   mpi_traffic for-ever    rank 0 says "under way" after the first round, and there is no last one
 *   mpi_traffic then-wait   rank 0 says so, and all wait for a message that never comes
 */
#include "check.h"

#include <stdint.h>

#define EACH 4  /* messages from each rank to each other in a round; even */

struct message {
    unsigned char *bytes;
    int count;
    uint64_t seed;
};

static uint64_t
mix(uint64_t value)
{
    value += 0x9e3779b97f4a7c15ull;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
    return value ^ (value >> 31);
}

/* Half of them have up to 1 KiB, a few up to 4 MiB; some are empty. */
static int
count_of(uint64_t seed)
{
    unsigned power = seed % 2 ? seed / 2 % 11 : seed / 2 % 23;

    return seed / 64 % 16 == 0 ? 0 : (int)(mix(seed) % ((1ull << power) + 1));
}

static uint64_t
word_of(uint64_t seed, size_t at)
{
    return seed + at * 0x9e3779b97f4a7c15ull;
}

/* The message of that number; its buffer has room, but not yet its bytes. */
static struct message
message_new(uint64_t round, int source, int dest, int number)
{
    uint64_t seed =
        mix(round << 32 ^ (uint64_t)source << 20 ^ (uint64_t)dest << 8 ^ (uint64_t)number);
    struct message message = {.count = count_of(seed), .seed = seed};

    message.bytes = malloc((size_t)message.count + 1);
    CHECK(message.bytes != NULL);
    return message;
}

static void
message_fill(struct message *message)
{
    for (size_t at = 0; at < (size_t)message->count; at += sizeof(uint64_t)) {
        uint64_t word = word_of(message->seed, at);
        size_t left = (size_t)message->count - at;
        memcpy(message->bytes + at, &word, left < sizeof(word) ? left : sizeof(word));
    }
}

static void
message_check(struct message *message)
{
    for (size_t at = 0; at < (size_t)message->count; at += sizeof(uint64_t)) {
        uint64_t word = word_of(message->seed, at);
        size_t left = (size_t)message->count - at;
        CHECK(memcmp(message->bytes + at, &word, left < sizeof(word) ? left : sizeof(word)) == 0);
    }
    free(message->bytes);
}

/* Even numbers go by name and odd ones to whoever takes them; rounds don't mix. */
static int
tag_of(uint64_t round, int number)
{
    return (int)(round % 1000) * 2 + number % 2;
}

static void
take_from_anybody(uint64_t round)
{
    int *taken = calloc((size_t)size, sizeof(taken[0]));

    CHECK(taken != NULL);
    for (int i = 0; i < (size - 1) * EACH / 2; i++) {
        MPI_Message handle;
        MPI_Status status;
        int count;
        MPI_Mprobe(MPI_ANY_SOURCE, tag_of(round, 1), MPI_COMM_WORLD, &handle, &status);
        int source = status.MPI_SOURCE;
        struct message message = message_new(round, source, rank, 2 * taken[source]++ + 1);
        MPI_Get_count(&status, MPI_BYTE, &count);
        CHECK(count == message.count);
        MPI_Mrecv(message.bytes, message.count, MPI_BYTE, &handle, &status);
        message_check(&message);
    }
    free(taken);
}

static void
exchange(uint64_t round, struct message *in, struct message *out, MPI_Request *requests)
{
    int ins = 0, outs = 0, all = 0;

    for (int number = 0; number < EACH; number += 2)
        for (int other = 0; other < size; other++) {
            if (other == rank)
                continue;
            struct message *message = &in[ins++];
            *message = message_new(round, other, rank, number);
            MPI_Irecv(message->bytes, message->count, MPI_BYTE, other, tag_of(round, number),
                      MPI_COMM_WORLD, &requests[all++]);
        }
    for (int number = 0; number < EACH; number++)
        for (int step = 1; step < size; step++) {
            int other = (rank + step) % size;
            struct message *message = &out[outs++];
            *message = message_new(round, rank, other, number);
            message_fill(message);
            MPI_Isend(message->bytes, message->count, MPI_BYTE, other, tag_of(round, number),
                      MPI_COMM_WORLD, &requests[all++]);
        }
    take_from_anybody(round);
    MPI_Waitall(all, requests, MPI_STATUSES_IGNORE);
    while (ins > 0)
        message_check(&in[--ins]);
    while (outs > 0)
        message_check(&out[--outs]);
}

int
main(int argc, char **argv)
{
    begin(&argc, &argv);
    CHECK(argc == 2);
    int for_ever = strcmp(argv[1], "for-ever") == 0;
    int then_wait = strcmp(argv[1], "then-wait") == 0;
    uint64_t rounds = for_ever ? UINT64_MAX : then_wait ? 1 : strtoull(argv[1], NULL, 10);
    size_t each = (size_t)size * EACH;
    struct message *in = calloc(each, sizeof(*in)), *out = calloc(each, sizeof(*out));
    MPI_Request *requests = calloc(2 * each, sizeof(MPI_Request));

    CHECK(in != NULL && out != NULL && requests != NULL);
    for (uint64_t round = 0; round < rounds; round++) {
        exchange(round, in, out, requests);
        if ((for_ever || then_wait) && round == 0 && rank == 0) {
            printf("under way\n");
            fflush(stdout);
        }
    }
    if (then_wait)
        MPI_Recv(NULL, 0, MPI_BYTE, (rank + 1) % size, 4711, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    free(requests);
    free(out);
    free(in);
    return end();
}
