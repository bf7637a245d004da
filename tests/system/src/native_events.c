/* SPDX-License-Identifier: BSD-3-Clause */
#include "native_check.h"

/* Partial results: each once, in order per rank; callbacks that emit themselves. */

#define EVENTS 3000
#define ANSWERS 700

static uint64_t last[64];
static long counted, answered, answers_seen;
static int inside, deepest;

static void
on_count(const cpmp_event *event, void *arg)
{
    uint64_t number;

    CHECK(arg == &counted && strcmp(event->topic, "count") == 0 && !event->is_text);
    CHECK(event->bytes >= sizeof(number) && event->source >= 0 && event->source < size);
    memcpy(&number, event->data, sizeof(number));
    CHECK(number == last[event->source] + 1);
    last[event->source] = number;
    counted++;
}

/* Emits for what it is told, and so makes progress: no callback runs inside another. */
static void
on_ask(const cpmp_event *event, void *arg)
{
    static uint64_t asked;
    char text[1024];

    (void)arg;
    CHECK(event->sequence > asked);
    asked = event->sequence;
    if (++inside > deepest)
        deepest = inside;
    memset(text, 'a', sizeof(text));
    OK(cpmp_emit("answer", text, sizeof(text)));
    inside--;
    answered++;
}

static void
on_any(const cpmp_event *event, void *arg)
{
    (void)arg;
    answers_seen += strcmp(event->topic, "answer") == 0;
}

static void
count_up(void)
{
    static char data[CPMP_EVENT_BYTES_MAX];

    OK(cpmp_subscribe("count", on_count, &counted));
    OK(cpmp_barrier());
    for (uint64_t i = 1; i <= EVENTS; i++) {
        memcpy(data, &i, sizeof(i));
        OK(cpmp_emit("count", data, i % 500 == 0 ? sizeof(data) : sizeof(i) + i % 50));
        OK(cpmp_progress(i, EVENTS));
    }
    while (counted < (long)EVENTS * size)
        OK(cpmp_poll());
    OK(cpmp_barrier());
}

static void
ask_and_answer(void)
{
    if (rank == 0) {
        OK(cpmp_subscribe("ask", on_ask, NULL));
        OK(cpmp_subscribe(NULL, on_any, NULL));
    }
    OK(cpmp_barrier());
    for (int i = 0; rank == size - 1 && i < ANSWERS; i++)
        OK(cpmp_emit("ask", "?", 1));
    while (rank == 0 && answers_seen < ANSWERS)
        OK(cpmp_poll());
    CHECK(rank != 0 || (answered == ANSWERS && deepest == 1));
    OK(cpmp_barrier());
    CHECK(counted == (long)EVENTS * size);
}

int
main(void)
{
    char name[CPMP_NAME_MAX + 2];

    begin();
    CHECK(size <= 64);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    CHECK(cpmp_emit(name, "", 0) == CPMP_EINVAL && cpmp_emit("", "", 0) == CPMP_EINVAL);
    CHECK(cpmp_emit("large", name, CPMP_EVENT_BYTES_MAX + 1) == CPMP_EINVAL);
    CHECK(cpmp_subscribe("none", NULL, NULL) == CPMP_EINVAL);
    count_up();
    ask_and_answer();
    OK(cpmp_emit_text("done", "rank %d of %d", rank, size));
    for (int i = rank == 0 ? 3 : 1; i < 256; i++)
        OK(cpmp_subscribe("answer", on_any, NULL));
    CHECK(cpmp_subscribe("answer", on_any, NULL) == CPMP_ELIMIT);
    return end();
}
