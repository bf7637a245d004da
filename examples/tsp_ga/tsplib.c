/* SPDX-License-Identifier: BSD-3-Clause */
#include "tsplib.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MAX 63 /* no number in a sound file is longer */

/* A piece of the text; not terminated. */
struct slice {
    const char *at;
    size_t bytes;
};

enum keyword {
    KEY_NAME, KEY_COMMENT, KEY_TYPE, KEY_DIMENSION, KEY_WEIGHT_TYPE, KEY_WEIGHT_FORMAT,
    KEY_COORD_TYPE, KEY_DISPLAY_TYPE, KEY_COORD_SECTION, KEY_WEIGHT_SECTION, KEY_DISPLAY_SECTION,
    KEY_EOF, KEY_UNKNOWN
};

static const char *const keyword_names[] = {
    "NAME", "COMMENT", "TYPE", "DIMENSION", "EDGE_WEIGHT_TYPE", "EDGE_WEIGHT_FORMAT",
    "NODE_COORD_TYPE", "DISPLAY_DATA_TYPE", "NODE_COORD_SECTION", "EDGE_WEIGHT_SECTION",
    "DISPLAY_DATA_SECTION", "EOF",
};

static const char *const weight_names[] = {"EUC_2D", "CEIL_2D", "ATT", "GEO", "EXPLICIT"};

/* Columns of row i that a format lists: from first + i·first_slope up to (not with) the end. In a
 * symmetric matrix the columns of one triangle are the rows of the other. */
static const struct format {
    const char *name;
    int first, first_slope;
    int end_is_n, end; /* end_is_n: to the end of the row; else up to i + end */
} formats[] = {
    {"FULL_MATRIX", 0, 0, 1, 0},    {"UPPER_ROW", 1, 1, 1, 0},      {"LOWER_ROW", 0, 0, 0, 0},
    {"UPPER_DIAG_ROW", 0, 1, 1, 0}, {"LOWER_DIAG_ROW", 0, 0, 0, 1}, {"UPPER_COL", 0, 0, 0, 0},
    {"LOWER_COL", 1, 1, 1, 0},      {"UPPER_DIAG_COL", 0, 0, 0, 1}, {"LOWER_DIAG_COL", 0, 1, 1, 0},
};

struct reader {
    const char *file;
    const char *at, *end;
    long next_line; /* the line that `at` stands in */
    long line;      /* the line of what was read last; errors name it */
    char *error;
    struct instance *instance;
    const struct format *format;
    unsigned seen; /* a bit for each keyword */
};

__attribute__((format(printf, 2, 3)))
static int fail(struct reader *reader, const char *format, ...)
{
    va_list arguments;
    int used = snprintf(reader->error, TSPLIB_ERROR_BYTES, "%.200s:%ld: ", reader->file,
                        reader->line);
    va_start(arguments, format);
    vsnprintf(reader->error + used, TSPLIB_ERROR_BYTES - (size_t)used, format, arguments);
    va_end(arguments);
    return -1;
}

/* What the file says there, fit for a terminal. */
struct quoted {
    char text[40];
};

static struct quoted quote(struct slice slice)
{
    struct quoted quoted;
    size_t shown = slice.bytes < 32 ? slice.bytes : 32;

    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)slice.at[i];
        quoted.text[i] = isprint(c) ? (char)c : '?';
    }
    snprintf(quoted.text + shown, sizeof quoted.text - shown, "%s",
             shown < slice.bytes ? "..." : "");
    return quoted;
}

static struct slice trimmed(struct slice slice)
{
    while (slice.bytes > 0 && isspace((unsigned char)slice.at[0])) {
        slice.at++;
        slice.bytes--;
    }
    while (slice.bytes > 0 && isspace((unsigned char)slice.at[slice.bytes - 1])) {
        slice.bytes--;
    }
    return slice;
}

static bool slice_is(struct slice slice, const char *word)
{
    return slice.bytes == strlen(word) && memcmp(slice.at, word, slice.bytes) == 0;
}

