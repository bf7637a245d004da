/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

/* Requests around a ring: each rank sends to the next one and receives from the one before. Any
 * number of ranks, one too. Null and inactive requests, errors and cancelled receives in every
 * function that waits or tests; probes; order. */

#define LONG_INTS 40000 /* more than travels at once */

static int next, before;

static void
return_errors(int yes)
{
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, yes ? MPI_ERRORS_RETURN : MPI_ERRORS_ARE_FATAL);
}

static int
is_empty(const MPI_Status *status)
{
    int count = -1, cancelled = 1;

    MPI_Get_count(status, MPI_INT, &count);
    MPI_Test_cancelled(status, &cancelled);
    return status->MPI_SOURCE == MPI_ANY_SOURCE && status->MPI_TAG == MPI_ANY_TAG && count == 0 &&
           !cancelled;
}

static int *
ints_new(int count, int first)
{
    int *ints = malloc(sizeof(int) * (size_t)(count + 1));

    CHECK(ints != NULL);
    for (int i = 0; i < count; i++)
        ints[i] = first + i;
    ints[count] = -7;
    return ints;
}

/* --- every nonblocking mode --- */

static void
send_begin(int mode, const int *data, int count, int tag, MPI_Request *request)
{
    switch (mode) {
    case 0: MPI_Isend(data, count, MPI_INT, next, tag, MPI_COMM_WORLD, request); break;
    case 1: MPI_Issend(data, count, MPI_INT, next, tag, MPI_COMM_WORLD, request); break;
    case 2: MPI_Irsend(data, count, MPI_INT, next, tag, MPI_COMM_WORLD, request); break;
    default: MPI_Ibsend(data, count, MPI_INT, next, tag, MPI_COMM_WORLD, request);
    }
}

static void
test_modes(void)
{
    static const int counts[] = {0, 1, 300, 3000, LONG_INTS};
    int bytes = LONG_INTS * 4 + MPI_BSEND_OVERHEAD, got;
    void *buffer = malloc((size_t)bytes), *detached;

    MPI_Buffer_attach(buffer, bytes);
    for (int c = 0; c < 5; c++) {
        for (int mode = 0; mode < 4; mode++) {
            int tag = 10 * c + mode, count = counts[c], wild = (c + mode) % 2;
            int *out = ints_new(count, rank * 100000 + mode), *in = ints_new(count, 0);
            MPI_Request requests[2];
            MPI_Status statuses[2];

            MPI_Irecv(in, count, MPI_INT, wild ? MPI_ANY_SOURCE : before, wild ? MPI_ANY_TAG : tag,
                      MPI_COMM_WORLD, &requests[0]);
            MPI_Barrier(MPI_COMM_WORLD); /* a ready send needs the receive to be there */
            send_begin(mode, out, count, tag, &requests[1]);
            MPI_Waitall(2, requests, statuses);
            MPI_Get_count(&statuses[0], MPI_INT, &got);
            CHECK(got == count && statuses[0].MPI_SOURCE == before && statuses[0].MPI_TAG == tag);
            CHECK(requests[0] == MPI_REQUEST_NULL && requests[1] == MPI_REQUEST_NULL);
            for (int i = 0; i < count; i++)
                CHECK(in[i] == before * 100000 + mode + i);
            CHECK(in[count] == -7);
            MPI_Barrier(MPI_COMM_WORLD);
            free(out);
            free(in);
        }
    }
    MPI_Buffer_detach(&detached, &got);
    CHECK(detached == buffer && got == bytes);
    free(buffer);
}

/* --- null and inactive requests --- */

