/* SPDX-License-Identifier: BSD-3-Clause */
#include "tour.h"

#include <stdlib.h>
#include <string.h>

#define SEGMENT_MAX 3   /* Or-opt moves up to so many cities at once */
#define KICK_STRETCH 50 /* a kick stays local, so that few cities need a new look */

/* A direction to walk the tour in. */
enum way { FORTH, BACK };

static inline int32_t step(const struct search *search, int32_t city, enum way way)
{
    int position = search->position[city];
    if (way == FORTH) {
        return search->city[position + 1 < search->cities ? position + 1 : 0];
    }
    return search->city[position > 0 ? position - 1 : search->cities - 1];
}

static inline int64_t distance(const struct search *search, int a, int b)
{
    return instance_distance(search->instance, a, b);
}

int search_init(struct search *search, const struct instance *instance)
{
    size_t n = (size_t)instance->cities;

    *search = (struct search){.instance = instance, .cities = instance->cities};
    search->position = calloc(n, sizeof *search->position);
    search->queue = calloc(n, sizeof *search->queue);
    search->queued = calloc(n, sizeof *search->queued);
    if (search->position == NULL || search->queue == NULL || search->queued == NULL) {
        search_release(search);
        return -1;
    }
    return 0;
}

void search_release(struct search *search)
{
    free(search->position);
    free(search->queue);
    free(search->queued);
    *search = (struct search){0};
}

void search_load(struct search *search, int32_t *city)
{
    search->city = city;
    for (int i = 0; i < search->cities; i++) {
        search->position[city[i]] = i;
    }
    memset(search->queued, 0, (size_t)search->cities * sizeof *search->queued);
    search->queue_first = search->queue_count = 0;
}

void search_push(struct search *search, int city)
{
    if (search->queued[city]) {
        return;
    }
    int at = search->queue_first + search->queue_count++;
    search->queue[at < search->cities ? at : at - search->cities] = city;
    search->queued[city] = true;
}

void search_push_all(struct search *search)
{
    for (int i = 0; i < search->cities; i++) {
        search_push(search, search->city[i]);
    }
}

static int pop(struct search *search)
{
    int city = search->queue[search->queue_first];

    search->queue_first = search->queue_first + 1 < search->cities ? search->queue_first + 1 : 0;
    search->queue_count--;
    search->queued[city] = false;
    return city;
}

/* Reverse the path from city `from` forth to city `to`, or the rest of the circle, which gives the
 * same tour walked the other way: whichever is shorter. */
static void reverse(struct search *search, int from, int to)
{
    int n = search->cities;
    int32_t *city = search->city, *position = search->position;
    int i = position[from], j = position[to];
    int count = j - i + 1 + (j < i ? n : 0);

    if (2 * count > n) {
        int start = j + 1 < n ? j + 1 : 0;
        j = i > 0 ? i - 1 : n - 1;
        i = start;
        count = n - count;
    }
    for (count /= 2; count > 0; count--) {
        int32_t a = city[i], b = city[j];
        city[i] = b;
        position[b] = i;
        city[j] = a;
        position[a] = j;
        i = i + 1 < n ? i + 1 : 0;
        j = j > 0 ? j - 1 : n - 1;
    }
}

/* Replace the edges a-b and c-d by a-c and b-d; the tour, walked either way, goes a b … c d. */
static void exchange(struct search *search, int a, int b, int c, int d)
{
    if (step(search, a, FORTH) == b) {
        reverse(search, b, c);
    } else {
        reverse(search, c, b);
    }
    search_push(search, a);
    search_push(search, b);
    search_push(search, c);
    search_push(search, d);
}

/* 2-opt: city a gets a nearer neighbour in place of the one that lies this way. Returns the gain of
 * the move made, 0 if there is none. A new edge that is not shorter than the old one at a can be
 * left out: then the other new edge is shorter than the other old, and the move is found from
 * there. */
