/* SPDX-License-Identifier: BSD-3-Clause */
/* Matching against a brute-force model: two plain arrays searched from the front. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "p2p/match.h"

#define STEPS 200000
#define LIVE_MAX 300

static uint64_t seed;

static unsigned
draw(unsigned below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % below;
}

struct model {
    struct cpi_request *posted[LIVE_MAX];
    struct cpi_message *kept[LIVE_MAX];
    size_t posted_count, kept_count;
};

static int
takes(uint32_t context, int source, int tag, uint32_t of_context, int of_source, int of_tag)
{
    return context == of_context && (source == CPI_ANY_SOURCE || source == of_source) &&
           (tag == CPI_ANY_TAG || tag == of_tag);
}

static void
remove_at(void **array, size_t *count, size_t at)
{
    memmove(array + at, array + at + 1, (--*count - at) * sizeof(*array));
}

static void
arrive_step(struct cpi_match *match, struct model *model)
{
    uint32_t context = draw(2);
    int source = (int)draw(4), tag = (int)draw(5);
    size_t i = 0;

    while (i < model->posted_count &&
           !takes(model->posted[i]->context, model->posted[i]->peer, model->posted[i]->tag, context,
                  source, tag))
        i++;
    struct cpi_request *expected = i < model->posted_count ? model->posted[i] : NULL;
    struct cpi_request *got = cpi_match_arrive(match, context, source, tag);
    assert_ptr_equal(got, expected);
    if (got != NULL) {
        remove_at((void **)model->posted, &model->posted_count, i);
        free(got);
    } else if (model->kept_count < LIVE_MAX) {
        struct cpi_message *message = calloc(1, sizeof(*message));
        message->context = context;
        message->source = source;
        message->tag = tag;
        assert_int_equal(cpi_match_keep(match, message), 0);
        model->kept[model->kept_count++] = message;
    }
}

static void
receive_step(struct cpi_match *match, struct model *model, int post)
{
    uint32_t context = draw(2);
    int source = (int)draw(5) - 1, tag = (int)draw(6) - 1;
    size_t i = 0;

    while (i < model->kept_count &&
           !takes(context, source, tag, model->kept[i]->context, model->kept[i]->source,
                  model->kept[i]->tag))
        i++;
    struct cpi_message *expected = i < model->kept_count ? model->kept[i] : NULL;
    struct cpi_message *got = cpi_match_find(match, context, source, tag);
    assert_ptr_equal(got, expected);
    if (got != NULL && post) {
        cpi_match_remove(match, got);
        remove_at((void **)model->kept, &model->kept_count, i);
        free(got);
    } else if (got == NULL && post && model->posted_count < LIVE_MAX) {
        struct cpi_request *request = calloc(1, sizeof(*request));
        request->context = context;
        request->peer = source;
        request->tag = tag;
        assert_int_equal(cpi_match_post(match, request), 0);
        model->posted[model->posted_count++] = request;
    }
}

static void
cancel_step(struct cpi_match *match, struct model *model)
{
    if (model->posted_count == 0)
        return;
    size_t i = draw((unsigned)model->posted_count);
    struct cpi_request *request = model->posted[i];
    cpi_match_unpost(match, request);
    remove_at((void **)model->posted, &model->posted_count, i);
    free(request);
}

static void
drain(struct cpi_match *match, struct model *model)
{
    while (model->posted_count > 0)
        cancel_step(match, model);
    while (model->kept_count > 0) {
        struct cpi_message *message = model->kept[--model->kept_count];
        cpi_match_remove(match, message);
        free(message);
    }
}

static void
random_sequences_agree_with_the_model(void **state)
{
    (void)state;
    for (uint64_t first = 1; first < 20; first += 3) {
        seed = first;
        struct cpi_match match;
        static struct model model;
        assert_int_equal(cpi_match_init(&match), 0);
        /* the mix drifts, so that both lists are long at times */
        for (unsigned step = 0; step < STEPS; step++) {
            unsigned bias = step / 500 % 2 ? 55 : 35;
            unsigned dice = draw(100);
            if (dice < bias)
                arrive_step(&match, &model);
            else if (dice < 90)
                receive_step(&match, &model, 1);
            else if (dice < 96)
                receive_step(&match, &model, 0);
            else
                cancel_step(&match, &model);
            if (step % 1000 == 0)
                cpi_match_check(&match);
        }
        drain(&match, &model);
        cpi_match_check(&match);
        cpi_match_release(&match);
    }
}

static void
ten_thousand_tags_stay_cheap(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    static struct cpi_message messages[COUNT];
    struct cpi_match match;
    size_t longest = 0;

    assert_int_equal(cpi_match_init(&match), 0);
    for (int i = 0; i < COUNT; i++) {
        messages[i].source = 3;
        messages[i].tag = i;
        assert_int_equal(cpi_match_keep(&match, &messages[i]), 0);
    }
    /* The work of a search is the length of its slot's chain: bounded however many there are. */
    for (size_t i = 0; i < match.unexpected.slot_count; i++) {
        size_t length = 0;
        for (void *const *bin = (void *const *)match.unexpected.slots[i]; bin != NULL; bin = *bin)
            length++;
        longest = length > longest ? length : longest;
    }
    assert_true(longest <= 12);
    for (int i = COUNT - 1; i >= 0; i--) {
        assert_ptr_equal(cpi_match_find(&match, 0, 3, i), &messages[i]);
        cpi_match_remove(&match, &messages[i]);
    }
    cpi_match_check(&match);
    cpi_match_release(&match);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_sequences_agree_with_the_model),
        cmocka_unit_test(ten_thousand_tags_stay_cheap),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
