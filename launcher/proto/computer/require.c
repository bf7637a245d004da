/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/computer/require.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cpmp.h>

enum kind { WORD, ID, NAMES, VERSION, COUNT, BYTES, DISTANCE };

struct field {
    const char *name;
    enum kind kind;
    size_t offset;
    size_t bytes;
    const char *noun;  /* for people */
};

#define FIELD(member) offsetof(struct seller, member), sizeof(((struct seller *)0)->member)

static const struct field fields[] = {
    {"name", WORD, FIELD(name), "name"},
    {"id", ID, FIELD(id), "id"},
    {"arch", WORD, FIELD(arch), "arch"},
    {"os", WORD, FIELD(os), "os"},
    {"weakness", NAMES, FIELD(weaknesses), "weakness"},
    {"kernel", VERSION, FIELD(kernel), "kernel"},
    {"version", VERSION, FIELD(version), "version of cpmp"},
    {"cores", COUNT, FIELD(cores), "number of cores"},
    {"free", COUNT, FIELD(ranks_free), "number of free cores"},
    {"memory", BYTES, FIELD(memory_free_bytes), "memory for jobs"},
    {"memory-total", BYTES, FIELD(memory_bytes), "memory"},
    {"scratch", BYTES, FIELD(scratch_bytes), "scratch space"},
    {"distance", DISTANCE, FIELD(distance_us), "distance"},
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

/* Two characters before one, so that >= isn't read as >. */
static const struct {
    const char *sign;
    enum require_operator op;
} operators[] = {{"!=", REQUIRE_UNEQUAL}, {">=", REQUIRE_AT_LEAST}, {"<=", REQUIRE_AT_MOST},
                 {"=", REQUIRE_EQUAL},    {">", REQUIRE_ABOVE},     {"<", REQUIRE_BELOW}};

#define OPERATORS (sizeof(operators) / sizeof(operators[0]))

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit byte_units[] = {{"", 1},         {"k", 1u << 10},
                                         {"m", 1u << 20}, {"g", 1u << 30},
                                         {"t", UINT64_C(1) << 40}, {NULL, 0}};
static const struct unit time_units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {NULL, 0}};

static const struct unit *
units_of(enum kind kind)
{
    return kind == BYTES ? byte_units : kind == DISTANCE ? time_units : no_units;
}

/* --- parsing --- */

static int
number_read(const char *text, const struct unit *units, uint64_t *number_p)
{
    uint64_t number = 0;
    size_t length;

    if (!isdigit((unsigned char)*text))
        return -1;
    for (; isdigit((unsigned char)*text); text++) {
        if (number > (UINT64_MAX - 9) / 10)
            return -1;
        number = number * 10 + (uint64_t)(*text - '0');
    }
    length = strlen(text);
    if (units == byte_units && length == 3 && strcasecmp(text + 1, "iB") == 0)
        length = 1;
    else if (units == byte_units && length == 2 && strcasecmp(text + 1, "B") == 0)
        length = 1;
    for (; units->name != NULL; units++) {
        if (strlen(units->name) == length && strncasecmp(units->name, text, length) == 0) {
            if (number > UINT64_MAX / units->factor)
                return -1;
            *number_p = number * units->factor;
            return 0;
        }
    }
    return -1;
}

static int
field_refuse(const char *text, size_t length, char *why)
{
    size_t used = (size_t)snprintf(why, REQUIRE_WHY_BYTES, "nothing is called \"%.*s\"; there are",
                                   length < 32 ? (int)length : 32, text);

    for (size_t i = 0; i < FIELDS && used < REQUIRE_WHY_BYTES; i++)
        used += (size_t)snprintf(why + used, REQUIRE_WHY_BYTES - used, "%s %s", i > 0 ? "," : "",
                                 fields[i].name);
    return CPMP_EINVAL;
}