/* The next line that is not blank, or (false) the end of the file. */
static bool read_line(struct reader *reader, struct slice *line_p)
{
    while (reader->at < reader->end) {
        size_t left = (size_t)(reader->end - reader->at);
        const char *newline = memchr(reader->at, '\n', left);
        struct slice line = {reader->at, newline ? (size_t)(newline - reader->at) : left};

        reader->line = reader->next_line;
        reader->next_line += newline != NULL;
        reader->at = newline ? newline + 1 : reader->end;
        line = trimmed(line);
        if (line.bytes > 0) {
            *line_p = line;
            return true;
        }
    }
    return false;
}

/* The first word of *rest_p, which goes on behind it; false: there is none. */
static bool take_word(struct slice *rest_p, struct slice *word_p)
{
    struct slice rest = trimmed(*rest_p);
    size_t bytes = 0;

    while (bytes < rest.bytes && !isspace((unsigned char)rest.at[bytes])) {
        bytes++;
    }
    *word_p = (struct slice){rest.at, bytes};
    *rest_p = (struct slice){rest.at + bytes, rest.bytes - bytes};
    return bytes > 0;
}

/* The next word, on whatever line it stands. */
static bool read_word(struct reader *reader, struct slice *word_p)
{
    while (reader->at < reader->end && isspace((unsigned char)*reader->at)) {
        reader->next_line += *reader->at == '\n';
        reader->at++;
    }
    reader->line = reader->next_line;

    const char *start = reader->at;
    while (reader->at < reader->end && !isspace((unsigned char)*reader->at)) {
        reader->at++;
    }
    *word_p = (struct slice){start, (size_t)(reader->at - start)};
    return word_p->bytes > 0;
}

static bool number_of(struct slice word, const char *alphabet, char text[TOKEN_MAX + 1])
{
    if (word.bytes == 0 || word.bytes > TOKEN_MAX) {
        return false;
    }
    memcpy(text, word.at, word.bytes);
    text[word.bytes] = '\0';
    return strspn(text, alphabet) == word.bytes;
}

static bool integer_of(struct slice word, long minimum, long maximum, long *value_p)
{
    char text[TOKEN_MAX + 1], *end;

    if (!number_of(word, "+-0123456789", text)) {
        return false;
    }
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end != text + word.bytes || value < minimum || value > maximum) {
        return false;
    }
    *value_p = value;
    return true;
}

/* The alphabet keeps out strtod's hexadecimals, infinities and NaN. */
static bool coordinate_of(struct slice word, double *value_p)
{
    char text[TOKEN_MAX + 1], *end;

    if (!number_of(word, "+-.0123456789eE", text)) {
        return false;
    }
    double value = strtod(text, &end);
    if (end != text + word.bytes || !(value >= -INSTANCE_COORDINATE_MAX)
        || !(value <= INSTANCE_COORDINATE_MAX)) {
        return false;
    }
    *value_p = value;
    return true;
}

static int read_dimension(struct reader *reader, struct slice value)
{
    long cities;

    if (!integer_of(value, LONG_MIN, LONG_MAX, &cities)) {
        return fail(reader, "DIMENSION must be a whole number, not '%s'", quote(value).text);
    }
    if (cities < INSTANCE_CITIES_MIN || cities > INSTANCE_CITIES_MAX) {
        return fail(reader, "DIMENSION %ld is outside of what this program takes, %d to %d cities",
                    cities, INSTANCE_CITIES_MIN, INSTANCE_CITIES_MAX);
    }
    reader->instance->cities = (int)cities;
    return 0;
}

static int read_weight_type(struct reader *reader, struct slice value)
{
    for (size_t i = 0; i < sizeof weight_names / sizeof *weight_names; i++) {
        if (slice_is(value, weight_names[i])) {
            reader->instance->weight = (enum weight_type)i;
            return 0;
        }
    }
    return fail(reader, "EDGE_WEIGHT_TYPE '%s' is not known here; these are: EUC_2D, CEIL_2D, ATT,"
                " GEO, EXPLICIT", quote(value).text);
}