static int64_t try_two_opt(struct search *search, int a, enum way way)
{
    const int32_t *near = search->instance->near + (size_t)a * (size_t)search->instance->near_count;
    int b = step(search, a, way);
    int64_t old = distance(search, a, b);

    for (int i = 0; i < search->instance->near_count; i++) {
        int c = near[i];
        int64_t nearer = old - distance(search, a, c);
        if (nearer <= 0) {
            break;
        }
        int d = step(search, c, way);
        int64_t gain = nearer + distance(search, c, d) - distance(search, b, d);
        if (gain > 0) {
            exchange(search, a, b, c, d);
            return gain;
        }
    }
    return 0;
}

/* The piece of a tour that Or-opt moves: walked this way it goes before, first … last, after. */
struct segment {
    int before, first, last, after;
    enum way way;
    int64_t freed; /* what closing the gap gains */
};

static bool is_inside(const struct search *search, const struct segment *segment, int city)
{
    for (int c = segment->first; c != segment->after; c = step(search, c, segment->way)) {
        if (c == city) {
            return true;
        }
    }
    return false;
}

/* Put the segment between c and the city d next to it in the segment's way; first goes next to c.
 * Walked the segment's way the tour goes: before first … last after … c d. Three exchanges: the
 * first two bring the segment over, mirrored; the third turns it. */
static void insert_turned(struct search *search, const struct segment *segment, int c, int d)
{
    exchange(search, segment->before, segment->first, c, d);
    if (c != segment->after) {
        exchange(search, segment->before, c, segment->after, segment->last);
    }
    exchange(search, c, segment->last, segment->first, d);
}

/* The same on the other side of c. Walked against the segment's way the tour goes: after last …
 * first before … c d. */
static void insert_mirrored(struct search *search, const struct segment *segment, int c, int d)
{
    exchange(search, segment->after, segment->last, c, d);
    if (c != segment->before) {
        exchange(search, segment->after, c, segment->before, segment->first);
    }
}

static int64_t try_places(struct search *search, const struct segment *segment)
{
    int a = segment->first;
    const int32_t *near = search->instance->near + (size_t)a * (size_t)search->instance->near_count;

    for (int i = 0; i < search->instance->near_count; i++) {
        int c = near[i];
        int64_t left = segment->freed - distance(search, a, c);
        if (left <= 0) {
            break;
        }
        if (is_inside(search, segment, c)) {
            continue;
        }
        int d = step(search, c, segment->way);
        int64_t gain = left + distance(search, c, d) - distance(search, segment->last, d);
        if (gain > 0 && c != segment->before) {
            insert_turned(search, segment, c, d);
            return gain;
        }
        d = step(search, c, segment->way == FORTH ? BACK : FORTH);
        gain = left + distance(search, c, d) - distance(search, segment->last, d);
        if (gain > 0 && c != segment->after) {
            insert_mirrored(search, segment, c, d);
            return gain;
        }
    }
    return 0;
}

/* Or-opt: move up to three cities, of which a is the first this way, to where a has a near city. */
static int64_t try_or_opt(struct search *search, int a, enum way way)
{
    struct segment segment = {.first = a, .last = a, .way = way};

    segment.before = step(search, a, way == FORTH ? BACK : FORTH);
    for (int count = 1; count <= SEGMENT_MAX && count + 3 <= search->cities; count++) {
        segment.after = step(search, segment.last, way);
        segment.freed = distance(search, segment.before, segment.first)
            + distance(search, segment.last, segment.after)
            - distance(search, segment.before, segment.after);
        int64_t gain = try_places(search, &segment);
        if (gain > 0) {
            return gain;
        }
        segment.last = segment.after;
    }
    return 0;
}

int64_t search_run(struct search *search)
{
    int64_t total = 0;

    while (search->queue_count > 0) {
        int a = pop(search);
        int64_t gain;
        do {
            gain = try_two_opt(search, a, FORTH);
            gain = gain > 0 ? gain : try_two_opt(search, a, BACK);
            gain = gain > 0 ? gain : try_or_opt(search, a, FORTH);
            gain = gain > 0 ? gain : try_or_opt(search, a, BACK);
            total += gain;
        } while (gain > 0);
    }
    return total;
}

