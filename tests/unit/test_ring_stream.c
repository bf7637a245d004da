/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One ring between a writer and a reader that run at the same time: every frame arrives once, whole
 * and in order, through wraps, full rings and sleep. By threads, so that the thread sanitizer sees
 * both sides, and by two processes, each with a mapping of its own, as in a job.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <cpmp.h>

#include "plat/plat.h"
#include "ring/segment.h"

#define FRAMES  20000u
#define READER  0u
#define WRITER  1u
#define LIMIT_S 60  /* a lost wake would sleep for ever */

/* Sizes of all kinds, the largest included, from the sequence number alone: the reader knows what
 * to expect. */
static size_t payload_of(uint64_t sequence, size_t ring_bytes)
{
    size_t most = cpi_ring_frame_max(ring_bytes) - sizeof(struct cpi_frame);
    uint64_t mixed = sequence * UINT64_C(0x9e3779b97f4a7c15) >> 32;

    if (mixed % 16 == 0)
        return most - mixed % 3;
    return mixed % 16 == 1 ? 0 : mixed % 300;
}

static unsigned char byte_of(uint64_t sequence, size_t at)
{
    return (unsigned char)(sequence * 31 + at);
}

/* The waiting of both sides, as p2p/ does it: say that we sleep, look again, sleep. */
static void side_sleep(const struct cpi_segment *segment, uint32_t side)
{
    cpi_futex_wait(&segment->ranks[side].doorbell.state, 1);
    atomic_store(&segment->ranks[side].doorbell.state, 0);
}

static void side_wake(const struct cpi_segment *segment, uint32_t side)
{
    cpi_futex_wake(&segment->ranks[side].doorbell.state, 1);
}

static void side_say_asleep(const struct cpi_segment *segment, uint32_t side)
{
    atomic_store(&segment->ranks[side].doorbell.state, 1);
    cpi_inbox_fence(segment);
}

static struct cpi_frame *writer_reserve(const struct cpi_segment *segment, struct cpi_ring *ring,
                                        size_t size)
{
    size_t ring_bytes = segment->header->ring_bytes;

    for (;;) {
        struct cpi_frame *frame = cpi_ring_reserve(ring, ring_bytes, size);
        if (frame != NULL)
            return frame;
        side_say_asleep(segment, WRITER);
        if (cpi_ring_want(ring, ring_bytes, size))
            side_sleep(segment, WRITER);
        else
            atomic_store(&segment->ranks[WRITER].doorbell.state, 0);
    }
}

static void writer_run(const struct cpi_segment *segment)
{
    struct cpi_ring *ring = cpi_segment_ring(segment, READER, WRITER);
    size_t ring_bytes = segment->header->ring_bytes;

    for (uint64_t sequence = 1; sequence <= FRAMES; sequence++) {
        size_t payload = payload_of(sequence, ring_bytes);
        size_t size = sizeof(struct cpi_frame) + payload;
        struct cpi_frame *frame = writer_reserve(segment, ring, size);
        unsigned char *bytes = (unsigned char *)(frame + 1);

        frame->kind = CPI_FRAME_EAGER;
        frame->sequence = sequence;
        frame->length = payload;
        for (size_t i = 0; i < payload; i++)
            bytes[i] = byte_of(sequence, i);
        cpi_ring_publish(ring, ring_bytes, frame, size);
        if (cpi_inbox_notify(segment, READER, WRITER))
            side_wake(segment, READER);
    }
}

static struct cpi_frame *reader_wait(const struct cpi_segment *segment, struct cpi_ring *ring,
                                     uint64_t *position_p)
{
    size_t ring_bytes = segment->header->ring_bytes;

    for (;;) {
        struct cpi_frame *frame = cpi_ring_peek(ring, ring_bytes, position_p);
        if (frame != NULL)
            return frame;
        side_say_asleep(segment, READER);
        if (cpi_ring_peek(ring, ring_bytes, position_p) == NULL)
            side_sleep(segment, READER);
        else
            atomic_store(&segment->ranks[READER].doorbell.state, 0);
    }
}

