/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages between real processes: order, modes, sizes around every limit, wildcards, probes. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "p2p/p2p.h"
#include "ranks.h"

static struct cpi_payload
bytes_at(void *base, size_t bytes)
{
    return (struct cpi_payload){.base = base, .bytes = bytes};
}

static void
fill(unsigned char *buf, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++)
        buf[i] = (unsigned char)(seed * 31 + i * 7 + (i >> 8));
}

static void
expect(const unsigned char *buf, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++)
        RANK_CHECK(buf[i] == (unsigned char)(seed * 31 + i * 7 + (i >> 8)));
}

/* Sizes around the inline, fragment, eager, ring and window limits. */
static const size_t sizes[] = {0,     1,     15,    16,    17,     4096,   8143,    8144,
                               8192,  16383, 16384, 16385, 65535,  65536,  65537,   262144,
                               1u << 20, (1u << 20) + 3, 5u << 20};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void
all_sizes(void *arg)
{
    (void)arg;
    unsigned char *buf = malloc(5u << 20);

    for (unsigned i = 0; i < SIZES; i++) {
        for (unsigned mode = 0; mode < 3; mode++) {
            struct cpi_status status;
            struct cpi_payload payload = bytes_at(buf, sizes[i]);
            if (cpi_engine.rank == 0) {
                fill(buf, sizes[i], i);
                RANK_CHECK(cpi_p2p_send(&payload, 1, 2, (int)i, (enum cpi_send_mode)mode) ==
                           CPMP_OK);
                RANK_CHECK(cpi_p2p_recv(&payload, 1, 2, 7, &status) == CPMP_OK);
                expect(buf, sizes[i], i + 1);
            } else {
                payload.bytes = 5u << 20;
                RANK_CHECK(cpi_p2p_recv(&payload, 0, 2, (int)i, &status) == CPMP_OK);
                RANK_CHECK(status.source == 0 && status.tag == (int)i && status.bytes == sizes[i]);
                expect(buf, sizes[i], i);
                fill(buf, sizes[i], i + 1);
                payload.bytes = sizes[i];
                RANK_CHECK(cpi_p2p_send(&payload, 0, 2, 7, CPI_SEND_STANDARD) == CPMP_OK);
            }
        }
    }
    free(buf);
}

static void
both_ways_at_once(void *arg)
{
    size_t bytes = *(size_t *)arg;
    unsigned char *out = malloc(bytes), *in = malloc(bytes * (size_t)cpi_engine.size);
    struct cpi_request *requests[2 * 32];
    int size = cpi_engine.size;

    fill(out, bytes, (unsigned)cpi_engine.rank);
    for (int i = 0; i < size; i++) {
        struct cpi_payload p = bytes_at(in + bytes * (size_t)i, bytes);
        RANK_CHECK(cpi_p2p_irecv(&p, i, 2, 5, &requests[i]) == CPMP_OK);
    }
    for (int i = 0; i < size; i++) {
        struct cpi_payload p = bytes_at(out, bytes);
        RANK_CHECK(cpi_p2p_isend(&p, i, 2, 5, CPI_SEND_STANDARD, &requests[size + i]) == CPMP_OK);
    }
    for (int i = 0; i < 2 * size; i++) {
        cpi_p2p_wait(requests[i]);
        RANK_CHECK(requests[i]->status.error == CPMP_OK);
        cpi_request_free(requests[i]);
    }
    for (int i = 0; i < size; i++)
        expect(in + bytes * (size_t)i, bytes, (unsigned)i);
    RANK_CHECK(cpi_request_count() == 0);
    free(out);
    free(in);
}

/* More than the credit unread, then received in the order sent and in reverse order of tags. */
static void
flood(void *arg)
{
    (void)arg;
    enum { COUNT = 20000 };
    int value;
    struct cpi_payload p = bytes_at(&value, sizeof(value));
    static struct cpi_request *requests[COUNT];
    static int values[COUNT];

    if (cpi_engine.rank == 0) {
        for (int i = 0; i < COUNT; i++) {
            values[i] = i;
            p.base = &values[i];
            RANK_CHECK(cpi_p2p_isend(&p, 1, 2, i % 10000, CPI_SEND_STANDARD, &requests[i]) == 0);
        }
        for (int i = 0; i < COUNT; i++) {
            cpi_p2p_wait(requests[i]);
            cpi_request_free(requests[i]);
        }
    } else {
        struct cpi_status status;
        cpi_p2p_probe(0, 2, 9999, &status);
        for (int i = 9999; i >= 5000; i--) {
            RANK_CHECK(cpi_p2p_recv(&p, 0, 2, i, &status) == CPMP_OK);
            RANK_CHECK(value == i);
        }
        int last[10000];
        memset(last, -1, sizeof(last));
        for (int i = 0; i < COUNT - 5000; i++) {
            RANK_CHECK(cpi_p2p_recv(&p, CPI_ANY_SOURCE, 2, CPI_ANY_TAG, &status) == CPMP_OK);
            RANK_CHECK(value % 10000 == status.tag && value > last[status.tag]);
            last[status.tag] = value;
        }
    }
}

