/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TESTS_HOSTILE_H
#define CPI_TESTS_HOSTILE_H

/*
 * What a hostile rank tries. Each attempt says what came of it on standard output, one line that
 * begins with "held", "broken" or a fact for the test to judge; the program ends with 0 when
 * everything held.
 */

#include <stdbool.h>
#include <stdio.h>

extern int hostile_broken;

/* One attempt: `succeeded` is bad. */
static inline void
hostile_say(const char *what, bool succeeded)
{
    printf("%s: %s\n", succeeded ? "broken" : "held", what);
    fflush(stdout);
    hostile_broken += succeeded;
}

void hostile_calls(void);
void hostile_cage(void);
void hostile_network(const char *abstract);

#endif