/* Nothing but null and inactive requests: done at once, with nothing to tell. */
static void
check_none_active(int count, MPI_Request *requests)
{
    MPI_Status statuses[8];
    int index = 5, flag = 0, some = 5, indices[8];

    MPI_Waitany(count, requests, &index, statuses);
    CHECK(index == MPI_UNDEFINED && is_empty(statuses));
    index = 5;
    MPI_Testany(count, requests, &index, &flag, statuses);
    CHECK(flag && index == MPI_UNDEFINED && is_empty(statuses));
    MPI_Waitsome(count, requests, &some, indices, statuses);
    CHECK(some == MPI_UNDEFINED);
    some = 5;
    MPI_Testsome(count, requests, &some, indices, statuses);
    CHECK(some == MPI_UNDEFINED);
    flag = 0;
    MPI_Testall(count, requests, &flag, statuses);
    CHECK(flag);
    for (int i = 0; i < count; i++)
        CHECK(is_empty(&statuses[i]));
    memset(statuses, 1, sizeof(statuses));
    MPI_Waitall(count, requests, statuses);
    for (int i = 0; i < count; i++)
        CHECK(is_empty(&statuses[i]) && statuses[i].MPI_ERROR == MPI_SUCCESS);
    for (int i = 0; i < count; i++) {
        flag = 0;
        MPI_Test(&requests[i], &flag, statuses);
        CHECK(flag && is_empty(statuses));
        MPI_Request_get_status(requests[i], &flag, statuses);
        CHECK(flag && is_empty(statuses));
        memset(statuses, 1, sizeof(statuses));
        MPI_Wait(&requests[i], statuses);
        CHECK(is_empty(statuses));
    }
    MPI_Waitall(count, requests, MPI_STATUSES_IGNORE);
}

static void
test_inactive(void)
{
    int in[2] = {-1, -1}, out[2], index, flag, some, indices[8], got;
    MPI_Request requests[6] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL,
                               MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL}, mine;
    MPI_Status status, statuses[6];

    check_none_active(0, NULL);
    check_none_active(6, requests);
    MPI_Recv_init(&in[0], 1, MPI_INT, before, 1, MPI_COMM_WORLD, &requests[1]);
    MPI_Recv_init(&in[1], 1, MPI_INT, MPI_ANY_SOURCE, 2, MPI_COMM_WORLD, &requests[3]);
    MPI_Send_init(&out[0], 1, MPI_INT, next, 1, MPI_COMM_WORLD, &requests[4]);
    check_none_active(6, requests);
    for (int round = 0; round < 6; round++) {
        MPI_Barrier(MPI_COMM_WORLD);
        in[0] = in[1] = -1;
        out[0] = rank + 10 * round;
        out[1] = -rank - 10 * round;
        MPI_Start(&requests[3]);
        MPI_Isend(&out[1], 1, MPI_INT, next, 2, MPI_COMM_WORLD, &mine);
        /* only [3] can be done: the others are null or inactive */
        switch (round) {
        case 0:
            MPI_Waitany(6, requests, &index, &status);
            CHECK(index == 3 && status.MPI_SOURCE == before && status.MPI_TAG == 2);
            break;
        case 1:
            do
                MPI_Testany(6, requests, &index, &flag, &status);
            while (!flag);
            CHECK(index == 3 && status.MPI_SOURCE == before);
            break;
        case 2:
            MPI_Waitsome(6, requests, &some, indices, statuses);
            CHECK(some == 1 && indices[0] == 3 && statuses[0].MPI_TAG == 2);
            break;
        case 3:
            do
                MPI_Testsome(6, requests, &some, indices, statuses);
            while (some == 0);
            CHECK(some == 1 && indices[0] == 3 && statuses[0].MPI_SOURCE == before);
            break;
        case 4:
            MPI_Waitall(6, requests, statuses);
            CHECK(statuses[3].MPI_TAG == 2 && is_empty(&statuses[0]) && is_empty(&statuses[1]));
            break;
        default:
            do
                MPI_Testall(6, requests, &flag, statuses);
            while (!flag);
            CHECK(statuses[3].MPI_SOURCE == before && is_empty(&statuses[4]));
        }
        CHECK(in[1] == -before - 10 * round && in[0] == -1 && requests[3] != MPI_REQUEST_NULL);
        MPI_Wait(&mine, &status);
        check_none_active(6, requests);
        /* the other two, and the third again */
        MPI_Isend(&out[0], 1, MPI_INT, next, 2, MPI_COMM_WORLD, &requests[0]);
        MPI_Start(&requests[3]);
        MPI_Startall(1, &requests[1]);
        MPI_Startall(1, &requests[4]);
        MPI_Waitall(6, requests, statuses);
        MPI_Get_count(&statuses[1], MPI_INT, &got);
        CHECK(got == 1 && statuses[1].MPI_TAG == 1 && statuses[3].MPI_TAG == 2);
        CHECK(in[0] == before + 10 * round && in[1] == in[0] && requests[0] == MPI_REQUEST_NULL);
    }
    MPI_Request_free(&requests[1]);
    MPI_Request_free(&requests[3]);
    MPI_Request_free(&requests[4]);
    check_none_active(6, requests);
}

