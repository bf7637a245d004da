/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The pack engine against a naive packer: random nested datatypes, each accompanied by its type map
 * spelt out primitive by primitive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cpmp.h>

#include "type/pack.h"
#include "type/payload.h"
#include "type/type.h"

#define TYPES 4000
#define ENTRIES_MAX 6000

struct entry {
    ptrdiff_t place;
    size_t bytes;
};

/* A datatype and its type map. */
struct model {
    struct cpi_type *type;
    struct entry *map;
    size_t entries;
};

static uint64_t seed;

static unsigned
draw(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

static void
map_append(struct model *model, const struct model *old, ptrdiff_t offset, int length)
{
    ptrdiff_t extent = cpi_type_extent(old->type);

    for (int i = 0; i < length; i++)
        for (size_t k = 0; k < old->entries; k++) {
            model->map = realloc(model->map, (model->entries + 1) * sizeof(*model->map));
            assert_non_null(model->map);
            model->map[model->entries].place = offset + i * extent + old->map[k].place;
            model->map[model->entries++].bytes = old->map[k].bytes;
        }
}

static struct model
primitive(void)
{
    static const enum cpi_prim kinds[] = { CPI_PRIM_INT8, CPI_PRIM_INT16, CPI_PRIM_INT32,
                                           CPI_PRIM_DOUBLE, CPI_PRIM_LONG_DOUBLE,
                                           CPI_PRIM_SHORT_INT, CPI_PRIM_DOUBLE_INT };
    struct model model = { .type = cpi_type_of_prim(kinds[draw(7)]) };
    const struct cpi_prim_info *info = cpi_prim_info(model.type->prim);

    model.entries = info->second ? 2 : 1;
    model.map = malloc(2 * sizeof(*model.map));
    assert_non_null(model.map);
    model.map[0] = (struct entry){ 0, info->first };
    model.map[1] = (struct entry){ info->second_at, info->second };
    return model;
}

static struct model
make_vector(const struct model *old)
{
    struct model model = { 0 };
    int count = (int)draw(5), length = (int)draw(4);
    ptrdiff_t extent = cpi_type_extent(old->type);
    ptrdiff_t stride = (ptrdiff_t)(length + (int)draw(3)) * (extent > 0 ? extent : 1);

    if (draw(2)) {
        stride += draw(2) ? (ptrdiff_t)draw(9) : 0;
        assert_int_equal(cpi_type_hvector(count, length, stride, old->type, &model.type), 0);
    } else {
        int steps = length + (int)draw(3) - (draw(4) == 0 ? 9 : 0);

        stride = steps * extent;
        assert_int_equal(cpi_type_vector(count, length, steps, old->type, &model.type), 0);
    }
    for (int i = 0; i < count; i++)
        map_append(&model, old, i * stride, length);
    return model;
}

static struct model
make_indexed(const struct model *old)
{
    struct model model = { 0 };
    int count = (int)draw(7), lengths[7], places[7];
    ptrdiff_t addresses[7], extent = cpi_type_extent(old->type);
    unsigned form = draw(4);
    int at = (int)draw(3);

    for (int i = 0; i < count; i++) {
        lengths[i] = form < 2 ? (int)draw(4) : 2;
        places[i] = at;
        addresses[i] = at * extent;
        at += lengths[i] + (draw(2) ? 0 : (int)draw(4));
        map_append(&model, old, addresses[i], lengths[i]);
    }
    if (form == 0)
        assert_int_equal(cpi_type_indexed(count, lengths, places, old->type, &model.type), 0);
    else if (form == 1)
        assert_int_equal(cpi_type_hindexed(count, lengths, addresses, old->type, &model.type), 0);
    else if (form == 2)
        assert_int_equal(cpi_type_indexed_block(count, 2, places, old->type, &model.type), 0);
    else
        assert_int_equal(cpi_type_hindexed_block(count, 2, addresses, old->type, &model.type), 0);
    return model;
}

static struct model
make_struct(const struct model *first, const struct model *second)
{
    struct model model = { 0 };
    const struct model *of[4];
    struct cpi_type *olds[4];
    int count = (int)draw(5), lengths[4];
    ptrdiff_t places[4], at = 0;

    for (int i = 0; i < count; i++) {
        of[i] = draw(2) ? first : second;
        olds[i] = of[i]->type;
        lengths[i] = (int)draw(4);
        places[i] = at + (draw(2) ? 0 : (ptrdiff_t)draw(20)) - of[i]->type->true_lb;
        at = places[i] + lengths[i] * cpi_type_extent(of[i]->type) + of[i]->type->true_ub;
        map_append(&model, of[i], places[i], lengths[i]);
    }
    assert_int_equal(cpi_type_struct(count, lengths, places, olds, &model.type), 0);
    return model;
}

static struct model
make_resized(const struct model *old)
{
    struct model model = { 0 };
    ptrdiff_t lb = (ptrdiff_t)draw(9) - 4;
    ptrdiff_t span = old->type->true_ub - old->type->true_lb;

    if (draw(3) == 0)
        assert_int_equal(cpi_type_dup(old->type, &model.type), 0);
    else
        assert_int_equal(cpi_type_resized(old->type, lb, span + draw(9), &model.type), 0);
    map_append(&model, old, 0, 1);
    return model;
}

static void
model_free(struct model *model)
{
    cpi_type_put(model->type);
    free(model->map);
}

static struct model
make_type(unsigned depth)
{
    struct model first, second, model;

    if (depth == 0)
        return primitive();
    first = make_type(depth - 1);
    switch (draw(5)) {
    case 0:
    case 1:
        model = make_vector(&first);
        break;
    case 2:
        model = make_indexed(&first);
        break;
    case 3:
        second = make_type(draw(depth));
        model = make_struct(&first, &second);
        model_free(&second);
        break;
    default:
        model = make_resized(&first);
    }
    model_free(&first);
    cpi_type_check(model.type);
    return model;
}

/* The memory that `count` elements touch, and where the first one's origin is in it. */
struct memory {
    char *bytes;
    size_t size, origin;
};

static struct memory
memory_for(const struct cpi_type *type, size_t count)
{
    ptrdiff_t span = count ? (ptrdiff_t)(count - 1) * cpi_type_extent(type) : 0;
    ptrdiff_t low = type->true_lb + (span < 0 ? span : 0);
    ptrdiff_t high = type->true_ub + (span < 0 ? 0 : span);
    struct memory memory = { .size = (size_t)(high - low) + 32, .origin = (size_t)(16 - low) };

    memory.bytes = malloc(memory.size);
    assert_non_null(memory.bytes);
    for (size_t i = 0; i < memory.size; i++)
        memory.bytes[i] = (char)draw(256);
    return memory;
}

static size_t
naive_pack(const struct model *model, const char *base, size_t count, char *out)
{
    size_t done = 0;

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < model->entries; k++) {
            memcpy(out + done, base + (ptrdiff_t)i * cpi_type_extent(model->type) +
                               model->map[k].place, model->map[k].bytes);
            done += model->map[k].bytes;
        }
    return done;
}