int64_t search_kick(struct search *search, struct random *random)
{
    int n = search->cities;
    int32_t moved[KICK_STRETCH];

    if (n < 8) {
        return 0;
    }
    /* before | first part | second part | after: the two parts change places. */
    int most = (n - 2 < KICK_STRETCH ? n - 2 : KICK_STRETCH) / 2;
    int first = 1 + random_below(random, most), second = 1 + random_below(random, most);
    int start = 1 + random_below(random, n - 1 - first - second);
    int32_t *part = search->city + start;
    int end = first + second;
    int32_t ends[6] = {part[-1], part[0], part[first - 1], part[first], part[end - 1],
                       search->city[start + end < n ? start + end : 0]};
    int64_t change = distance(search, ends[0], ends[3]) + distance(search, ends[4], ends[1])
        + distance(search, ends[2], ends[5]) - distance(search, ends[0], ends[1])
        - distance(search, ends[2], ends[3]) - distance(search, ends[4], ends[5]);

    memcpy(moved, part, (size_t)first * sizeof *part);
    memmove(part, part + first, (size_t)second * sizeof *part);
    memcpy(part + second, moved, (size_t)first * sizeof *part);
    for (int i = 0; i < end; i++) {
        search->position[part[i]] = start + i;
    }
    for (int i = 0; i < 6; i++) {
        search_push(search, ends[i]);
    }
    return change;
}

/* The next city from `here`: one of the near ones still free, or the nearest of all that are. */
static int pick_free(const struct instance *instance, struct random *random, int here,
                     const int32_t *free_list, int free_count, const int32_t *place)
{
    const int32_t *near = instance->near + (size_t)here * (size_t)instance->near_count;
    int found = -1;

    for (int i = 0; i < instance->near_count; i++) {
        if (place[near[i]] < 0) {
            continue;
        }
        found = near[i];
        if (random_below(random, 8) != 0) {
            return found;
        }
    }
    if (found >= 0) {
        return found;
    }
    found = free_list[0];
    for (int i = 1; i < free_count; i++) {
        if (instance_distance(instance, here, free_list[i])
            < instance_distance(instance, here, found)) {
            found = free_list[i];
        }
    }
    return found;
}

void tour_found(const struct instance *instance, struct random *random, int32_t *city,
                int32_t *free_list, int32_t *place)
{
    int n = instance->cities;

    for (int i = 0; i < n; i++) {
        free_list[i] = place[i] = i;
    }
    city[0] = random_below(random, n);
    for (int i = 0, left = n; i < n; i++) {
        /* Off the list of free ones: the last of them takes its place. */
        int32_t taken = place[city[i]], last = free_list[--left];
        free_list[taken] = last;
        place[last] = taken;
        place[city[i]] = -1;
        if (left > 0) {
            city[i + 1] = pick_free(instance, random, city[i], free_list, left, place);
        }
    }
}

bool tour_is_valid(const int32_t *city, int cities)
{
    bool *met = calloc((size_t)cities, sizeof *met);
    bool valid = met != NULL;

    for (int i = 0; i < cities && valid; i++) {
        valid = city[i] >= 0 && city[i] < cities && !met[city[i]];
        if (valid) {
            met[city[i]] = true;
        }
    }
    free(met);
    return valid;
}

void tour_normalize(int32_t *city, int cities, int32_t *scratch)
{
    int start = 0;

    while (city[start] != 0) {
        start++;
    }
    int next = city[(start + 1) % cities], previous = city[(start + cities - 1) % cities];
    int stride = next <= previous ? 1 : cities - 1;
    memcpy(scratch, city, (size_t)cities * sizeof *city);
    for (int i = 0, at = start; i < cities; i++, at = (at + stride) % cities) {
        city[i] = scratch[at];
    }
}