/* --- truncation, whichever function tells of it --- */

/* Three receives, of which the middle one is too short, and their sends. */
static void
truncation_begin(int count, int *in, const int *out, MPI_Request *requests, MPI_Request *sends)
{
    for (int i = 0; i < 3; i++)
        MPI_Irecv(in + i * count, i == 1 ? count - 1 : count, MPI_INT, before, 20 + i,
                  MPI_COMM_WORLD, &requests[i]);
    for (int i = 0; i < 3; i++)
        MPI_Isend(out, count, MPI_INT, next, 20 + i, MPI_COMM_WORLD, &sends[i]);
}

static int
all_arrived(MPI_Request *requests)
{
    int flag, all = 1;

    for (int i = 0; i < 3; i++) {
        MPI_Request_get_status(requests[i], &flag, MPI_STATUS_IGNORE);
        all &= flag;
    }
    return all;
}

static void
check_truncated(const MPI_Status *statuses, const int *indices, const int *in, int count)
{
    for (int i = 0; i < 3; i++) {
        int which = indices ? indices[i] : i, got;
        MPI_Get_count(&statuses[i], MPI_INT, &got);
        CHECK(statuses[i].MPI_ERROR == (which == 1 ? MPI_ERR_TRUNCATE : MPI_SUCCESS));
        CHECK(statuses[i].MPI_TAG == 20 + which && statuses[i].MPI_SOURCE == before);
        CHECK(which == 1 || got == count);
    }
    CHECK(in[count - 1] == before + count - 1 && in[2 * count - 1] == -9);
    CHECK(in[2 * count] == before);
}

static void
test_truncation(int count)
{
    int *in = ints_new(3 * count, 0), *out = ints_new(count, rank), flag, some, indices[3], index;
    MPI_Request requests[3], sends[3];
    MPI_Status statuses[3], status;

    return_errors(1);
    for (int way = 0; way < 4; way++) {
        for (int i = 0; i < 3 * count; i++)
            in[i] = -9;
        truncation_begin(count, in, out, requests, sends);
        if (way == 0) {
            FAILS(MPI_ERR_IN_STATUS, MPI_Waitall(3, requests, statuses));
            check_truncated(statuses, NULL, in, count);
        } else if (way == 1) {
            while (!all_arrived(requests))
                ;
            FAILS(MPI_ERR_IN_STATUS, MPI_Testall(3, requests, &flag, statuses));
            check_truncated(statuses, NULL, in, count);
        } else if (way == 2) {
            while (!all_arrived(requests))
                ;
            FAILS(MPI_ERR_IN_STATUS, MPI_Waitsome(3, requests, &some, indices, statuses));
            CHECK(some == 3);
            check_truncated(statuses, indices, in, count);
        } else {
            while (!all_arrived(requests))
                ;
            FAILS(MPI_ERR_IN_STATUS, MPI_Testsome(3, requests, &some, indices, statuses));
            CHECK(some == 3);
            check_truncated(statuses, indices, in, count);
        }
        for (int i = 0; i < 3; i++)
            CHECK(requests[i] == MPI_REQUEST_NULL);
        MPI_Waitall(3, sends, MPI_STATUSES_IGNORE);
    }
    for (int way = 0; way < 4; way++) {
        truncation_begin(count, in, out, requests, sends);
        MPI_Wait(&requests[0], &status);
        MPI_Wait(&requests[2], &status);
        flag = 0;
        if (way == 0)
            FAILS(MPI_ERR_TRUNCATE, MPI_Wait(&requests[1], &status));
        else if (way == 1)
            FAILS(MPI_ERR_TRUNCATE, MPI_Waitany(3, requests, &index, &status));
        else if (way == 2)
            while (!flag) {
                int error = MPI_Test(&requests[1], &flag, &status);
                CHECK(error == (flag ? MPI_ERR_TRUNCATE : MPI_SUCCESS));
            }
        else
            while (!flag) {
                int error = MPI_Testany(3, requests, &index, &flag, &status);
                CHECK(error == (flag ? MPI_ERR_TRUNCATE : MPI_SUCCESS));
            }
        CHECK(requests[1] == MPI_REQUEST_NULL && status.MPI_TAG == 21);
        MPI_Waitall(3, sends, MPI_STATUSES_IGNORE);
    }
    return_errors(0);
    free(in);
    free(out);
}