static void
naive_unpack(const struct model *model, char *base, size_t count, const char *in)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < model->entries; k++) {
            memcpy(base + (ptrdiff_t)i * cpi_type_extent(model->type) + model->map[k].place, in,
                   model->map[k].bytes);
            in += model->map[k].bytes;
        }
}

static void
check_pack(const struct model *model, const struct memory *memory, size_t count,
           const char *expected, size_t total)
{
    const char *base = memory->bytes + memory->origin;
    char *out = malloc(total + 9);

    assert_non_null(out);
    assert_int_equal(cpi_type_pack(model->type, base, count, 0, out, total + 9), total);
    assert_memory_equal(out, expected, total);
    for (int round = 0; round < 4 && total; round++) {
        size_t position = draw((unsigned)total), bytes = draw((unsigned)(total - position)) + 1;

        memset(out, 0x5a, total + 9);
        assert_int_equal(cpi_type_pack(model->type, base, count, position, out, bytes), bytes);
        assert_memory_equal(out, expected + position, bytes);
        assert_int_equal(out[bytes], 0x5a);
    }
    free(out);
}

/* Fragments of any size and in any order put back what was packed, and touch nothing else. Types
 * that overlap themselves can't be received into and are left out. */
static void
check_unpack(const struct model *model, size_t count, const char *packed, size_t total)
{
    struct memory memory = memory_for(model->type, count);
    char *expected = malloc(memory.size), *again = malloc(total + 1);
    size_t cut = total ? draw((unsigned)total) : 0;

    assert_non_null(expected);
    assert_non_null(again);
    memcpy(expected, memory.bytes, memory.size);
    naive_unpack(model, expected + memory.origin, count, packed);
    naive_pack(model, expected + memory.origin, count, again);
    if (memcmp(again, packed, total) == 0) {
        char *base = memory.bytes + memory.origin;

        cpi_type_unpack(model->type, base, count, cut, packed + cut, total - cut);
        for (size_t at = 0; at < cut;) {
            size_t bytes = draw(37) + 1;

            bytes = bytes < cut - at ? bytes : cut - at;
            assert_int_equal(cpi_type_unpack(model->type, base, count, at, packed + at, bytes),
                             bytes);
            at += bytes;
        }
        assert_memory_equal(memory.bytes, expected, memory.size);
    }
    free(expected);
    free(again);
    free(memory.bytes);
}

