/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

/* Messages between two ranks in every mode; no test leaves one behind. Two ranks or more. */

#define LONG_BYTES (3 << 20)

static int peer; /* ranks 0 and 1 play, the others only take part in collectives */

static void
test_modes(void)
{
    static const int counts[] = {0, 1, 7, 1000, 50000};

    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        int count = counts[c], *data = malloc(sizeof(int) * (size_t)(count + 1));
        MPI_Status status;
        for (int mode = 0; mode < 3; mode++) {
            int tag = 10 * mode + (int)c, got = -1;
            for (int i = 0; i < count; i++)
                data[i] = rank == 0 ? tag * 1000 + i : -1;
            if (rank == 1) {
                data[count] = 4711;
                MPI_Recv(data, count + 1, MPI_INT, 0, tag, MPI_COMM_WORLD, &status);
                MPI_Get_count(&status, MPI_INT, &got);
                CHECK(got == count && status.MPI_SOURCE == 0 && status.MPI_TAG == tag);
                for (int i = 0; i < count; i++)
                    CHECK(data[i] == tag * 1000 + i);
                CHECK(data[count] == 4711);
            } else if (mode == 0) {
                MPI_Send(data, count, MPI_INT, 1, tag, MPI_COMM_WORLD);
            } else if (mode == 1) {
                MPI_Ssend(data, count, MPI_INT, 1, tag, MPI_COMM_WORLD);
            } else {
                int bytes;
                MPI_Pack_size(count, MPI_INT, MPI_COMM_WORLD, &bytes);
                bytes += MPI_BSEND_OVERHEAD;
                void *buffer = malloc((size_t)bytes), *same = NULL;
                MPI_Buffer_attach(buffer, bytes);
                MPI_Bsend(data, count, MPI_INT, 1, tag, MPI_COMM_WORLD);
                memset(data, 0, sizeof(int) * (size_t)count);
                MPI_Buffer_detach(&same, &got);
                CHECK(same == buffer && got == bytes);
                free(buffer);
            }
        }
        free(data);
    }
}

