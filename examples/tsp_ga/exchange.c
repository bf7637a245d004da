/* SPDX-License-Identifier: BSD-3-Clause */
#include "exchange.h"

#include "duration.h"
#include "must.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_SECONDS 0.1 /* how soon an island learns that another one ended the job */
#define EMIT_SECONDS 1.0 /* small improvements are collected for so long */
#define TAG_TOUR 1

static struct record *record_new(struct exchange *exchange)
{
    struct record *record = calloc(1, exchange->record_bytes);

    if (record == NULL) {
        cpmp_abort(1, "tsp_ga: out of memory for the best tour");
    }
    record->length = record->announced = INT64_MAX;
    record->finder = -1;
    return record;
}

void exchange_init(struct exchange *exchange, const struct instance *instance,
                   const struct exchange_parameters *parameters)
{
    *exchange = (struct exchange){
        .instance = instance, .parameters = *parameters, .rank = cpmp_rank(), .size = cpmp_size(),
        .next = 1,
    };
    exchange->record_bytes = sizeof *exchange->record
        + (size_t)instance->cities * sizeof *exchange->record->city;
    exchange->record = record_new(exchange);
    exchange->mail = record_new(exchange);
    if (parameters->kind != EXCHANGE_RING) {
        must(cpmp_var_open("tsp_ga.best", exchange->record_bytes, exchange->record, &exchange->var),
             "open the global variable tsp_ga.best");
    }
    must(cpmp_barrier(), "start with the others");
    exchange->start = exchange->looked = exchange->emitted = cpmp_time();
}

void exchange_release(struct exchange *exchange)
{
    cpmp_var_close(exchange->var);
    free(exchange->record);
    free(exchange->mail);
    *exchange = (struct exchange){0};
}

static void take_over(const struct exchange *exchange, struct record *record,
                      const struct ga_tour *best)
{
    record->length = best->length;
    memcpy(record->city, best->city, (size_t)exchange->instance->cities * sizeof *best->city);
}

static void emit(struct exchange *exchange, const struct record *record)
{
    int64_t optimum = exchange->instance->optimum;
    char above[64] = "";

    if (optimum > 0 && record->length == optimum) {
        snprintf(above, sizeof above, ", the optimum");
    } else if (optimum > 0) {
        snprintf(above, sizeof above, ", %.2f %% above the optimum",
                 100.0 * (double)(record->length - optimum) / (double)optimum);
    }
    must(cpmp_emit_text("best", "%" PRId64 "%s, by rank %d after %s", record->length, above,
                        (int)record->finder, duration_of(record->seconds).text),
         "emit a partial result");
    exchange->emitted = cpmp_time();
}

/* Early ones come sooner: 1, 3, 7, 15 … generations, until it is one every interval. */
static int64_t next_exchange(const struct exchange *exchange, int64_t generation)
{
    int64_t step = generation + 1;
    return generation + (step < exchange->parameters.interval ? step
                         : exchange->parameters.interval);
}

/* --- through the global variable --- */

struct merge {
    struct exchange *exchange;
    const struct ga_tour *best;
    enum exchange_wish wish;
    double now;
    bool announce; /* out: this change makes the length in force the announced one */
};

static bool is_worth_announcing(const struct merge *merge, const struct record *record)
{
    if (record->length >= record->announced) {
        return false;
    }
    return record->stop || record->announced == INT64_MAX
        || record->length <= record->announced - record->announced / 1000
        || merge->now - merge->exchange->emitted >= EMIT_SECONDS;
}

/* The update: keep the shorter. It may run several times, each time with a newer value, so it sets
 * `announce` anew; what counts is its last run, the one that took effect. */
static int merge_best(void *value, size_t bytes, void *arg)
{
    struct record *record = value;
    struct merge *merge = arg;
    struct exchange *exchange = merge->exchange;
    int64_t target = exchange->parameters.target;
    bool changed = false;

    (void)bytes;
    if (merge->best->length < record->length) {
        take_over(exchange, record, merge->best);
        record->finder = exchange->rank;
        record->seconds = merge->now - exchange->start;
        changed = true;
    }
    if (!record->stop && (merge->wish == WISH_END_ALL || record->length <= target)) {
        record->stop = 1;
        changed = true;
    }
    merge->announce = is_worth_announcing(merge, record);
    if (merge->announce) {
        record->announced = record->length;
        changed = true;
    }
    return changed ? 0 : 1;
}

