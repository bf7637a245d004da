/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_HOURS_H
#define CPI_PEER_HOURS_H

/*
 * Hours of the week: "mon-fri 18:00-08:00, sat-sun".
 *
 * Items stand between commas. Each is days (mon, tue, wed, thu, fri, sat, sun, or a range of them,
 * which may go over the end of the week as in fri-mon), then ranges of times. Without days the
 * times hold every day, without times the days are whole. A range that ends earlier than it begins
 * goes over midnight and belongs to the day on which it begins: "fri 18:00-08:00" ends on Saturday
 * morning. "always" and "never" stand alone.
 *
 * A bit for each minute of the week: nothing to get wrong at midnight or at the end of the week,
 * and 1260 bytes are no matter. Time is the local one, as broken down by localtime_r(3), so hours
 * mean what the clock on the wall shows, also on the days when that is put forward or back.
 */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "text/text.h"

#define HOURS_WEEK_MINUTES (7u * 24u * 60u)
#define HOURS_TEXT_BYTES   160u  /* longest text, 0 byte included */

struct hours {
    char text[HOURS_TEXT_BYTES];  /* as it was written */
    uint64_t minutes[(HOURS_WEEK_MINUTES + 63) / 64];
};

/* CPMP_OK, or CPMP_EINVAL with the reason added to `why`; *hours is set on success only. */
int hours_parse(const char *text, struct hours *hours, struct text *why);

/* Minutes since Monday, 00:00. Of `tm` the weekday, hour and minute count. */
uint32_t hours_week_minute(const struct tm *tm);

/* `week_minute` is below HOURS_WEEK_MINUTES. */
bool hours_contain(const struct hours *hours, uint32_t week_minute);

/* Minutes from `week_minute` to the next one of the other kind, at most a week; 0 when there is
 * none (always, never). */
uint32_t hours_until_change(const struct hours *hours, uint32_t week_minute);

/* Adds "Mon 18:00". */
void hours_add_minute(struct text *text, uint32_t week_minute);

#endif