/* A ready send after the receiver has said that it waits. */
static void
test_ready(void)
{
    int value = 42, token = 0;
    MPI_Request request;

    if (rank == 1) {
        MPI_Irecv(&value, 1, MPI_INT, 0, 3, MPI_COMM_WORLD, &request);
        MPI_Send(&token, 1, MPI_INT, 0, 4, MPI_COMM_WORLD);
        value = 0;
        MPI_Wait(&request, MPI_STATUS_IGNORE);
        CHECK(value == 42 && request == MPI_REQUEST_NULL);
    } else {
        MPI_Recv(&token, 1, MPI_INT, 1, 4, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Rsend(&value, 1, MPI_INT, 1, 3, MPI_COMM_WORLD);
    }
}

/* A synchronous send is not done before its receive begins. */
static void
test_synchronous(void)
{
    int value = 5, token, flag = 1;
    MPI_Request request;

    if (rank == 0) {
        MPI_Issend(&value, 1, MPI_INT, 1, 8, MPI_COMM_WORLD, &request);
        for (int i = 0; i < 100; i++) {
            MPI_Test(&request, &flag, MPI_STATUS_IGNORE);
            CHECK(!flag);
        }
        MPI_Send(&value, 1, MPI_INT, 1, 9, MPI_COMM_WORLD);
        MPI_Wait(&request, MPI_STATUS_IGNORE);
    } else {
        MPI_Recv(&token, 1, MPI_INT, 0, 9, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Recv(&value, 1, MPI_INT, 0, 8, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
}

/* Messages that match the same receives come in order, wildcards or not, short or long. */
static void
test_order(void)
{
    enum { COUNT = 200 };
    int *data = malloc(LONG_BYTES);

    for (int i = 0; i < COUNT; i++) {
        int ints = i % 20 == 0 ? 100000 : i % 5 == 0 ? 3000 : 1;
        MPI_Status status;
        data[0] = i;
        if (rank == 0) {
            MPI_Send(data, ints, MPI_INT, 1, i % 3, MPI_COMM_WORLD);
            continue;
        }
        MPI_Recv(data, 100000, MPI_INT, i % 2 ? 0 : MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD,
                 &status);
        int got;
        MPI_Get_count(&status, MPI_INT, &got);
        CHECK(data[0] == i && got == ints && status.MPI_TAG == i % 3 && status.MPI_SOURCE == 0);
    }
    free(data);
}

/* Receives take messages by tag, whatever the order they came in. */
static void
test_tags(void)
{
    enum { COUNT = 50 };
    int values[COUNT];
    MPI_Request requests[COUNT];

    for (int i = 0; i < COUNT; i++) {
        values[i] = rank == 0 ? i : -1;
        if (rank == 0)
            MPI_Isend(&values[i], 1, MPI_INT, 1, i, MPI_COMM_WORLD, &requests[i]);
    }
    if (rank == 1)
        for (int i = COUNT - 1; i >= 0; i--)
            MPI_Irecv(&values[i], 1, MPI_INT, 0, i, MPI_COMM_WORLD, &requests[i]);
    MPI_Waitall(COUNT, requests, MPI_STATUSES_IGNORE);
    for (int i = 0; i < COUNT; i++)
        CHECK(values[i] == i && requests[i] == MPI_REQUEST_NULL);
}

static void
test_truncation(void)
{
    int data[4] = {1, 2, 3, 4}, few[3] = {0, 0, 99};
    MPI_Status status;
    MPI_Request request;

    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (rank == 0) {
        MPI_Send(data, 4, MPI_INT, 1, 1, MPI_COMM_WORLD);
        MPI_Send(data, 4, MPI_INT, 1, 1, MPI_COMM_WORLD);
        MPI_Send(data, 1, MPI_INT, 1, 1, MPI_COMM_WORLD);
    } else {
        FAILS(MPI_ERR_TRUNCATE, MPI_Recv(few, 2, MPI_INT, 0, 1, MPI_COMM_WORLD, &status));
        CHECK(few[2] == 99 && status.MPI_SOURCE == 0 && status.MPI_TAG == 1);
        MPI_Irecv(few, 2, MPI_INT, 0, 1, MPI_COMM_WORLD, &request);
        FAILS(MPI_ERR_IN_STATUS, MPI_Waitall(1, &request, &status));
        CHECK(status.MPI_ERROR == MPI_ERR_TRUNCATE && few[2] == 99);
        CHECK(MPI_Recv(few, 2, MPI_INT, 0, 1, MPI_COMM_WORLD, &status) == MPI_SUCCESS);
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
}

static void
test_nobody(void)
{
    int value = 7, count = -1, flag = 0;
    MPI_Status status;
    MPI_Request requests[2];
    MPI_Message message;

    MPI_Send(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD);
    MPI_Recv(&value, 1, MPI_INT, MPI_PROC_NULL, 5, MPI_COMM_WORLD, &status);
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(value == 7 && count == 0);
    CHECK(status.MPI_SOURCE == MPI_PROC_NULL && status.MPI_TAG == MPI_ANY_TAG);
    MPI_Isend(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, &requests[0]);
    MPI_Irecv(&value, 1, MPI_INT, MPI_PROC_NULL, 0, MPI_COMM_WORLD, &requests[1]);
    MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
    MPI_Iprobe(MPI_PROC_NULL, 0, MPI_COMM_WORLD, &flag, &status);
    CHECK(flag && status.MPI_SOURCE == MPI_PROC_NULL);
    MPI_Mprobe(MPI_PROC_NULL, 0, MPI_COMM_WORLD, &message, &status);
    CHECK(message == MPI_MESSAGE_NO_PROC);
    MPI_Mrecv(&value, 1, MPI_INT, &message, &status);
    CHECK(message == MPI_MESSAGE_NULL && status.MPI_SOURCE == MPI_PROC_NULL);
}

static void
test_probes(void)
{
    int data[10] = {0}, count, flag = 0;
    MPI_Status status;
    MPI_Message message, other;
    MPI_Request request;

    if (rank == 0) {
        for (int i = 0; i < 10; i++)
            data[i] = i;
        MPI_Send(data, 3, MPI_INT, 1, 21, MPI_COMM_WORLD);
        MPI_Send(data, 4, MPI_INT, 1, 22, MPI_COMM_WORLD);
        MPI_Send(data, 5, MPI_INT, 1, 22, MPI_COMM_WORLD);
        MPI_Send(data, 6, MPI_INT, 1, 23, MPI_COMM_WORLD);
        return;
    }
    MPI_Probe(0, 22, MPI_COMM_WORLD, &status);
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(count == 4 && status.MPI_TAG == 22);
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &flag, &status);
    CHECK(flag && status.MPI_TAG == 21);
    /* A message taken by a matched probe can't be received by anything else. */
    MPI_Mprobe(0, 22, MPI_COMM_WORLD, &message, &status);
    while (!flag || status.MPI_TAG != 22) /* the other may still be on its way */
        MPI_Iprobe(0, 22, MPI_COMM_WORLD, &flag, &status);
    do
        MPI_Improbe(0, 22, MPI_COMM_WORLD, &flag, &other, &status);
    while (!flag);
    MPI_Imrecv(data, 10, MPI_INT, &other, &request);
    MPI_Wait(&request, &status);
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(count == 5 && other == MPI_MESSAGE_NULL);
    MPI_Improbe(0, 99, MPI_COMM_WORLD, &flag, &other, &status);
    CHECK(!flag);
    MPI_Mrecv(data, 10, MPI_INT, &message, &status);
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(count == 4 && status.MPI_SOURCE == 0 && status.MPI_TAG == 22);
    MPI_Recv(data, 10, MPI_INT, 0, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
    CHECK(status.MPI_TAG == 21);
    MPI_Recv(data, 10, MPI_INT, 0, 23, MPI_COMM_WORLD, &status);
    CHECK(data[5] == 5);
}

static void
test_cancel(void)
{
    int value = 1, flag;
    MPI_Status status;
    MPI_Request request;

    if (rank == 1) {
        MPI_Irecv(&value, 1, MPI_INT, 0, 77, MPI_COMM_WORLD, &request);
        MPI_Cancel(&request);
        MPI_Wait(&request, &status);
        MPI_Test_cancelled(&status, &flag);
        CHECK(flag && request == MPI_REQUEST_NULL);
        MPI_Send(&value, 1, MPI_INT, 0, 1, MPI_COMM_WORLD);
        MPI_Recv(&value, 1, MPI_INT, 0, 77, MPI_COMM_WORLD, &status);
        CHECK(value == 88);
        MPI_Test_cancelled(&status, &flag);
        CHECK(!flag);
    } else {
        MPI_Recv(&value, 1, MPI_INT, 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        value = 88;
        MPI_Isend(&value, 1, MPI_INT, 1, 77, MPI_COMM_WORLD, &request);
        MPI_Cancel(&request); /* may succeed or not; here it does not */
        MPI_Wait(&request, &status);
        MPI_Test_cancelled(&status, &flag);
        CHECK(!flag);
    }
}

static void
test_persistent(void)
{
    enum { ROUNDS = 20 };
    int out[2], in[2], flag;
    MPI_Request requests[4];
    MPI_Status status;
    char buffer[2 * (MPI_BSEND_OVERHEAD + sizeof(int))];
    void *detached;

    MPI_Buffer_attach(buffer, sizeof(buffer));
    MPI_Recv_init(&in[0], 1, MPI_INT, peer, 1, MPI_COMM_WORLD, &requests[0]);
    MPI_Recv_init(&in[1], 1, MPI_INT, MPI_ANY_SOURCE, 2, MPI_COMM_WORLD, &requests[1]);
    MPI_Ssend_init(&out[0], 1, MPI_INT, peer, 1, MPI_COMM_WORLD, &requests[2]);
    MPI_Bsend_init(&out[1], 1, MPI_INT, peer, 2, MPI_COMM_WORLD, &requests[3]);
    for (int i = 0; i < ROUNDS; i++) {
        out[0] = 100 * rank + i;
        out[1] = -out[0];
        MPI_Startall(4, requests);
        MPI_Waitall(4, requests, MPI_STATUSES_IGNORE);
        CHECK(in[0] == 100 * peer + i && in[1] == -in[0]);
        for (int k = 0; k < 4; k++)
            CHECK(requests[k] != MPI_REQUEST_NULL);
    }
    /* Inactive ones are done, with an empty status. */
    MPI_Test(&requests[0], &flag, &status);
    CHECK(flag && status.MPI_SOURCE == MPI_ANY_SOURCE && status.MPI_TAG == MPI_ANY_TAG);
    for (int k = 0; k < 4; k++)
        MPI_Request_free(&requests[k]);
    CHECK(requests[0] == MPI_REQUEST_NULL);
    MPI_Buffer_detach(&detached, &flag);
    CHECK(detached == buffer);
}

static void
test_any_some(void)
{
    enum { COUNT = 8 };
    int values[COUNT], indices[COUNT], seen = 0, index, count, flag;
    MPI_Request requests[COUNT];
    MPI_Status statuses[COUNT], status;

    if (rank == 0) {
        for (int i = 0; i < COUNT; i++) {
            MPI_Recv(&index, 1, MPI_INT, 1, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            MPI_Send(&index, 1, MPI_INT, 1, 100 + index, MPI_COMM_WORLD);
        }
        return;
    }
    for (int i = 0; i < COUNT; i++)
        MPI_Irecv(&values[i], 1, MPI_INT, 0, 100 + i, MPI_COMM_WORLD, &requests[i]);
    MPI_Testany(COUNT, requests, &index, &flag, &status);
    CHECK(!flag && index == MPI_UNDEFINED);
    MPI_Testsome(COUNT, requests, &count, indices, statuses);
    CHECK(count == 0);
    MPI_Testall(COUNT, requests, &flag, statuses);
    CHECK(!flag);
    for (int i = COUNT - 1; i >= COUNT / 2; i--) {
        MPI_Send(&i, 1, MPI_INT, 0, 5, MPI_COMM_WORLD);
        MPI_Waitany(COUNT, requests, &index, &status);
        CHECK(index == i && values[i] == i && status.MPI_TAG == 100 + i);
        CHECK(requests[i] == MPI_REQUEST_NULL);
    }
    for (int i = 0; i < COUNT / 2; i++)
        MPI_Send(&i, 1, MPI_INT, 0, 5, MPI_COMM_WORLD);
    while (seen < COUNT / 2) {
        MPI_Waitsome(COUNT, requests, &count, indices, statuses);
        CHECK(count > 0 && count <= COUNT / 2);
        for (int i = 0; i < count; i++)
            CHECK(statuses[i].MPI_TAG == 100 + indices[i] && values[indices[i]] == indices[i]);
        seen += count;
    }
    MPI_Waitany(COUNT, requests, &index, &status);
    CHECK(index == MPI_UNDEFINED);
    MPI_Waitsome(COUNT, requests, &count, indices, statuses);
    CHECK(count == MPI_UNDEFINED);
    MPI_Testall(COUNT, requests, &flag, statuses);
    CHECK(flag && statuses[0].MPI_SOURCE == MPI_ANY_SOURCE);
}

static void
test_sendrecv(void)
{
    int count = 300000, *out = malloc(sizeof(int) * (size_t)count),
        *in = malloc(sizeof(int) * (size_t)count);
    MPI_Status status;

    for (int i = 0; i < count; i++)
        out[i] = rank * count + i;
    MPI_Sendrecv(out, count, MPI_INT, peer, rank, in, count, MPI_INT, peer, peer, MPI_COMM_WORLD,
                 &status);
    CHECK(status.MPI_SOURCE == peer && status.MPI_TAG == peer);
    for (int i = 0; i < count; i++)
        CHECK(in[i] == peer * count + i);
    MPI_Sendrecv_replace(out, count, MPI_INT, peer, 6, peer, 6, MPI_COMM_WORLD, &status);
    CHECK(memcmp(in, out, sizeof(int) * (size_t)count) == 0);
    int one = rank;
    MPI_Sendrecv_replace(&one, 1, MPI_INT, peer, 6, MPI_ANY_SOURCE, 6, MPI_COMM_WORLD, &status);
    CHECK(one == peer);
    free(out);
    free(in);
}

/* Both send long messages at once before either receives; one is freed while it is under way. */
static void
test_long(void)
{
    char *out = malloc(LONG_BYTES), *in = malloc(LONG_BYTES);
    MPI_Request request;
    MPI_Status status;
    int count, flag = 0;

    memset(out, 'a' + rank, LONG_BYTES);
    MPI_Isend(out, LONG_BYTES, MPI_CHAR, peer, 1, MPI_COMM_WORLD, &request);
    MPI_Recv(in, LONG_BYTES, MPI_CHAR, peer, 1, MPI_COMM_WORLD, &status);
    MPI_Get_count(&status, MPI_CHAR, &count);
    CHECK(count == LONG_BYTES && in[0] == 'a' + peer && in[LONG_BYTES - 1] == 'a' + peer);
    while (!flag)
        MPI_Request_get_status(request, &flag, &status);
    CHECK(request != MPI_REQUEST_NULL);
    MPI_Wait(&request, &status);
    if (rank == 0) {
        MPI_Isend(out, LONG_BYTES, MPI_CHAR, 1, 2, MPI_COMM_WORLD, &request);
        MPI_Request_free(&request);
        CHECK(request == MPI_REQUEST_NULL);
        MPI_Recv(in, 0, MPI_CHAR, 1, 3, MPI_COMM_WORLD, &status);
    } else {
        memset(in, 0, LONG_BYTES);
        MPI_Recv(in, LONG_BYTES, MPI_CHAR, 0, 2, MPI_COMM_WORLD, &status);
        CHECK(in[0] == 'a' && in[LONG_BYTES / 2] == 'a' && in[LONG_BYTES - 1] == 'a');
        MPI_Send(in, 0, MPI_CHAR, 0, 3, MPI_COMM_WORLD);
    }
    free(out);
    free(in);
}

/* The attached buffer: full is an error, room comes back, order holds. */
static void
test_buffered(void)
{
    enum { BYTES = 1000, MESSAGES = 4 };
    static char buffer[MESSAGES * (BYTES + MPI_BSEND_OVERHEAD)];
    char data[BYTES];
    void *detached;
    int value;
    MPI_Request request;

    if (rank == 0) {
        MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
        FAILS(MPI_ERR_BUFFER, MPI_Bsend(data, BYTES, MPI_BYTE, 1, 1, MPI_COMM_WORLD));
        MPI_Buffer_attach(buffer, sizeof(buffer));
        FAILS(MPI_ERR_BUFFER, MPI_Buffer_attach(buffer, sizeof(buffer)));
        FAILS(MPI_ERR_BUFFER,
              MPI_Bsend(buffer, sizeof(buffer), MPI_BYTE, 1, 1, MPI_COMM_WORLD));
        MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
        for (int i = 0; i < MESSAGES; i++) {
            memset(data, i, BYTES);
            if (i % 2 == 0) {
                MPI_Bsend(data, BYTES, MPI_BYTE, 1, 1, MPI_COMM_WORLD);
            } else {
                MPI_Ibsend(data, BYTES, MPI_BYTE, 1, 1, MPI_COMM_WORLD, &request);
                MPI_Wait(&request, MPI_STATUS_IGNORE);
            }
        }
        MPI_Buffer_detach(&detached, &value);
        CHECK(detached == buffer && value == (int)sizeof(buffer));
        return;
    }
    for (int i = 0; i < MESSAGES; i++) {
        MPI_Recv(data, BYTES, MPI_BYTE, 0, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        CHECK(data[0] == i && data[BYTES - 1] == i);
    }
}

/* The same tag in two communicators: neither sees the other's messages. */
static void
test_contexts(MPI_Comm pair)
{
    int a = 1, b = 2;
    MPI_Status status;
    MPI_Comm other;

    MPI_Comm_dup(pair, &other);
    if (rank == 0) {
        MPI_Send(&a, 1, MPI_INT, 1, 0, pair);
        MPI_Send(&b, 1, MPI_INT, 1, 0, other);
    } else {
        MPI_Recv(&b, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, other, &status);
        MPI_Recv(&a, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, pair, &status);
        CHECK(a == 1 && b == 2);
    }
    MPI_Comm_free(&other);
}

/* A column goes out strided and comes in as a row; a message outlives the handles of its datatype
 * and communicator. */
static void
test_types(MPI_Comm pair)
{
    enum { ROWS = 500, COLUMNS = 7 };
    static double matrix[ROWS][COLUMNS], column[ROWS];
    MPI_Datatype type;
    MPI_Comm comm;
    MPI_Request request;

    MPI_Comm_dup(pair, &comm);
    MPI_Type_vector(ROWS, 1, COLUMNS, MPI_DOUBLE, &type);
    MPI_Type_commit(&type);
    for (int i = 0; i < ROWS; i++)
        matrix[i][3] = i + 0.5;
    if (rank == 0)
        MPI_Isend(&matrix[0][3], 1, type, 1, 0, comm, &request);
    else
        MPI_Irecv(column, ROWS, MPI_DOUBLE, 0, 0, comm, &request);
    MPI_Type_free(&type);
    MPI_Comm_free(&comm);
    CHECK(type == MPI_DATATYPE_NULL && comm == MPI_COMM_NULL);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    for (int i = 0; rank == 1 && i < ROWS; i++)
        CHECK(column[i] == i + 0.5);
}

int
main(int argc, char **argv)
{
    MPI_Comm pair;

    begin(&argc, &argv);
    peer = 1 - rank;
    test_nobody();
    MPI_Comm_split(MPI_COMM_WORLD, rank < 2, rank, &pair);
    if (rank < 2) {
        test_modes();
        test_ready();
        test_synchronous();
        test_order();
        test_tags();
        test_truncation();
        test_probes();
        test_cancel();
        test_persistent();
        test_any_some();
        test_sendrecv();
        test_long();
        test_buffered();
        test_contexts(pair);
        test_types(pair);
    }
    MPI_Comm_free(&pair);
    return end();
}
