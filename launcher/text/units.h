/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TEXT_UNITS_H
#define CPI_TEXT_UNITS_H

/* Amounts and times as people read and type them. Times are in seconds since 1970. */

#include <stdint.h>

#include "text/text.h"

/* "8.0 GiB"; "512 B". */
void units_bytes(struct text *text, uint64_t bytes);

/* "2", "1.5": cores. */
void units_cores(struct text *text, uint64_t millicores);

/* "0.35 ms", "12 s", "3 min", "2 h 5 min", "4 days". */
void units_duration(struct text *text, uint64_t duration_us);

/* "3 min ago", "just now"; a time to come: "in 3 min". */
void units_ago(struct text *text, uint64_t now_s, uint64_t then_s);

/* "2026-11-21 11:05", local time. */
void units_date(struct text *text, uint64_t time_s);

/* "90s", "90 min", "1h", "2d", "1w"; a number alone is seconds. 0, or -1 when it is none. */
int units_parse_duration(const char *string, uint64_t *seconds_p);

/* "2026-11-21", "2026-11-21 11:05" (or with a T), "11:05" (today), local time; or a duration, the
 * time so long before `now_s`. 0, or -1 when it is none. */
int units_parse_since(const char *string, uint64_t now_s, uint64_t *time_p);

#endif
