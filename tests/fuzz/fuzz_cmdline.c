/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line of cpexec: words are the input's pieces between 0 bytes and newlines. What
 * parses is placed too, so that the map's invariants (exec_map_check) are tried with whatever
 * numbers come.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "exec/hosts.h"
#include "exec/map.h"
#include "exec/options.h"

#define WORDS_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int
words_split(char *text, size_t bytes, char **words)
{
    int count = 1;

    words[0] = "cpexec";
    for (size_t at = 0; at < bytes && count < WORDS_MAX; at += strlen(text + at) + 1)
        words[count++] = text + at;
    words[count] = NULL;
    return count;
}

/* What holds of every command line that was taken. */
static void
options_check(const struct exec_options *options)
{
    if (options->help || options->version)
        return;
    if (options->programs_count == 0 || options->peers == 0 || options->peers > EXEC_PEERS_MAX)
        abort();
    for (size_t i = 0; i < options->programs_count; i++)
        if (options->programs[i].argv[0] == NULL)
            abort();
    for (uint32_t i = 0; i < options->peers; i++)
        if (options->weights[i] == 0 || options->weights[i] > EXEC_WEIGHT_MAX)
            abort();
}

static void
options_use(const struct exec_options *options)
{
    struct exec_map map;
    struct text error = {0};

    if (options->help || options->version)
        return;
    if (options->hosts != NULL)
        exec_hosts_check_list("--host", options->hosts, "node1.example.org", &error);
    text_clear(&error);
    if (exec_map_init(&map, options, 2, &error) != 0 && error.used == 0)
        abort();
    exec_map_release(&map);
    text_release(&error);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static char *environment[] = {"MPIEXEC_TIMEOUT=10", NULL};
    struct exec_options options;
    struct text error = {0};
    char *words[WORDS_MAX + 1], *text = malloc(bytes + 1);

    if (text == NULL)
        return 0;
    for (size_t i = 0; i < bytes; i++)
        text[i] = data[i] == '\n' ? '\0' : (char)data[i];
    text[bytes] = '\0';
    if (exec_options_parse(&options, words_split(text, bytes, words), words, environment, &error) ==
        0) {
        options_check(&options);
        options_use(&options);
    } else if (error.used == 0) {
        abort();  /* refused without a word */
    }
    exec_options_release(&options);
    text_release(&error);
    free(text);
    return 0;
}