static void
truncation_and_cancel(void *arg)
{
    (void)arg;
    size_t lengths[] = {100, 100000};
    unsigned char *buf = calloc(1, 100000);

    for (int i = 0; i < 2; i++) {
        struct cpi_payload p = bytes_at(buf, lengths[i]);
        if (cpi_engine.rank == 0) {
            fill(buf, lengths[i], 3);
            RANK_CHECK(cpi_p2p_send(&p, 1, 2, 1, CPI_SEND_STANDARD) == CPMP_OK);
        } else {
            struct cpi_status status;
            struct cpi_request *never;
            p.bytes = lengths[i] / 2;
            memset(buf, 0, lengths[i]);
            RANK_CHECK(cpi_p2p_irecv(&p, 0, 2, 99, &never) == CPMP_OK);
            cpi_p2p_cancel(never);
            RANK_CHECK(never->done && never->status.cancelled);
            cpi_request_free(never);
            RANK_CHECK(cpi_p2p_recv(&p, 0, 2, 1, &status) == CPMP_ETRUNC);
            expect(buf, lengths[i] / 2, 3);
            RANK_CHECK(buf[lengths[i] / 2 + 1] == 0);
        }
    }
    free(buf);
}

static void
matched_probe(void *arg)
{
    (void)arg;
    size_t lengths[] = {0, 10, 12000, 300000};

    for (unsigned i = 0; i < 4; i++) {
        unsigned char *buf = calloc(1, lengths[i] + 1);
        struct cpi_payload p = bytes_at(buf, lengths[i]);
        if (cpi_engine.rank == 0) {
            fill(buf, lengths[i], i);
            RANK_CHECK(cpi_p2p_send(&p, 1, 2, 1, CPI_SEND_STANDARD) == CPMP_OK);
        } else {
            struct cpi_message *message;
            struct cpi_request *request;
            struct cpi_status status;
            cpi_p2p_mprobe(CPI_ANY_SOURCE, 2, 1, &message, &status);
            RANK_CHECK(status.bytes == lengths[i] && status.source == 0);
            RANK_CHECK(cpi_p2p_imrecv(&p, message, &request) == CPMP_OK);
            cpi_p2p_wait(request);
            RANK_CHECK(request->status.bytes == lengths[i]);
            expect(buf, lengths[i], i);
            cpi_request_free(request);
        }
        free(buf);
    }
}

static void
ring_hops(void *arg)
{
    (void)arg;
    int next = (cpi_engine.rank + 1) % cpi_engine.size;
    int previous = (cpi_engine.rank + cpi_engine.size - 1) % cpi_engine.size;
    int value = 0;
    struct cpi_payload p = bytes_at(&value, sizeof(value));

    for (int lap = 0; lap < 200; lap++) {
        if (cpi_engine.rank != 0)
            RANK_CHECK(cpi_p2p_recv(&p, previous, 2, 0, NULL) == CPMP_OK);
        value++;
        RANK_CHECK(cpi_p2p_send(&p, next, 2, 0, CPI_SEND_STANDARD) == CPMP_OK);
        if (cpi_engine.rank == 0)
            RANK_CHECK(cpi_p2p_recv(&p, previous, 2, 0, NULL) == CPMP_OK);
    }
    if (cpi_engine.rank == 0)
        RANK_CHECK(value == 200 * cpi_engine.size);
}

/* On one core none gets its answer without the other having run meanwhile: both wait for long. */
static void
on_one_core(void *arg)
{
    cpu_set_t set;
    int core = *(int *)arg;

    CPU_ZERO(&set);
    CPU_SET(core, &set);
    RANK_CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
    ring_hops(NULL);
    RANK_CHECK(cpi_engine.segment.ranks[cpi_engine.local].core == (uint32_t)core + 1);
    ring_hops(NULL);
    RANK_CHECK(cpi_engine.host->waited[core] == 2);
}

static void
messages_of_all_sizes_and_modes_arrive(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(2, 0, all_sizes, NULL), 0);
    assert_int_equal(ranks_run(2, 1, all_sizes, NULL), 0);
}

static void
all_to_all_at_once_does_not_block(void **state)
{
    (void)state;
    size_t bytes[] = {8, 9000, 40000, 600000};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(ranks_run(2, 0, both_ways_at_once, &bytes[i]), 0);
        assert_int_equal(ranks_run(7, 2, both_ways_at_once, &bytes[i]), 0);
    }
    assert_int_equal(ranks_run(1, 2, both_ways_at_once, &bytes[3]), 0);
}

static void
unread_messages_keep_order_and_bounds(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(2, 0, flood, NULL), 0);
    assert_int_equal(ranks_run(2, 1, flood, NULL), 0);
}

static void
too_long_messages_are_cut_and_receives_cancelled(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(2, 0, truncation_and_cancel, NULL), 0);
}

static void
matched_probes_take_messages_out(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(2, 0, matched_probe, NULL), 0);
    assert_int_equal(ranks_run(2, 1, matched_probe, NULL), 0);
}

static void
sleepers_are_always_woken(void **state)
{
    (void)state;
    assert_int_equal(ranks_run(16, 2, ring_hops, NULL), 0);
    assert_int_equal(ranks_run(5, 1, ring_hops, NULL), 0);
}

static void
ranks_on_one_core_count_themselves_there(void **state)
{
    int core = cpi_core();

    (void)state;
    assert_in_range(core, 0, CPI_HOST_CORES_MAX - 1);
    assert_int_equal(ranks_run(2, 0, on_one_core, &core), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_all_sizes_and_modes_arrive),
        cmocka_unit_test(all_to_all_at_once_does_not_block),
        cmocka_unit_test(unread_messages_keep_order_and_bounds),
        cmocka_unit_test(too_long_messages_are_cut_and_receives_cancelled),
        cmocka_unit_test(matched_probes_take_messages_out),
        cmocka_unit_test(sleepers_are_always_woken),
        cmocka_unit_test(ranks_on_one_core_count_themselves_there),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