static int frame_is_right(const struct cpi_frame *frame, uint64_t sequence, size_t ring_bytes)
{
    const unsigned char *bytes = (const unsigned char *)(frame + 1);
    size_t payload = payload_of(sequence, ring_bytes);

    if (frame->kind != CPI_FRAME_EAGER || frame->sequence != sequence || frame->length != payload ||
        cpi_frame_payload_bytes(frame) != payload)
        return 0;
    for (size_t i = 0; i < payload; i++)
        if (bytes[i] != byte_of(sequence, i))
            return 0;
    return 1;
}

/* Frames up to the first wrong one. A lazy reader gives room back only now and then, as far as
 * cpi_ring_lazy_bytes allows. */
static uint64_t reader_run(const struct cpi_segment *segment, int lazy)
{
    struct cpi_ring *ring = cpi_segment_ring(segment, READER, WRITER);
    size_t ring_bytes = segment->header->ring_bytes;
    uint64_t position = 0, released = 0;

    for (uint64_t sequence = 1; sequence <= FRAMES; sequence++) {
        struct cpi_frame *frame = reader_wait(segment, ring, &position);
        if (!frame_is_right(frame, sequence, ring_bytes))
            return sequence - 1;
        position = cpi_ring_after(position, frame);
        if (lazy && position - released < cpi_ring_lazy_bytes(ring_bytes))
            continue;
        released = position;
        if (cpi_inbox_release(segment, READER, WRITER, position))
            side_wake(segment, WRITER);
    }
    cpi_ring_release(ring, position);
    return FRAMES;
}

/* With a core for each side the one that sleeps makes the barrier for both, else each its own. */
static int segment_new(struct cpi_segment *segment, uint32_t cores)
{
    struct cpi_segment_config config = {
        .job = 7, .world = 2, .local = 2, .peers = 1, .cores = cores, .capacity_millicores = 2000};
    int fd = -1;

    assert_int_equal(cpi_segment_make(segment, &config, &fd), CPMP_OK);
    return fd;
}

static void *writer_thread(void *segment)
{
    writer_run(segment);
    return NULL;
}

static void stream_by_threads(int lazy)
{
    struct cpi_segment segment;
    int fd = segment_new(&segment, 1);
    pthread_t writer;

    alarm(LIMIT_S);
    assert_int_equal(pthread_create(&writer, NULL, writer_thread, &segment), 0);
    assert_int_equal(reader_run(&segment, lazy), FRAMES);
    assert_int_equal(pthread_join(writer, NULL), 0);
    alarm(0);
    cpi_segment_check(&segment);
    cpi_segment_unmap(&segment);
    close(fd);
}

static void two_threads_stream_whole_frames_in_order(void **state)
{
    (void)state;
    stream_by_threads(0);
}

static void a_lazy_reader_does_not_stop_the_writer(void **state)
{
    (void)state;
    stream_by_threads(1);
}

static void stream_by_processes(uint32_t cores)
{
    struct cpi_segment segment, mine;
    int fd = segment_new(&segment, cores), status = -1;
    pid_t writer;

    fflush(NULL);
    writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) {
        alarm(LIMIT_S);
        if (cpi_segment_map(&mine, fd) != CPMP_OK)
            _exit(1);
        writer_run(&mine);
        _exit(0);
    }
    alarm(LIMIT_S);
    assert_int_equal(reader_run(&segment, 0), FRAMES);
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    alarm(0);
    cpi_segment_check(&segment);
    cpi_segment_unmap(&segment);
    close(fd);
}

static void two_processes_stream_whole_frames_in_order(void **state)
{
    (void)state;
    stream_by_processes(1);
}

static void a_sleeper_makes_the_barrier_for_both(void **state)
{
    (void)state;
    stream_by_processes(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_threads_stream_whole_frames_in_order),
        cmocka_unit_test(a_lazy_reader_does_not_stop_the_writer),
        cmocka_unit_test(two_processes_stream_whole_frames_in_order),
        cmocka_unit_test(a_sleeper_makes_the_barrier_for_both),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("ring_stream", tests, NULL, NULL);
}