static void
random_types_pack_as_their_type_map_says(void **state)
{
    (void)state;
    for (int i = 0; i < TYPES; i++) {
        struct model model;
        struct memory memory;
        size_t count, total;
        char *packed;

        seed = (uint64_t)i * 7919 + 1;
        model = make_type(draw(4));
        count = draw(5);
        if (model.entries * count <= ENTRIES_MAX) {
            memory = memory_for(model.type, count);
            packed = malloc(model.type->size * count + 1);
            assert_non_null(packed);
            total = naive_pack(&model, memory.bytes + memory.origin, count, packed);
            assert_int_equal(total, model.type->size * count);
            check_pack(&model, &memory, count, packed, total);
            check_unpack(&model, count, packed, total);
            free(packed);
            free(memory.bytes);
        }
        model_free(&model);
    }
}

static void
large_counts_go_through_every_loop(void **state)
{
    enum { COUNT = 5000 };
    struct cpi_type *olds[] = { cpi_type_of_prim(CPI_PRIM_INT8),
                                cpi_type_of_prim(CPI_PRIM_DOUBLE) };
    int lengths[] = { 3, 2 };
    ptrdiff_t places[] = { 1, 8 };
    struct cpi_type *type;
    char *memory, *packed, *back;

    (void)state;
    assert_int_equal(cpi_type_struct(2, lengths, places, olds, &type), 0);
    memory = calloc(COUNT, 32);
    back = calloc(COUNT, 32);
    packed = malloc(COUNT * type->size);
    assert_true(memory && back && packed);
    for (int i = 0; i < COUNT * cpi_type_extent(type); i++)
        memory[i] = (char)(i * 31 + i / 256);
    assert_int_equal(cpi_type_pack(type, memory, COUNT, 0, packed, SIZE_MAX), COUNT * type->size);
    for (int i = 0; i < COUNT; i++) {
        const char *from = memory + i * cpi_type_extent(type);

        assert_memory_equal(packed + (size_t)i * 19, from + 1, 3);
        assert_memory_equal(packed + (size_t)i * 19 + 3, from + 8, 16);
    }
    assert_int_equal(cpi_type_copy(type, back, COUNT, type, memory, COUNT), COUNT * type->size);
    cpi_type_pack(type, back, COUNT, 0, memory, COUNT * type->size);
    assert_memory_equal(memory, packed, COUNT * type->size);
    free(memory);
    free(back);
    free(packed);
    cpi_type_put(type);
}

static void
payloads_are_plain_where_the_layout_is(void **state)
{
    struct cpi_type *block, *column;
    int place = 3;
    double row[16];
    struct cpi_payload payload;

    (void)state;
    assert_int_equal(cpi_type_indexed_block(1, 2, &place, cpi_type_of_prim(CPI_PRIM_DOUBLE),
                                            &block), 0);
    payload = cpi_type_payload(row, 1, block);
    assert_null(payload.packer);
    assert_ptr_equal(payload.base, row + 3);
    assert_int_equal(payload.bytes, 16);
    assert_int_equal(cpi_type_vector(4, 1, 2, block, &column), 0);
    payload = cpi_type_payload(row, 2, column);
    assert_non_null(payload.packer);
    assert_int_equal(payload.bytes, 128);
    payload = cpi_type_payload(row, 0, column);
    assert_null(payload.packer);
    assert_int_equal(payload.bytes, 0);
    cpi_type_put(block);
    cpi_type_put(column);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_types_pack_as_their_type_map_says),
        cmocka_unit_test(large_counts_go_through_every_loop),
        cmocka_unit_test(payloads_are_plain_where_the_layout_is),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
