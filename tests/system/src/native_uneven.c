/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A peer of many ranks and one of few: the rings of the first are smaller, and whatever the second
 * sends must fit them, whether messages, global variables or partial results. Each of the two has
 * the home of some of the variables.
 */
#include "native_check.h"

enum { TAG_LONG = 1, LONG_BYTES = 64 << 10, VARIABLES = 4, EVENT_BYTES = 64 << 10 };

static unsigned char bytes[EVENT_BYTES];
static int events_seen;

static void
on_event(const cpmp_event *event, void *arg)
{
    (void)arg;
    CHECK(event->bytes == EVENT_BYTES && ((const char *)event->data)[EVENT_BYTES - 1] == 4);
    events_seen++;
}

/* The first rank is on the one peer and the last one on the other. */
static void
messages_pass(void)
{
    int other = rank == 0 ? size - 1 : 0;

    if (rank != 0 && rank != size - 1)
        return;
    memset(bytes, rank == 0 ? 1 : 2, LONG_BYTES);
    OK(cpmp_send(bytes, LONG_BYTES, other, TAG_LONG));
    OK(cpmp_recv(bytes, LONG_BYTES, other, TAG_LONG, NULL));
    CHECK(bytes[LONG_BYTES - 1] == (rank == 0 ? 2 : 1));
}

static void
variables_pass(void)
{
    for (int i = 0; i < VARIABLES; i++) {
        char name[] = {'v', (char)('0' + i), '\0'};
        cpmp_var *var;

        OK(cpmp_var_open(name, LONG_BYTES, NULL, &var));
        memset(bytes, 3, LONG_BYTES);
        if (rank == i % 2 * (size - 1))
            OK(cpmp_var_write(var, bytes, NULL));
        if (rank == 0 || rank == size - 1) {
            OK(cpmp_var_wait(var, 1, bytes, NULL));
            CHECK(bytes[LONG_BYTES - 1] == 3);
        }
        cpmp_var_close(var);
    }
}

static void
events_pass(void)
{
    if (rank == 0)
        OK(cpmp_subscribe("topic", on_event, NULL));
    OK(cpmp_barrier());
    memset(bytes, 4, EVENT_BYTES);
    if (rank == size - 1)
        OK(cpmp_emit("topic", bytes, EVENT_BYTES));
    while (rank == 0 && events_seen == 0)
        OK(cpmp_poll());
}

int
main(void)
{
    begin();
    messages_pass();
    variables_pass();
    events_pass();
    OK(cpmp_barrier());
    return end();
}