static void merge_into_var(struct exchange *exchange, const struct ga *ga, enum exchange_wish wish)
{
    struct merge merge = {
        .exchange = exchange, .best = ga_best(ga), .wish = wish, .now = cpmp_time(),
    };

    must(cpmp_var_update(exchange->var, merge_best, &merge, exchange->record, NULL),
         "update the global variable tsp_ga.best");
    exchange->looked = merge.now;
    if (merge.announce) {
        emit(exchange, exchange->record);
    }
}

static bool step_by_var(struct exchange *exchange, struct ga *ga, enum exchange_wish wish)
{
    bool due = ga->generations >= exchange->next;

    if (wish == WISH_GO_ON && !due && ga_best(ga)->length >= exchange->record->length
        && cpmp_time() - exchange->looked < LOOK_SECONDS) {
        return false;
    }
    merge_into_var(exchange, ga, wish);
    if (due) {
        exchange->next = next_exchange(exchange, ga->generations);
        if (exchange->parameters.kind == EXCHANGE_VAR
            && exchange->record->length < ga_best(ga)->length) {
            ga_immigrate(ga, exchange->record->city, exchange->record->length);
        }
    }
    return wish != WISH_GO_ON || exchange->record->stop;
}

/* --- around the ring --- */

/* All ranks learn the shortest length, the lowest rank that has it, and whether one wants to
 * stop. */
static int64_t agree(struct exchange *exchange, const struct ga *ga, enum exchange_wish wish,
                     bool *stop_p)
{
    int64_t mine[2] = {ga_best(ga)->length * exchange->size + exchange->rank, wish == WISH_GO_ON};
    int64_t least[2];

    must(cpmp_reduce(mine, least, 2, CPMP_INT64, CPMP_MIN, CPMP_ALL), "agree with the others");
    int64_t length = least[0] / exchange->size;
    exchange->holder = (int)(least[0] % exchange->size);
    *stop_p = least[1] == 0 || length <= exchange->parameters.target;
    return length;
}

static void pass_on(struct exchange *exchange, struct ga *ga)
{
    int right = (exchange->rank + 1) % exchange->size;
    int left = (exchange->rank + exchange->size - 1) % exchange->size;
    cpmp_request *request;

    /* Everybody sends at once: a send that waited for its receiver would wait for ever. */
    take_over(exchange, exchange->record, ga_best(ga));
    must(cpmp_isend(exchange->record, exchange->record_bytes, right, TAG_TOUR, &request),
         "send a tour");
    must(cpmp_recv(exchange->mail, exchange->record_bytes, left, TAG_TOUR, NULL),
         "receive a tour");
    must(cpmp_wait(&request, NULL), "send a tour");
    ga_immigrate(ga, exchange->mail->city, exchange->mail->length);
}

static bool step_by_ring(struct exchange *exchange, struct ga *ga, enum exchange_wish wish)
{
    struct record *record = exchange->record;
    bool stop;

    /* A target reached cuts the interval short here; the others come when theirs is over, so that
     * what they have then does not depend on the clock. */
    if (wish == WISH_GO_ON && ga->generations < exchange->next
        && ga_best(ga)->length > exchange->parameters.target) {
        return false;
    }
    int64_t length = agree(exchange, ga, wish, &stop);
    if (length < record->announced) {
        record->length = record->announced = length;
        record->finder = exchange->holder;
        record->seconds = cpmp_time() - exchange->start;
        if (exchange->holder == exchange->rank) {
            emit(exchange, record);
        }
    }
    exchange->next = next_exchange(exchange, ga->generations);
    if (!stop && exchange->size > 1) {
        pass_on(exchange, ga);
    }
    return stop;
}

/* The holder may have the tour from the one who found it, and that long ago. */
static void finish_ring(struct exchange *exchange, const struct ga *ga)
{
    struct record *record = exchange->record;
    int32_t finder = record->finder;
    double seconds = record->seconds;

    take_over(exchange, record, ga_best(ga));
    must(cpmp_bcast(record, exchange->record_bytes, exchange->holder), "share the best tour");
    record->finder = finder;
    record->seconds = seconds;
}

/* --- either way --- */

bool exchange_step(struct exchange *exchange, struct ga *ga, enum exchange_wish wish)
{
    if (exchange->parameters.kind == EXCHANGE_RING) {
        return step_by_ring(exchange, ga, wish);
    }
    return step_by_var(exchange, ga, wish);
}

void exchange_finish(struct exchange *exchange, struct ga *ga)
{
    if (exchange->parameters.kind == EXCHANGE_RING) {
        finish_ring(exchange, ga);
        return;
    }
    merge_into_var(exchange, ga, WISH_GO_ON);
    must(cpmp_barrier(), "wait for the others");
    must(cpmp_var_read(exchange->var, exchange->record, NULL),
         "read the global variable tsp_ga.best");
}
