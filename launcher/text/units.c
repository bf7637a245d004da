/* SPDX-License-Identifier: BSD-3-Clause */
#include "text/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MINUTE_S 60u
#define HOUR_S   3600u
#define DAY_S    86400u

void
units_bytes(struct text *text, uint64_t bytes)
{
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        text_print(text, "%" PRIu64 " B", bytes);
        return;
    }
    /* 1023.95 would be written as 1024.0. */
    for (; value >= 1023.95 && unit + 1 < sizeof(names) / sizeof(names[0]); unit++)
        value /= 1024;
    text_print(text, "%.1f %s", value, names[unit]);
}

void
units_cores(struct text *text, uint64_t millicores)
{
    uint64_t tenths = (millicores + 50) / 100;

    if (tenths % 10 == 0)
        text_print(text, "%" PRIu64, tenths / 10);
    else
        text_print(text, "%" PRIu64 ".%u", tenths / 10, (unsigned)(tenths % 10));
}

static void
seconds_add(struct text *text, uint64_t seconds)
{
    uint64_t minutes = seconds / MINUTE_S, hours = seconds / HOUR_S, days = seconds / DAY_S;

    if (seconds < MINUTE_S)
        text_print(text, "%" PRIu64 " s", seconds);
    else if (seconds < HOUR_S)
        text_print(text, "%" PRIu64 " min", minutes);
    else if (seconds < DAY_S && minutes % 60 != 0)
        text_print(text, "%" PRIu64 " h %" PRIu64 " min", hours, minutes % 60);
    else if (seconds < 2 * (uint64_t)DAY_S)
        text_print(text, "%" PRIu64 " h", hours);
    else
        text_print(text, "%" PRIu64 " days", days);
}

void
units_duration(struct text *text, uint64_t duration_us)
{
    double ms = (double)duration_us / 1e3;

    if (duration_us >= 10 * 1000000u)
        seconds_add(text, duration_us / 1000000u);
    else if (duration_us >= 1000000u)
        text_print(text, "%.1f s", ms / 1e3);
    else
        text_print(text, "%.*f ms", ms < 1 ? 2 : ms < 10 ? 1 : 0, ms);
}

void
units_ago(struct text *text, uint64_t now_s, uint64_t then_s)
{
    if (then_s > now_s) {
        text_add_string(text, "in ");
        seconds_add(text, then_s - now_s);
    } else if (then_s == now_s) {
        text_add_string(text, "just now");
    } else {
        seconds_add(text, now_s - then_s);
        text_add_string(text, " ago");
    }
}

void
units_date(struct text *text, uint64_t time_s)
{
    time_t time = (time_t)time_s;
    struct tm parts;
    char date[64];

    if (localtime_r(&time, &parts) == NULL ||
        strftime(date, sizeof(date), "%Y-%m-%d %H:%M", &parts) == 0)
        text_print(text, "%" PRIu64, time_s);
    else
        text_add_string(text, date);
}

int
units_parse_duration(const char *string, uint64_t *seconds_p)
{
    static const struct {
        const char *name;
        uint64_t seconds;
    } units[] = {{"", 1},          {"s", 1},        {"min", MINUTE_S}, {"m", MINUTE_S},
                 {"h", HOUR_S},    {"d", DAY_S},    {"day", DAY_S},    {"days", DAY_S},
                 {"w", 7 * DAY_S}};
    unsigned long long number;
    char *end;

    if (*string < '0' || *string > '9')
        return -1;
    errno = 0;
    number = strtoull(string, &end, 10);
    end += strspn(end, " ");
    for (size_t i = 0; errno == 0 && i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        if (number > UINT32_MAX)
            return -1;
        *seconds_p = number * units[i].seconds;
        return 0;
    }
    return -1;
}

int
units_parse_since(const char *string, uint64_t now_s, uint64_t *time_p)
{
    static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
                                        "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"};
    time_t now = (time_t)now_s, time;
    struct tm today;
    uint64_t before;

    if (units_parse_duration(string, &before) == 0) {
        *time_p = before < now_s ? now_s - before : 0;
        return 0;
    }
    if (localtime_r(&now, &today) == NULL)
        return -1;
    for (size_t i = 0; i <= sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm parts = {.tm_mday = 1};
        const char *end;

        if (i == sizeof(forms) / sizeof(forms[0]))
            parts = (struct tm){.tm_year = today.tm_year, .tm_mon = today.tm_mon,
                                .tm_mday = today.tm_mday};
        parts.tm_isdst = -1;
        end = strptime(string, i < sizeof(forms) / sizeof(forms[0]) ? forms[i] : "%H:%M", &parts);
        if (end == NULL || *end != '\0' || (time = mktime(&parts)) < 0)
            continue;
        *time_p = (uint64_t)time;
        return 0;
    }
    return -1;
}
