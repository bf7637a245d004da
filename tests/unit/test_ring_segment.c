/* SPDX-License-Identifier: BSD-3-Clause */
/* The job segment: its bounds, and what is refused as one. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <cpmp.h>

#include "ring/segment.h"

static struct cpi_segment_config config_of(uint32_t world, uint32_t local)
{
    return (struct cpi_segment_config){.job = 9, .world = world, .local = local, .peers = 1,
                                       .cores = 2, .capacity_millicores = 2000};
}

static void a_segment_of_256_ranks_is_within_1_gib(void **state)
{
    (void)state;
    for (uint32_t local = 1; local <= 256; local++) {
        struct cpi_segment_config config = config_of(local, local);
        size_t bytes = cpi_segment_bytes(&config);

        assert_true(bytes > 0);
        assert_true(bytes <= (size_t)1 << 30);
    }
}

static void limits_are_refused(void **state)
{
    struct cpi_segment_config none = config_of(0, 0);
    struct cpi_segment_config many = config_of(CPI_SEGMENT_WORLD_MAX, CPI_SEGMENT_LOCAL_MAX + 1);
    struct cpi_segment_config more = config_of(CPI_SEGMENT_WORLD_MAX + 1, 1);
    struct cpi_segment_config outside = config_of(1, 2);
    struct cpi_segment segment;
    int fd = -1;

    (void)state;
    assert_int_equal(cpi_segment_make(&segment, &none, &fd), CPMP_EINVAL);
    assert_int_equal(cpi_segment_make(&segment, &many, &fd), CPMP_ELIMIT);
    assert_int_equal(cpi_segment_make(&segment, &more, &fd), CPMP_ELIMIT);
    assert_int_equal(cpi_segment_make(&segment, &outside, &fd), CPMP_ELIMIT);
    assert_int_equal(fd, -1);
}

/* A frame that fits here may be too large for the rings of a peer with more ranks. */
static void frames_fit_the_smallest_rings_of_the_job(void **state)
{
    struct cpi_segment_config config = {.job = 9, .world = 1 + CPI_SEGMENT_LOCAL_MAX, .local = 1,
                                        .peers = 2, .cores = 2, .capacity_millicores = 2000};
    struct cpi_segment_config other = config;
    struct cpi_segment few, many;
    int fd = -1;

    (void)state;
    other.local = CPI_SEGMENT_LOCAL_MAX;
    other.peer = 1;
    assert_int_equal(cpi_segment_make(&few, &config, &fd), CPMP_OK);
    close(fd);
    assert_int_equal(cpi_segment_make(&many, &other, &fd), CPMP_OK);
    close(fd);
    for (uint32_t rank = 1; rank < config.world; rank++)
        few.places[rank] = many.places[rank] = (struct cpi_place){.peer = 1, .local = rank - 1};
    assert_true(many.header->ring_bytes < few.header->ring_bytes);
    assert_int_equal(cpi_segment_frame_max(&few), cpi_ring_frame_max(many.header->ring_bytes));
    assert_int_equal(cpi_segment_frame_max(&many), cpi_segment_frame_max(&few));
    cpi_segment_unmap(&few);
    cpi_segment_unmap(&many);
}

static void both_sides_see_one_memory(void **state)
{
    struct cpi_segment_config config = config_of(5, 3);
    struct cpi_segment made, mapped;
    int fd = -1;

    (void)state;
    assert_int_equal(cpi_segment_make(&made, &config, &fd), CPMP_OK);
    assert_int_equal(cpi_segment_map(&mapped, fd), CPMP_OK);
    cpi_segment_check(&made);
    cpi_segment_check(&mapped);
    made.places[4] = (struct cpi_place){.peer = 0, .local = 2};
    assert_int_equal(mapped.places[4].local, 2);
    cpi_segment_ring(&made, 3, 2)->data[0] = 'x';
    assert_int_equal(cpi_segment_ring(&mapped, 3, 2)->data[0], 'x');
    cpi_segment_ring(&made, 3, 2)->data[0] = 0;
    cpi_segment_unmap(&mapped);
    cpi_segment_unmap(&made);
    close(fd);
}

