/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/policy_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cpmp.h>

#include "text/memory.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* From the largest, so that a value is shown in the largest unit that it is a multiple of. */
static const struct unit duration_units[] = {
    {"d", 86400000000u}, {"h", 3600000000u}, {"min", 60000000u}, {"s", 1000000u}, {"ms", 1000u}};
static const struct unit size_units[] = {
    {"T", UINT64_C(1) << 40}, {"G", 1u << 30}, {"M", 1u << 20}, {"K", 1u << 10}, {"", 1}};

#define UNITS 5u

static void *
place(const struct policy_key *key, const struct policy *policy)
{
    return (char *)(uintptr_t)policy + key->offset;
}

static int
refuse(const struct policy_key *key, const char *value, struct text *why)
{
    text_print(why, "%s = %s: it is ", key->name, value);
    policy_value_allowed(key, why);
    return CPMP_EINVAL;
}

/* --- numbers --- */

/* Digits, then a unit of `units` (NULL: none), which may stand apart. */
static int
number_read(const char *value, const struct unit *units, uint64_t *number_p)
{
    char *end;
    unsigned long long number;

    if (!isdigit((unsigned char)*value))
        return -1;
    errno = 0;
    number = strtoull(value, &end, 10);
    if (errno != 0)
        return -1;
    end += strspn(end, " ");
    if (units == NULL) {
        *number_p = number;
        return *end == '\0' ? 0 : -1;
    }
    for (size_t i = 0; i < UNITS; i++) {
        if (strcasecmp(end, units[i].name) == 0) {
            if (number > UINT64_MAX / units[i].factor)
                return -1;
            *number_p = number * units[i].factor;
            return 0;
        }
    }
    return -1;
}

/* "4GiB" and "4GB" are what people mean by 4G; "60sec" by 60s. */
static int
loose_read(const char *value, const struct unit *units, uint64_t *number_p)
{
    static const char *const endings[] = {"iB", "B", "ec", "utes"};
    size_t length = strlen(value);
    char shorter[64];

    if (number_read(value, units, number_p) == 0)
        return 0;
    for (size_t i = units == size_units ? 0 : 2; i < (units == size_units ? 2u : 4u); i++) {
        size_t ending = strlen(endings[i]);

        if (length <= ending || length >= sizeof(shorter) ||
            strcasecmp(value + length - ending, endings[i]) != 0)
            continue;
        memcpy(shorter, value, length - ending);
        shorter[length - ending] = '\0';
        if (number_read(shorter, units, number_p) == 0)
            return 0;
    }
    return -1;
}

static int
percent_read(const char *value, uint64_t *number_p)
{
    char digits[8];
    size_t length = strlen(value);

    if (length > 0 && value[length - 1] == '%')
        length--;
    if (length >= sizeof(digits))
        return -1;
    memcpy(digits, value, length);
    digits[length] = '\0';
    return number_read(digits, NULL, number_p);
}

static int
number_parse(const struct policy_key *key, uint64_t *number_p, const char *value)
{
    uint64_t number;
    int error;

    if (key->zero != NULL && (strcasecmp(value, key->zero) == 0 ||
                              (key->kind == POLICY_DURATION && strcmp(value, "0") == 0))) {
        *number_p = 0;
        return 0;
    }
    switch (key->kind) {
    case POLICY_PERCENT:
        error = percent_read(value, &number);
        break;
    case POLICY_DURATION:
        error = strcmp(value, "0") == 0 ? (number = 0, 0) :
                loose_read(value, duration_units, &number);
        break;
    case POLICY_SIZE:
        error = loose_read(value, size_units, &number);
        break;
    default:
        error = number_read(value, NULL, &number);
        break;
    }
    if (error != 0 || number < key->min || number > key->max)
        return -1;
    *number_p = number;
    return 0;
}

static int
amount_parse(const struct policy_key *key, struct policy_amount *amount, const char *value)
{
    uint64_t number;

    if (value[0] != '\0' && value[strlen(value) - 1] == '%') {
        if (percent_read(value, &number) != 0 || number < 1 || number > 100)
            return -1;
        *amount = (struct policy_amount){.percent = (uint32_t)number};
        return 0;
    }
    if (loose_read(value, size_units, &number) != 0 || number < key->min || number > key->max)
        return -1;
    *amount = (struct policy_amount){.bytes = number};
    return 0;
}