static int read_weight_format(struct reader *reader, struct slice value)
{
    if (slice_is(value, "FUNCTION")) {
        return 0; /* says that the weights come from coordinates */
    }
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (slice_is(value, formats[i].name)) {
            reader->format = &formats[i];
            return 0;
        }
    }
    return fail(reader, "EDGE_WEIGHT_FORMAT '%s' is not known here; these are: FULL_MATRIX,"
                " UPPER_ROW, LOWER_ROW, UPPER_DIAG_ROW, LOWER_DIAG_ROW and the same with COL",
                quote(value).text);
}

static int need(struct reader *reader, enum keyword section, enum keyword keyword)
{
    if ((reader->seen & 1u << keyword) == 0) {
        return fail(reader, "%s must stand before %s", keyword_names[keyword],
                    keyword_names[section]);
    }
    return 0;
}

/* One line "number x y". x and y are NULL when only the form counts. */
static int read_place(struct reader *reader, bool *taken, double *x, double *y)
{
    struct slice line, rest, word[3], more;
    int cities = reader->instance->cities;
    long number;
    double place[2];

    if (!read_line(reader, &line)) {
        return fail(reader, "the file ends before all %d cities are given", cities);
    }
    rest = line;
    if (!take_word(&rest, &word[0]) || !take_word(&rest, &word[1]) || !take_word(&rest, &word[2])
        || take_word(&rest, &more)) {
        return fail(reader, "expected the number of a city and two coordinates, not '%s'",
                    quote(line).text);
    }
    if (!integer_of(word[0], 1, cities, &number)) {
        return fail(reader, "'%s' is not the number of a city, 1 to %d", quote(word[0]).text,
                    cities);
    }
    if (taken[number - 1]) {
        return fail(reader, "city %ld is given a second time", number);
    }
    for (int i = 0; i < 2; i++) {
        if (!coordinate_of(word[i + 1], &place[i])) {
            return fail(reader, "'%s' is not a coordinate from -%g to %g", quote(word[i + 1]).text,
                        INSTANCE_COORDINATE_MAX, INSTANCE_COORDINATE_MAX);
        }
    }
    taken[number - 1] = true;
    if (x != NULL) {
        x[number - 1] = place[0];
        y[number - 1] = place[1];
    }
    return 0;
}

static int read_places(struct reader *reader, enum keyword section)
{
    struct instance *instance = reader->instance;
    bool wanted = section == KEY_COORD_SECTION && instance->weight != WEIGHT_EXPLICIT;
    int result = 0;

    if (need(reader, section, KEY_DIMENSION) || need(reader, section, KEY_WEIGHT_TYPE)) {
        return -1;
    }
    bool *taken = calloc((size_t)instance->cities, sizeof *taken);
    if (wanted) {
        instance->x = calloc((size_t)instance->cities, sizeof *instance->x);
        instance->y = calloc((size_t)instance->cities, sizeof *instance->y);
    }
    if (taken == NULL || (wanted && (instance->x == NULL || instance->y == NULL))) {
        free(taken);
        return fail(reader, "out of memory for %d cities", instance->cities);
    }
    for (int i = 0; i < instance->cities && result == 0; i++) {
        result = read_place(reader, taken, wanted ? instance->x : NULL, instance->y);
    }
    free(taken);
    return result;
}

static int read_weight(struct reader *reader, int row, int column)
{
    struct slice word;
    int32_t *table = reader->instance->table;
    size_t n = (size_t)reader->instance->cities;
    int32_t *there = &table[(size_t)row * n + (size_t)column];
    int32_t *mirrored = &table[(size_t)column * n + (size_t)row];
    long value;

    if (!read_word(reader, &word)) {
        return fail(reader, "the file ends before all weights are given: row %d, column %d is"
                    " missing", row + 1, column + 1);
    }
    if (!integer_of(word, 0, INSTANCE_WEIGHT_MAX, &value)) {
        return fail(reader, "'%s' is not a weight, a whole number from 0 to %d (row %d, column %d)",
                    quote(word).text, INSTANCE_WEIGHT_MAX, row + 1, column + 1);
    }
    if (row == column) {
        return 0; /* some files have 0 there, some 9999; nobody goes from a city to itself */
    }
    if (reader->format == &formats[0] && column < row && *mirrored != value) {
        return fail(reader, "the matrix is not symmetric: %ld at row %d, column %d, but %d the"
                    " other way round", value, row + 1, column + 1, (int)*mirrored);
    }
    *there = *mirrored = (int32_t)value;
    return 0;
}

