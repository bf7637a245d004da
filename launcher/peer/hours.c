/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/hours.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cpmp.h>

#define DAY_MINUTES (24u * 60u)
#define DAYS        7u

static const char *const day_names[DAYS] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

static void
minute_set(struct hours *hours, uint32_t minute)
{
    minute %= HOURS_WEEK_MINUTES;
    hours->minutes[minute / 64] |= UINT64_C(1) << (minute % 64);
}

static void
range_set(struct hours *hours, uint32_t day, uint32_t begin, uint32_t end)
{
    if (end <= begin)
        end += DAY_MINUTES;
    for (uint32_t minute = begin; minute < end; minute++)
        minute_set(hours, day * DAY_MINUTES + minute);
}

/* A day's name at *at_p, which moves behind it. DAYS when there is none. */
static uint32_t
day_take(const char **at_p)
{
    for (uint32_t day = 0; day < DAYS; day++) {
        if (strncasecmp(*at_p, day_names[day], 3) == 0 && !isalnum((unsigned char)(*at_p)[3])) {
            *at_p += 3;
            return day;
        }
    }
    return DAYS;
}

/* "mon" or "mon-fri". 0, or -1 when no day stands at *at_p, which then stays. */
static int
days_take(const char **at_p, bool *chosen)
{
    const char *at = *at_p;
    uint32_t first = day_take(&at);
    uint32_t last = first;

    if (first == DAYS)
        return -1;
    if (*at == '-') {
        at++;
        last = day_take(&at);
        if (last == DAYS)
            return -1;
    }
    for (uint32_t day = first;; day = (day + 1) % DAYS) {
        chosen[day] = true;
        if (day == last)
            break;
    }
    *at_p = at;
    return 0;
}

/* "8:00", "18:30", "24:00". */
static int
time_take(const char **at_p, uint32_t *minute_p)
{
    const char *at = *at_p;
    uint32_t hour = 0;
    uint32_t minute;
    int digits = 0;

    while (isdigit((unsigned char)*at) && digits < 2) {
        hour = hour * 10 + (uint32_t)(*at++ - '0');
        digits++;
    }
    if (digits == 0 || at[0] != ':' || !isdigit((unsigned char)at[1]) ||
        !isdigit((unsigned char)at[2]) || isdigit((unsigned char)at[3]))
        return -1;
    minute = (uint32_t)(at[1] - '0') * 10 + (uint32_t)(at[2] - '0');
    if (minute > 59 || hour * 60 + minute > DAY_MINUTES)
        return -1;
    *minute_p = hour * 60 + minute;
    *at_p = at + 3;
    return 0;
}

static const char *
blanks_skip(const char *at)
{
    return at + strspn(at, " \t");
}

static int
refuse(struct text *why, const char *item, const char *reason)
{
    size_t length = strcspn(item, ",");

    text_print(why, "\"%.*s\": %s", (int)length, item, reason);
    return CPMP_EINVAL;
}

/* Ranges of times up to the item's end, for each chosen day. */
static int
times_take(const char **at_p, const char *item, const bool *chosen, struct hours *hours,
           struct text *why)
{
    const char *at = *at_p;

    while (*at != '\0' && *at != ',') {
        uint32_t begin, end;

        if (time_take(&at, &begin) != 0 || begin == DAY_MINUTES || *at++ != '-' ||
            time_take(&at, &end) != 0)
            return refuse(why, item, "a range of times is written like 18:00-08:00");
        if (begin == end)
            return refuse(why, item, "this range is empty; for whole days leave the times out");
        if (*at != '\0' && *at != ',' && *at != ' ' && *at != '\t')
            return refuse(why, item, "a range of times is written like 18:00-08:00");
        for (uint32_t day = 0; day < DAYS; day++) {
            if (chosen[day])
                range_set(hours, day, begin, end);
        }
        at = blanks_skip(at);
    }
    *at_p = at;
    return CPMP_OK;
}

/* One item of the list; *at_p moves to its end. */
static int
item_take(const char **at_p, struct hours *hours, struct text *why)
{
    const char *item = *at_p;
    const char *at = item;
    bool chosen[DAYS] = {false};
    bool any_day = false;

    while (days_take(&at, chosen) == 0) {
        any_day = true;
        at = blanks_skip(at);
    }
    if (!any_day) {
        if (!isdigit((unsigned char)*at))
            return refuse(why, item, "an item is days, times or both, as in \"mon-fri "
                                     "18:00-08:00, sat-sun\"; or it is always, or never");
        memset(chosen, true, sizeof(chosen));
    }
    if (any_day && (*at == '\0' || *at == ',')) {
        for (uint32_t day = 0; day < DAYS; day++) {
            if (chosen[day])
                range_set(hours, day, 0, DAY_MINUTES);
        }
        *at_p = at;
        return CPMP_OK;
    }
    *at_p = at;
    return times_take(at_p, item, chosen, hours, why);
}

int
hours_parse(const char *text, struct hours *hours, struct text *why)
{
    struct hours parsed = {.text = ""};
    const char *at = blanks_skip(text);
    int error;

    if (strlen(at) >= sizeof(parsed.text)) {
        text_print(why, "longer than %u bytes", HOURS_TEXT_BYTES - 1);
        return CPMP_EINVAL;
    }
    snprintf(parsed.text, sizeof(parsed.text), "%s", at);
    for (size_t end = strlen(parsed.text); end > 0 && isspace((unsigned char)parsed.text[end - 1]);)
        parsed.text[--end] = '\0';
    at = parsed.text;
    if (strcasecmp(at, "always") == 0) {
        memset(parsed.minutes, 0xff, sizeof(parsed.minutes));
    } else if (strcasecmp(at, "never") != 0) {
        for (;;) {
            error = item_take(&at, &parsed, why);
            if (error)
                return error;
            if (*at == '\0')
                break;
            at = blanks_skip(at + 1);
        }
    }
    *hours = parsed;
    return CPMP_OK;
}

uint32_t
hours_week_minute(const struct tm *tm)
{
    uint32_t day = ((uint32_t)tm->tm_wday + 6) % DAYS;  /* theirs begins on Sunday */

    return day * DAY_MINUTES + (uint32_t)tm->tm_hour * 60 + (uint32_t)tm->tm_min;
}

bool
hours_contain(const struct hours *hours, uint32_t week_minute)
{
    assert(week_minute < HOURS_WEEK_MINUTES);
    return hours->minutes[week_minute / 64] >> (week_minute % 64) & 1;
}

uint32_t
hours_until_change(const struct hours *hours, uint32_t week_minute)
{
    bool now = hours_contain(hours, week_minute);

    for (uint32_t ahead = 1; ahead < HOURS_WEEK_MINUTES; ahead++) {
        if (hours_contain(hours, (week_minute + ahead) % HOURS_WEEK_MINUTES) != now)
            return ahead;
    }
    return 0;
}

void
hours_add_minute(struct text *text, uint32_t week_minute)
{
    assert(week_minute < HOURS_WEEK_MINUTES);
    text_print(text, "%s %02u:%02u", day_names[week_minute / DAY_MINUTES],
               week_minute % DAY_MINUTES / 60, week_minute % 60);
}