static int
yes_no_parse(bool *flag, const char *value)
{
    static const char *const words[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(value, words[i]) == 0) {
            *flag = i % 2 == 1;
            return 0;
        }
    }
    return -1;
}

/* --- lists --- */

static void
list_release(struct policy_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct policy_list){0};
}

/* An address with or without the length of a prefix. */
static bool
is_network(const char *item)
{
    unsigned char bytes[16];
    char address[POLICY_ITEM_MAX];
    size_t length = strcspn(item, "/");
    uint64_t prefix = 0;
    int family = strchr(item, ':') != NULL ? AF_INET6 : AF_INET;

    if (length >= sizeof(address))
        return false;
    memcpy(address, item, length);
    address[length] = '\0';
    if (item[length] == '/' && number_read(item + length + 1, NULL, &prefix) != 0)
        return false;
    return inet_pton(family, address, bytes) == 1 && prefix <= (family == AF_INET ? 32u : 128u);
}

static bool
item_is_right(enum policy_kind kind, const char *item)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-_.*?";
    bool plain = item[strspn(item, letters)] == '\0';

    switch (kind) {
    case POLICY_PEERS:
        if (strpbrk(item, ":/") != NULL || item[strspn(item, "0123456789.")] == '\0')
            return is_network(item);
        return plain;
    case POLICY_USERS:
        if (*item == '@')
            item++;
        return *item != '\0' && item[strcspn(item, "/:@")] == '\0';
    default:
        return plain;
    }
}

static int
list_parse(const struct policy_key *key, struct policy_list *list, const char *value,
           struct text *why)
{
    struct policy_list parsed = {0};
    const char *at = value;

    if (strcasecmp(value, "none") == 0)
        at = "";
    while (*(at += strspn(at, ", \t")) != '\0') {
        size_t length = strcspn(at, ", \t");
        char item[POLICY_ITEM_MAX];

        if (length >= sizeof(item) || parsed.count == POLICY_LIST_MAX) {
            text_print(why, "%s: a list has at most %u items of %u bytes", key->name,
                       POLICY_LIST_MAX, POLICY_ITEM_MAX - 1);
            list_release(&parsed);
            return CPMP_EINVAL;
        }
        memcpy(item, at, length);
        item[length] = '\0';
        at += length;
        if (strcasecmp(item, "all") == 0)
            memcpy(item, "*", 2);
        if (!item_is_right(key->kind, item)) {
            list_release(&parsed);
            return refuse(key, item, why);
        }
        parsed.items = memory_grow(parsed.items, parsed.count + 1, sizeof(*parsed.items));
        parsed.items[parsed.count++] = memory_copy_text(item);
    }
    list_release(list);
    *list = parsed;
    return CPMP_OK;
}

static void
list_print(const struct policy_list *list, struct text *out)
{
    if (list->count == 0)
        text_add_string(out, "none");
    for (size_t i = 0; i < list->count; i++)
        text_print(out, "%s%s", i > 0 ? ", " : "",
                   strcmp(list->items[i], "*") == 0 ? "all" : list->items[i]);
}

/* --- all kinds --- */

/* What can't stand in a line of policy.conf is refused, since the value is written there. */
static int
path_parse(const struct policy_key *key, char **path_p, const char *value, struct text *why)
{
    for (const char *at = value; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == ';')
            return refuse(key, value, why);
    }
    if ((*value != '\0' && *value != '/') || strlen(value) > POLICY_PATH_MAX)
        return refuse(key, value, why);
    free(*path_p);
    *path_p = memory_copy_text(value);
    return CPMP_OK;
}

static int
hours_value_parse(const struct policy_key *key, struct hours *hours, const char *value,
                  struct text *why)
{
    struct text reason = {0};
    int error = hours_parse(value, hours, &reason);

    if (error)
        text_print(why, "%s = %s: %s", key->name, value, text_string(&reason));
    text_release(&reason);
    return error;
}

int
policy_value_parse(const struct policy_key *key, struct policy *policy, const char *value,
                   struct text *why)
{
    void *to = place(key, policy);