static int check_matrix(struct reader *reader)
{
    struct instance *instance = reader->instance;
    size_t n = (size_t)instance->cities;

    if (need(reader, KEY_WEIGHT_SECTION, KEY_DIMENSION)
        || need(reader, KEY_WEIGHT_SECTION, KEY_WEIGHT_TYPE)
        || need(reader, KEY_WEIGHT_SECTION, KEY_WEIGHT_FORMAT)) {
        return -1;
    }
    if (instance->weight != WEIGHT_EXPLICIT || reader->format == NULL) {
        return fail(reader, "EDGE_WEIGHT_SECTION goes with EDGE_WEIGHT_TYPE EXPLICIT and a format"
                    " of a matrix");
    }
    if (instance->cities > INSTANCE_EXPLICIT_MAX) {
        return fail(reader, "a matrix of %d cities is more than this program takes, %d",
                    instance->cities, INSTANCE_EXPLICIT_MAX);
    }
    /* The smallest triangle of one digit and a space each: a few bytes cannot ask for 64 MiB. */
    if ((size_t)(reader->end - reader->at) + 1 < n * (n - 1)) {
        return fail(reader, "the rest of the file is too short for the weights of %d cities",
                    instance->cities);
    }
    return 0;
}

static int read_matrix(struct reader *reader)
{
    struct instance *instance = reader->instance;
    const struct format *format = reader->format;
    int n = instance->cities;

    if (check_matrix(reader) != 0) {
        return -1;
    }
    instance->table = calloc((size_t)n * (size_t)n, sizeof *instance->table);
    if (instance->table == NULL) {
        return fail(reader, "out of memory for the weights of %d cities", n);
    }
    for (int row = 0; row < n; row++) {
        int end = format->end_is_n ? n : row + format->end;
        for (int column = format->first + row * format->first_slope; column < end; column++) {
            if (read_weight(reader, row, column) != 0) {
                return -1;
            }
        }
    }
    return 0;
}

static int read_entry(struct reader *reader, enum keyword keyword, struct slice value)
{
    struct instance *instance = reader->instance;
    struct slice word;

    switch (keyword) {
    case KEY_NAME:
        snprintf(instance->name, sizeof instance->name, "%s", quote(value).text);
        return 0;
    case KEY_TYPE: /* a word may follow: "TSP (M.~Hofmeister)" */
        if (!take_word(&value, &word) || !slice_is(word, "TSP")) {
            return fail(reader, "TYPE is '%s'; only TSP, the symmetric travelling salesman, is"
                        " known here", quote(word).text);
        }
        return 0;
    case KEY_DIMENSION:
        return read_dimension(reader, value);
    case KEY_WEIGHT_TYPE:
        return read_weight_type(reader, value);
    case KEY_WEIGHT_FORMAT:
        return read_weight_format(reader, value);
    case KEY_COORD_SECTION:
    case KEY_DISPLAY_SECTION:
        return read_places(reader, keyword);
    case KEY_WEIGHT_SECTION:
        return read_matrix(reader);
    default:
        return 0; /* a comment, or how to draw the thing */
    }
}

/* Split "KEYWORD : value"; the colon may be missing or touch either side. */
static enum keyword split(struct slice line, struct slice *word_p, struct slice *value_p)
{
    size_t bytes = 0;