/* A persistent receive can be started again after it; MPI_Sendrecv tells of it. */
static void
test_truncation_again(int count)
{
    int *in = ints_new(count, 0), *out = ints_new(count, rank);
    MPI_Request again, send;
    MPI_Status status;

    return_errors(1);
    MPI_Recv_init(in, count - 1, MPI_INT, before, 3, MPI_COMM_WORLD, &again);
    for (int round = 0; round < 2; round++) {
        MPI_Start(&again);
        MPI_Isend(out, round == 0 ? count : count - 1, MPI_INT, next, 3, MPI_COMM_WORLD, &send);
        int error = MPI_Waitall(1, &again, &status);
        CHECK(error == (round == 0 ? MPI_ERR_IN_STATUS : MPI_SUCCESS) && again != MPI_REQUEST_NULL);
        MPI_Wait(&send, MPI_STATUS_IGNORE);
    }
    MPI_Request_free(&again);
    FAILS(MPI_ERR_TRUNCATE, MPI_Sendrecv(out, count, MPI_INT, next, 4, in, count - 1, MPI_INT,
                                         before, 4, MPI_COMM_WORLD, &status));
    return_errors(0);
    free(in);
    free(out);
}

/* --- cancelled receives --- */

static void
test_cancel(void)
{
    int in[3] = {-1, -1, -1}, out = rank, flag, cancelled[3];
    MPI_Request requests[3], mine;
    MPI_Status statuses[3];

    MPI_Irecv(&in[0], 1, MPI_INT, before, 30, MPI_COMM_WORLD, &requests[0]);
    MPI_Irecv(&in[1], 1, MPI_INT, MPI_ANY_SOURCE, 31, MPI_COMM_WORLD, &requests[1]);
    MPI_Recv_init(&in[2], 1, MPI_INT, before, 32, MPI_COMM_WORLD, &requests[2]);
    MPI_Start(&requests[2]);
    MPI_Cancel(&requests[1]);
    MPI_Cancel(&requests[2]);
    MPI_Barrier(MPI_COMM_WORLD); /* nothing of this may reach a cancelled one */
    MPI_Isend(&out, 1, MPI_INT, next, 31, MPI_COMM_WORLD, &mine);
    MPI_Wait(&mine, MPI_STATUS_IGNORE);
    MPI_Isend(&out, 1, MPI_INT, next, 30, MPI_COMM_WORLD, &mine);
    MPI_Waitall(3, requests, statuses);
    for (int i = 0; i < 3; i++)
        MPI_Test_cancelled(&statuses[i], &cancelled[i]);
    CHECK(!cancelled[0] && cancelled[1] && cancelled[2]);
    CHECK(in[0] == before && in[1] == -1 && in[2] == -1 && requests[2] != MPI_REQUEST_NULL);
    MPI_Wait(&mine, MPI_STATUS_IGNORE);
    MPI_Recv(&in[1], 1, MPI_INT, before, 31, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    CHECK(in[1] == before);

    /* The persistent one runs again; when it is matched, cancelling does nothing. */
    MPI_Start(&requests[2]);
    MPI_Isend(&out, 1, MPI_INT, next, 32, MPI_COMM_WORLD, &mine);
    do
        MPI_Request_get_status(requests[2], &flag, &statuses[0]);
    while (!flag);
    MPI_Cancel(&requests[2]);
    MPI_Wait(&requests[2], &statuses[0]);
    MPI_Test_cancelled(&statuses[0], &flag);
    CHECK(!flag && in[2] == before);
    MPI_Wait(&mine, MPI_STATUS_IGNORE);
    MPI_Start(&requests[2]);
    MPI_Cancel(&requests[2]);
    MPI_Request_free(&requests[2]);
    CHECK(requests[2] == MPI_REQUEST_NULL);
}

/* --- probes --- */

static void
test_probes(int count)
{
    int *out = ints_new(count, rank), *in = ints_new(count, 0), got, flag;
    MPI_Request sends[4], recvs[2];
    MPI_Message messages[3];
    MPI_Status status;
    MPI_Datatype pairs;

    for (int i = 0; i < 4; i++)
        MPI_Isend(out, count - i, MPI_INT, next, 40 + i / 2, MPI_COMM_WORLD, &sends[i]);
    MPI_Probe(before, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
    MPI_Get_count(&status, MPI_INT, &got);
    CHECK(got == count && status.MPI_TAG == 40 && status.MPI_SOURCE == before);
    do
        MPI_Iprobe(MPI_ANY_SOURCE, 41, MPI_COMM_WORLD, &flag, &status);
    while (!flag);
    MPI_Get_count(&status, MPI_INT, &got);
    CHECK(got == count - 2 && status.MPI_TAG == 41 && status.MPI_SOURCE == before);
    MPI_Mprobe(MPI_ANY_SOURCE, 40, MPI_COMM_WORLD, &messages[0], &status);
    MPI_Get_count(&status, MPI_INT, &got);
    CHECK(got == count);
    do
        MPI_Improbe(before, MPI_ANY_TAG, MPI_COMM_WORLD, &flag, &messages[1], &status);
    while (!flag);
    MPI_Get_count(&status, MPI_INT, &got);
    CHECK(got == count - 1 && status.MPI_TAG == 40);
    MPI_Mprobe(before, 41, MPI_COMM_WORLD, &messages[2], &status);
    /* The last sent comes first: the others are taken already. */
    MPI_Recv(in, count, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
    MPI_Get_count(&status, MPI_INT, &got);
    CHECK(got == count - 3 && in[got - 1] == before + got - 1);

    MPI_Type_vector(count / 2, 1, 2, MPI_INT, &pairs);
    MPI_Type_commit(&pairs);
    memset(in, 0, sizeof(int) * (size_t)count);
    return_errors(1);
    /* Every other int, and too few of them. */
    FAILS(MPI_ERR_TRUNCATE, MPI_Mrecv(in, 1, pairs, &messages[2], &status));
    return_errors(0);
    CHECK(messages[2] == MPI_MESSAGE_NULL && in[1] == 0 && in[2] == before + 1);
    MPI_Imrecv(in, count, MPI_INT, &messages[1], &recvs[0]);
    int *more = ints_new(count, 0);
    MPI_Imrecv(more, count, MPI_INT, &messages[0], &recvs[1]);
    MPI_Type_free(&pairs);
    MPI_Waitall(2, recvs, MPI_STATUSES_IGNORE);
    CHECK(in[count - 2] == before + count - 2 && more[count - 1] == before + count - 1);
    MPI_Waitall(4, sends, MPI_STATUSES_IGNORE);
    free(more);
    free(in);
    free(out);
}

/* --- order: many senders, one receive after the other --- */

static int
size_of(int number)
{
    static const int sizes[] = {1, 2, 100, 1, 1500, 5000, 3, 20000};

    return sizes[(number * 5 + number / 8) % 8];
}

static void
test_order(void)
{
    enum { COUNT = 24 };
    int *seen = calloc((size_t)size, sizeof(int)), *in = ints_new(20000, 0), got;
    int **out = malloc(sizeof(*out) * (size_t)(COUNT * size));
    MPI_Request *sends = malloc(sizeof(*sends) * (size_t)(COUNT * size));
    MPI_Status status;

    MPI_Barrier(MPI_COMM_WORLD); /* from here on anyone may send */
    for (int i = 0; i < COUNT * size; i++) {
        int dest = (rank + i) % size, number = i / size;
        out[i] = ints_new(size_of(number), number);
        MPI_Isend(out[i], size_of(number), MPI_INT, dest, 50 + number % 3, MPI_COMM_WORLD,
                  &sends[i]);
    }
    for (int i = 0; i < COUNT * size; i++) {
        if (i % 4 == 3) { /* the oldest of one source, by a probe */
            MPI_Probe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
            MPI_Recv(in, 20000, MPI_INT, status.MPI_SOURCE, status.MPI_TAG, MPI_COMM_WORLD,
                     &status);
        } else {
            MPI_Recv(in, 20000, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        }
        MPI_Get_count(&status, MPI_INT, &got);
        int number = seen[status.MPI_SOURCE]++;
        CHECK(got == size_of(number) && status.MPI_TAG == 50 + number % 3);
        CHECK(in[0] == number && in[got - 1] == number + got - 1);
    }
    MPI_Waitall(COUNT * size, sends, MPI_STATUSES_IGNORE);
    for (int i = 0; i < COUNT * size; i++)
        free(out[i]);
    free(out);
    free(sends);
    free(in);
    free(seen);
}

/* --- receives from anyone beside receives from one: the oldest that matches wins --- */

static void
test_wildcards(void)
{
    int in[4] = {-1, -1, -1, -1}, out[4];
    MPI_Request recvs[4], sends[4];
    MPI_Status statuses[4];

    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Irecv(&in[0], 1, MPI_INT, before, MPI_ANY_TAG, MPI_COMM_WORLD, &recvs[0]);
    MPI_Irecv(&in[1], 1, MPI_INT, MPI_ANY_SOURCE, 61, MPI_COMM_WORLD, &recvs[1]);
    MPI_Irecv(&in[2], 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &recvs[2]);
    MPI_Irecv(&in[3], 1, MPI_INT, before, 61, MPI_COMM_WORLD, &recvs[3]);
    for (int i = 0; i < 4; i++) {
        out[i] = i;
        MPI_Isend(&out[i], 1, MPI_INT, next, i == 1 ? 62 : 61, MPI_COMM_WORLD, &sends[i]);
    }
    MPI_Waitall(4, recvs, statuses);
    CHECK(in[0] == 0 && in[2] == 1 && in[1] == 2 && in[3] == 3);
    CHECK(statuses[2].MPI_TAG == 62 && statuses[1].MPI_SOURCE == before);
    MPI_Waitall(4, sends, MPI_STATUSES_IGNORE);
}

/* --- requests given up while they are under way --- */

static void
test_free(void)
{
    int *out = ints_new(LONG_INTS, rank), *in = ints_new(LONG_INTS, 0), token = 0;
    MPI_Request request, given_up;

    MPI_Irecv(in, LONG_INTS, MPI_INT, before, 70, MPI_COMM_WORLD, &request);
    MPI_Send_init(out, LONG_INTS, MPI_INT, next, 70, MPI_COMM_WORLD, &given_up);
    MPI_Start(&given_up);
    MPI_Request_free(&given_up);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    CHECK(in[LONG_INTS - 1] == before + LONG_INTS - 1);
    MPI_Irecv(&token, 1, MPI_INT, before, 71, MPI_COMM_WORLD, &given_up);
    MPI_Request_free(&given_up);
    CHECK(given_up == MPI_REQUEST_NULL);
    MPI_Isend(out, 1, MPI_INT, next, 71, MPI_COMM_WORLD, &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    MPI_Sendrecv(out, 1, MPI_INT, next, 72, in, 1, MPI_INT, before, 72, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
    CHECK(*(volatile int *)&token == before); /* it came before what was sent later */
    MPI_Barrier(MPI_COMM_WORLD);
    free(out);
    free(in);
}

/* --- ends of a chain; strided data replaced in place --- */

static void
test_sendrecv(void)
{
    int up = rank == size - 1 ? MPI_PROC_NULL : rank + 1, value = rank, got = -5, count;
    int down = rank == 0 ? MPI_PROC_NULL : rank - 1;
    enum { ROWS = 3000 };
    int(*table)[3] = malloc(sizeof(*table) * ROWS);
    MPI_Datatype column;
    MPI_Status status;

    MPI_Sendrecv(&value, 1, MPI_INT, up, 80, &got, 1, MPI_INT, down, 80, MPI_COMM_WORLD, &status);
    CHECK(got == (rank == 0 ? -5 : rank - 1) && status.MPI_SOURCE == down);
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(count == (rank == 0 ? 0 : 1));
    MPI_Sendrecv_replace(&value, 1, MPI_INT, up, 81, down, 81, MPI_COMM_WORLD, &status);
    CHECK(value == (rank == 0 ? 0 : rank - 1));
    MPI_Type_vector(ROWS, 1, 3, MPI_INT, &column);
    MPI_Type_commit(&column);
    for (int i = 0; i < ROWS; i++)
        table[i][0] = table[i][1] = table[i][2] = 1000 * rank + i;
    MPI_Sendrecv_replace(&table[0][1], 1, column, next, 82, before, 82, MPI_COMM_WORLD, &status);
    for (int i = 0; i < ROWS; i++) {
        CHECK(table[i][0] == 1000 * rank + i && table[i][2] == 1000 * rank + i);
        CHECK(table[i][1] == 1000 * before + i);
    }
    /* The same from a persistent request that outlives the handle of its datatype. */
    MPI_Request requests[2];
    MPI_Recv_init(&table[0][0], 1, column, before, 83, MPI_COMM_WORLD, &requests[0]);
    MPI_Rsend_init(&table[0][2], 1, column, next, 83, MPI_COMM_WORLD, &requests[1]);
    MPI_Type_free(&column);
    for (int round = 0; round < 3; round++) {
        MPI_Start(&requests[0]);
        MPI_Barrier(MPI_COMM_WORLD); /* a ready send needs the receive to be there */
        MPI_Start(&requests[1]);
        MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
        for (int i = 0; i < ROWS; i++) {
            CHECK(table[i][0] == 1000 * before + i + round);
            table[i][2]++;
        }
    }
    MPI_Request_free(&requests[0]);
    MPI_Request_free(&requests[1]);
    /* What such requests leave behind must not cling to the next ones, of any kind. */
    for (int i = 0; i < 3; i++) {
        MPI_Ibarrier(MPI_COMM_WORLD, &requests[0]);
        MPI_Iallreduce(&rank, &got, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD, &requests[1]);
        MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
        CHECK(got == size - 1);
    }
    free(table);
}

int
main(int argc, char **argv)
{
    begin(&argc, &argv);
    next = (rank + 1) % size;
    before = (rank + size - 1) % size;
    test_modes();
    test_inactive();
    test_truncation(10), test_truncation_again(10);
    test_truncation(3000), test_truncation_again(3000);
    test_truncation(LONG_INTS), test_truncation_again(LONG_INTS);
    test_cancel();
    test_probes(10);
    test_probes(3000);
    test_probes(LONG_INTS);
    test_order();
    test_wildcards();
    test_free();
    test_sendrecv();
    return end();
}