    switch (key->kind) {
    case POLICY_YES_NO:
        return yes_no_parse(to, value) == 0 ? CPMP_OK : refuse(key, value, why);
    case POLICY_AMOUNT:
        return amount_parse(key, to, value) == 0 ? CPMP_OK : refuse(key, value, why);
    case POLICY_HOURS:
        return hours_value_parse(key, to, value, why);
    case POLICY_PATH:
        return path_parse(key, to, value, why);
    case POLICY_PEERS:
    case POLICY_USERS:
    case POLICY_NAMES:
        return list_parse(key, to, value, why);
    default:
        return number_parse(key, to, value) == 0 ? CPMP_OK : refuse(key, value, why);
    }
}

static void
with_unit_print(uint64_t number, const struct unit *units, struct text *out)
{
    size_t i = 0;

    while (i < UNITS - 1 && (number == 0 || number % units[i].factor != 0))
        i++;
    text_print(out, "%" PRIu64 "%s", number / units[i].factor, units[i].name);
}

static void
number_print(enum policy_kind kind, uint64_t number, struct text *out)
{
    if (kind == POLICY_DURATION && number == 0)
        text_add_string(out, "0s");
    else if (kind == POLICY_DURATION)
        with_unit_print(number, duration_units, out);
    else if (kind == POLICY_SIZE)
        with_unit_print(number, size_units, out);
    else
        text_print(out, "%" PRIu64 "%s", number, kind == POLICY_PERCENT ? "%" : "");
}

static void
number_value_print(const struct policy_key *key, uint64_t number, struct text *out)
{
    if (number == 0 && key->zero != NULL)
        text_add_string(out, key->zero);
    else
        number_print(key->kind, number, out);
}

void
policy_value_print(const struct policy_key *key, const struct policy *policy, struct text *out)
{
    const void *from = place(key, policy);
    const struct policy_amount *amount = from;

    switch (key->kind) {
    case POLICY_YES_NO:
        text_add_string(out, *(const bool *)from ? "yes" : "no");
        break;
    case POLICY_AMOUNT:
        if (amount->percent != 0)
            text_print(out, "%u%%", amount->percent);
        else
            with_unit_print(amount->bytes, size_units, out);
        break;
    case POLICY_HOURS:
        text_add_string(out, ((const struct hours *)from)->text);
        break;
    case POLICY_PATH:
        text_add_string(out, *(char *const *)from);
        break;
    case POLICY_PEERS:
    case POLICY_USERS:
    case POLICY_NAMES:
        list_print(from, out);
        break;
    default:
        number_value_print(key, *(const uint64_t *)from, out);
        break;
    }
}

static void
range_print(const struct policy_key *key, const char *what, struct text *out)
{
    text_print(out, "%s", what);
    number_print(key->kind, key->min, out);
    text_add_string(out, " to ");
    number_print(key->kind, key->max, out);
    if (key->zero != NULL)
        text_print(out, ", or %s", key->zero);
}

void
policy_value_allowed(const struct policy_key *key, struct text *out)
{
    switch (key->kind) {
    case POLICY_YES_NO:
        text_add_string(out, "yes or no");
        break;
    case POLICY_PERCENT:
    case POLICY_COUNT:
        range_print(key, "a number from ", out);
        break;
    case POLICY_DURATION:
        range_print(key, "a time (90s, 10min, 2h) from ", out);
        break;
    case POLICY_SIZE:
        range_print(key, "a size (512M, 4G) from ", out);
        break;
    case POLICY_AMOUNT:
        text_add_string(out, "a size like 4G, or a part of the whole like 75%");
        break;
    case POLICY_HOURS:
        text_add_string(out, "days and times, always, or never");
        break;
    case POLICY_PATH:
        text_add_string(out, "an absolute path without ; of at most 160 bytes, or nothing");
        break;
    case POLICY_PEERS:
        text_add_string(out, "names, ids, addresses (192.0.2.0/24), all, or none");
        break;
    case POLICY_USERS:
        text_add_string(out, "users by name or number, @groups, all, or none");
        break;
    case POLICY_NAMES:
        text_add_string(out, "names, all, or none");
        break;
    }
}

void
policy_value_release(const struct policy_key *key, struct policy *policy)
{
    void *from = place(key, policy);

    if (key->kind == POLICY_PATH) {
        free(*(char **)from);
        *(char **)from = NULL;
    } else if (key->kind >= POLICY_PEERS) {
        list_release(from);
    }
}