    while (bytes < line.bytes && line.at[bytes] != ':' && !isspace((unsigned char)line.at[bytes])) {
        bytes++;
    }
    *word_p = (struct slice){line.at, bytes};
    *value_p = trimmed((struct slice){line.at + bytes, line.bytes - bytes});
    if (value_p->bytes > 0 && value_p->at[0] == ':') {
        *value_p = trimmed((struct slice){value_p->at + 1, value_p->bytes - 1});
    }
    for (int i = 0; i < KEY_UNKNOWN; i++) {
        if (slice_is(*word_p, keyword_names[i])) {
            return (enum keyword)i;
        }
    }
    return KEY_UNKNOWN;
}

static int read_entries(struct reader *reader)
{
    struct slice line, word, value;

    while (read_line(reader, &line)) {
        enum keyword keyword = split(line, &word, &value);

        if (keyword == KEY_EOF) {
            return 0;
        }
        if (keyword == KEY_UNKNOWN && (reader->seen & 1u << KEY_DIMENSION)
            && strchr("+-.0123456789", line.at[0]) != NULL) {
            return fail(reader, "there are more numbers than DIMENSION %d asks for, from '%s' on",
                        reader->instance->cities, quote(line).text);
        }
        if (keyword == KEY_UNKNOWN) {
            return fail(reader, "'%s' is not a keyword of TSPLIB that is known here",
                        quote(word).text);
        }
        if (keyword != KEY_COMMENT && (reader->seen & 1u << keyword)) {
            return fail(reader, "%s is given a second time", keyword_names[keyword]);
        }
        if (read_entry(reader, keyword, value) != 0) {
            return -1;
        }
        reader->seen |= 1u << keyword;
    }
    return 0;
}

int tsplib_parse(const char *text, size_t bytes, const char *file, struct instance *instance_p,
                 char error[TSPLIB_ERROR_BYTES])
{
    struct instance instance = {0};
    struct reader reader = {
        .file = file, .at = text, .end = text + bytes, .next_line = 1, .line = 1, .error = error,
        .instance = &instance,
    };

    snprintf(instance.name, sizeof instance.name, "unnamed");
    int result = read_entries(&reader);
    if (result == 0 && (reader.seen & 1u << KEY_DIMENSION) == 0) {
        result = fail(&reader, "the file ends without a DIMENSION; is it a TSPLIB file?");
    }
    if (result == 0 && instance.x == NULL && instance.table == NULL) {
        result = fail(&reader, "the file ends without a NODE_COORD_SECTION or"
                      " EDGE_WEIGHT_SECTION that gives the distances");
    }
    if (result == 0 && instance_prepare(&instance) != 0) {
        result = fail(&reader, "out of memory for %d cities", instance.cities);
    }
    if (result != 0) {
        instance_release(&instance);
        return -1;
    }
    *instance_p = instance;
    return 0;
}

/* All that `stream` has, in one growing buffer; NULL with errno set when it can't be. */
static char *slurp_stream(FILE *stream, size_t *bytes_p)
{
    size_t bytes = 0, room = 64 << 10;
    char *text = malloc(room);

    while (text != NULL) {
        bytes += fread(text + bytes, 1, room - bytes, stream);
        if (bytes < room || bytes > TSPLIB_BYTES_MAX) {
            break;
        }
        char *larger = realloc(text, room *= 2);
        if (larger == NULL) {
            free(text);
        }
        text = larger;
    }
    if (text != NULL && (ferror(stream) || bytes > TSPLIB_BYTES_MAX)) {
        errno = ferror(stream) ? errno : EFBIG;
        free(text);
        return NULL;
    }
    *bytes_p = bytes;
    return text;
}

int tsplib_slurp(const char *path, char **text_p, size_t *bytes_p, char error[TSPLIB_ERROR_BYTES])
{
    bool standard = strcmp(path, "-") == 0;
    FILE *stream = standard ? stdin : fopen(path, "rb");
    char *text = stream != NULL ? slurp_stream(stream, bytes_p) : NULL;

    if (text == NULL) {
        snprintf(error, TSPLIB_ERROR_BYTES, "cannot read %.200s: %s", standard ? "stdin" : path,
                 strerror(errno));
    }
    if (stream != NULL && !standard) {
        fclose(stream);
    }
    *text_p = text;
    return text != NULL ? 0 : -1;
}