static void rings_do_not_overlap(void **state)
{
    struct cpi_segment_config config = config_of(4, 4);
    struct cpi_segment segment;
    int fd = -1;

    (void)state;
    assert_int_equal(cpi_segment_make(&segment, &config, &fd), CPMP_OK);
    for (uint32_t receiver = 0; receiver <= 4; receiver++)
        for (uint32_t sender = 0; sender <= 4; sender++) {
            char *start = (char *)cpi_segment_ring(&segment, receiver, sender);
            char *end = start + sizeof(struct cpi_ring) + segment.header->ring_bytes;
            char *next = start + segment.ring_stride;

            assert_true(end <= next);
            assert_true(end <= (char *)segment.header + segment.bytes);
            assert_int_equal((uintptr_t)start % 64, 0);
        }
    cpi_segment_unmap(&segment);
    close(fd);
}

static void a_memfd_without_seals_is_refused(void **state)
{
    struct cpi_segment segment;
    int fd = memfd_create("unsealed", MFD_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    assert_int_equal(cpi_segment_map(&segment, fd), CPMP_EPROTO);
    close(fd);
}

static void what_is_no_memfd_is_refused(void **state)
{
    struct cpi_segment segment;
    int fd = open("/dev/null", O_RDWR);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(cpi_segment_map(&segment, fd), CPMP_EPROTO);
    assert_int_equal(cpi_segment_map(&segment, -1), CPMP_EPROTO);
    close(fd);
}

/* Each field that the layout follows from, changed after the segment was made. */
static void a_header_that_lies_is_refused(void **state)
{
    struct cpi_segment_config config = config_of(4, 2);
    struct cpi_segment segment, mapped;
    struct cpi_segment_header right;
    int fd = -1;

    (void)state;
    assert_int_equal(cpi_segment_make(&segment, &config, &fd), CPMP_OK);
    right = *segment.header;
#define REFUSED(field, value, error)                                                               \
    do {                                                                                           \
        segment.header->field = (value);                                                           \
        assert_int_equal(cpi_segment_map(&mapped, fd), error);                                     \
        *segment.header = right;                                                                   \
    } while (0)
    REFUSED(magic, right.magic + 1, CPMP_EPROTO);
    REFUSED(frame_version, right.frame_version + 1, CPMP_EVERSION);
    REFUSED(world, 0, CPMP_EPROTO);
    REFUSED(world, UINT32_MAX, CPMP_EPROTO);
    REFUSED(local, 3, CPMP_EPROTO);
    REFUSED(local, UINT32_MAX, CPMP_EPROTO);
    REFUSED(peers, 0, CPMP_EPROTO);
    REFUSED(peer, 1, CPMP_EPROTO);
    REFUSED(bytes, right.bytes * 2, CPMP_EPROTO);
    REFUSED(ring_bytes, right.ring_bytes * 2, CPMP_EPROTO);
#undef REFUSED
    assert_int_equal(cpi_segment_map(&mapped, fd), CPMP_OK);
    cpi_segment_unmap(&mapped);
    cpi_segment_unmap(&segment);
    close(fd);
}

static void a_notice_wakes_a_sleeper_once(void **state)
{
    struct cpi_segment_config config = config_of(3, 3);
    struct cpi_segment segment;
    int fd = -1;

    (void)state;
    assert_int_equal(cpi_segment_make(&segment, &config, &fd), CPMP_OK);
    assert_int_equal(cpi_inbox_notify(&segment, 0, 1), 0);
    assert_int_equal(atomic_load(&segment.inboxes[0].bits[0]), 1u << 1);
    atomic_store(&segment.ranks[0].doorbell.state, 1);
    assert_int_equal(cpi_inbox_notify(&segment, 0, 2), 1);
    assert_int_equal(cpi_inbox_notify(&segment, 0, 1), 0);
    assert_int_equal(atomic_load(&segment.inboxes[0].bits[0]), 1u << 1 | 1u << 2);
    cpi_segment_unmap(&segment);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_of_256_ranks_is_within_1_gib),
        cmocka_unit_test(limits_are_refused),
        cmocka_unit_test(frames_fit_the_smallest_rings_of_the_job),
        cmocka_unit_test(both_sides_see_one_memory),
        cmocka_unit_test(rings_do_not_overlap),
        cmocka_unit_test(a_memfd_without_seals_is_refused),
        cmocka_unit_test(what_is_no_memfd_is_refused),
        cmocka_unit_test(a_header_that_lies_is_refused),
        cmocka_unit_test(a_notice_wakes_a_sleeper_once),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("ring_segment", tests, NULL, NULL);
}