static int
value_read(struct require_term *term, char *why)
{
    const struct field *field = &fields[term->field];

    if (field->kind <= NAMES && term->op > REQUIRE_UNEQUAL) {
        snprintf(why, REQUIRE_WHY_BYTES, "%s is a word: compare it with = or !=", field->name);
        return CPMP_EINVAL;
    }
    if (field->kind == VERSION && !isdigit((unsigned char)term->value[0])) {
        snprintf(why, REQUIRE_WHY_BYTES, "%s: \"%s\" is no version like 6.1", field->name,
                 term->value);
        return CPMP_EINVAL;
    }
    if (field->kind > VERSION &&
        number_read(term->value, units_of(field->kind), &term->number) != 0) {
        snprintf(why, REQUIRE_WHY_BYTES, "%s: \"%s\" is no %s", field->name, term->value,
                 field->kind == BYTES ? "size like 512M or 4G" :
                 field->kind == DISTANCE ? "time like 500us or 5ms" : "whole number");
        return CPMP_EINVAL;
    }
    return CPMP_OK;
}

static int
term_parse(const char *text, size_t length, struct require_term *term, char *why)
{
    size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_");
    size_t row = 0;
    size_t sign = 0;

    if (name > length)
        name = length;
    while (row < FIELDS && (strlen(fields[row].name) != name ||
                            strncasecmp(fields[row].name, text, name) != 0))
        row++;
    if (row == FIELDS)
        return field_refuse(text, name, why);
    while (sign < OPERATORS &&
           strncmp(text + name, operators[sign].sign, strlen(operators[sign].sign)) != 0)
        sign++;
    if (sign == OPERATORS || name + strlen(operators[sign].sign) >= length) {
        snprintf(why, REQUIRE_WHY_BYTES, "%s wants a comparison and a value, as in %s", fields[row]
                 .name, fields[row].kind <= NAMES ? "arch=x86_64" : "memory>=4G");
        return CPMP_EINVAL;
    }
    name += strlen(operators[sign].sign);
    if (length - name >= REQUIRE_VALUE_BYTES) {
        snprintf(why, REQUIRE_WHY_BYTES, "the value of %s is longer than %u bytes",
                 fields[row].name, REQUIRE_VALUE_BYTES - 1);
        return CPMP_ELIMIT;
    }
    *term = (struct require_term){.field = (uint8_t)row, .op = operators[sign].op};
    memcpy(term->value, text + name, length - name);
    return value_read(term, why);
}

int
require_parse(const char *text, struct require *require, char *why)
{
    struct require parsed = *require;

    for (;;) {
        size_t length;
        int error;

        text += strspn(text, " ");
        length = strcspn(text, ",");
        if (parsed.count == REQUIRE_TERMS_MAX) {
            snprintf(why, REQUIRE_WHY_BYTES, "at most %u things can be required",
                     REQUIRE_TERMS_MAX);
            return CPMP_ELIMIT;
        }
        error = term_parse(text, length, &parsed.terms[parsed.count], why);
        if (error)
            return error;
        parsed.count++;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    *require = parsed;
    return CPMP_OK;
}

/* --- matching --- */

/* One pattern of `length` bytes. Goes back to the last * only, so its time is bounded by the
 * product of the lengths. */
static bool
glob_matches(const char *pattern, size_t length, const char *text)
{
    const char *end = pattern + length;
    const char *star = NULL;
    const char *from = NULL;

    while (*text != '\0') {
        if (pattern < end && *pattern == '*') {
            star = ++pattern;
            from = text;
        } else if (pattern < end &&
                   (*pattern == '?' ||
                    tolower((unsigned char)*pattern) == tolower((unsigned char)*text))) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = ++from;
        } else {
            return false;
        }
    }
    while (pattern < end && *pattern == '*')
        pattern++;
    return pattern == end;
}

bool
require_pattern_matches(const char *patterns, const char *text)
{
    for (;;) {
        size_t length = strcspn(patterns, "|");

        if (glob_matches(patterns, length, text))
            return true;
        if (patterns[length] == '\0')
            return false;
        patterns += length + 1;
    }
}

/* Is one of the names between commas among the patterns? */
static bool
names_match(const char *patterns, const char *names)
{
    char name[SELLER_WEAKNESSES_BYTES];

    while (*names != '\0') {
        size_t length = strcspn(names, ",");

        assert(length < sizeof(name));
        memcpy(name, names, length);
        name[length] = '\0';
        if (require_pattern_matches(patterns, name))
            return true;
        names += length + (names[length] == ',');
    }
    return false;
}

/* "6.1.0-18" against "6.10": number by number; what isn't there is 0, what follows them is nothing.
 * Below, at, above 0 as strcmp. */
static int
versions_compare(const char *a, const char *b)
{
    for (;;) {
        uint64_t left = 0;
        uint64_t right = 0;

        for (; isdigit((unsigned char)*a) && left < UINT64_MAX / 16; a++)
            left = left * 10 + (uint64_t)(*a - '0');
        for (; isdigit((unsigned char)*b) && right < UINT64_MAX / 16; b++)
            right = right * 10 + (uint64_t)(*b - '0');
        if (left != right)
            return left < right ? -1 : 1;
        a = *a == '.' ? a + 1 : "";
        b = *b == '.' ? b + 1 : "";
        if (*a == '\0' && *b == '\0')
            return 0;
    }
}

static bool
order_holds(enum require_operator op, int order)
{
    switch (op) {
    case REQUIRE_EQUAL:
        return order == 0;
    case REQUIRE_UNEQUAL:
        return order != 0;
    case REQUIRE_AT_LEAST:
        return order >= 0;
    case REQUIRE_AT_MOST:
        return order <= 0;
    case REQUIRE_ABOVE:
        return order > 0;
    default:
        return order < 0;
    }
}

static uint64_t
number_of(const struct field *field, const struct seller *seller)
{
    const char *from = (const char *)seller + field->offset;
    uint64_t wide;
    uint32_t narrow;

    if (field->bytes == sizeof(wide)) {
        memcpy(&wide, from, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, from, sizeof(narrow));
    return narrow;
}

/* What the seller has, for people. */
static void
shown(const struct field *field, const struct seller *seller, char *out, size_t bytes)
{
    uint64_t number = field->kind > VERSION ? number_of(field, seller) : 0;

    if (field->kind == ID) {
        for (size_t i = 0; i < SELLER_ID_BYTES; i++)
            snprintf(out + 2 * i, bytes - 2 * i, "%02x", seller->id[i]);
    } else if (field->kind <= VERSION) {
        const char *word = (const char *)seller + field->offset;

        snprintf(out, bytes, "%.120s", *word != '\0' ? word : "not known");
    } else if (field->kind == DISTANCE && number == SELLER_DISTANCE_UNKNOWN) {
        snprintf(out, bytes, "not known");
    } else if (field->kind == DISTANCE) {
        snprintf(out, bytes, "%" PRIu64 "us", number);
    } else if (field->kind == BYTES) {
        snprintf(out, bytes, "%" PRIu64 "M", number >> 20);
    } else {
        snprintf(out, bytes, "%" PRIu64, number);
    }
}

static bool
term_holds(const struct require_term *term, const struct seller *seller, const char *has)
{
    const struct field *field = &fields[term->field];
    bool equal = term->op == REQUIRE_EQUAL;
    uint64_t number;

    switch (field->kind) {
    case WORD:
    case ID:
        return require_pattern_matches(term->value, has) == equal;
    case NAMES:
        return names_match(term->value, seller->weaknesses) == equal;
    case VERSION:
        return order_holds(term->op, versions_compare(has, term->value));
    default:
        number = number_of(field, seller);
        return order_holds(term->op, number < term->number ? -1 : number > term->number);
    }
}

bool
require_match(const struct require *require, const struct seller *seller, char *why)
{
    for (uint32_t i = 0; i < require->count; i++) {
        const struct require_term *term = &require->terms[i];
        const struct field *field = &fields[term->field];
        static const char *const wanted[] = {", not ",             " but may not be ",
                                             " but should be >= ", " but should be <= ",
                                             " but should be > ",  " but should be < "};
        char has[128];

        shown(field, seller, has, sizeof(has));
        if (term_holds(term, seller, has))
            continue;
        if (field->kind == NAMES && term->op == REQUIRE_UNEQUAL)
            snprintf(why, REQUIRE_WHY_BYTES, "its sandbox has the weakness %.100s", term->value);
        else
            snprintf(why, REQUIRE_WHY_BYTES, "its %s is %.100s%s%.100s", field->noun, has,
                     wanted[term->op], term->value);
        return false;
    }
    return true;
}
