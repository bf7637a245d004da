/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpexec: runs a program as the ranks of a job. See cpexec(1).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec/enroll.h"
#include "exec/hosts.h"
#include "exec/descriptors.h"
#include "exec/map.h"
#include "exec/options.h"
#include "exec/programs.h"
#include "exec/remote.h"
#include "exec/run.h"
#include "plat/plat.h"
#include "ring/segment.h"
#include "text/environment.h"
#include "text/memory.h"

/* A descriptor that is closed here would be given to the next file opened, and ranks would write
 * there. In its place comes one that can be read (there is nothing) but not written: whoever closed
 * standard output is told when something is lost by it. */
static void
standard_fds_open(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
            _exit(1);
}

static int
fail(int code, const struct text *error)
{
    fprintf(stderr, "cpexec: %s\n", text_string(error));
    return code;
}

static int
hosts_check(const struct exec_options *options, struct text *error)
{
    char own[256] = "localhost";
    struct text content = {0};
    int result = 0;

    gethostname(own, sizeof(own) - 1);
    if (options->hosts != NULL && exec_hosts_check_list("--host", options->hosts, own, error) != 0)
        return -1;
    if (options->hostfile == NULL)
        return 0;
    result = exec_hosts_load(options->hostfile, &content, error);
    if (result == 0)
        result = exec_hosts_check_file(options->hostfile, text_string(&content), own, error);
    text_release(&content);
    return result;
}

static int
stdout_print(const struct text *text)
{
    fputs(text_string(text), stdout);
    if (fflush(stdout) == 0)
        return 0;
    fprintf(stderr, "cpexec: standard output can't be written: %s\n",
            text_write_error(errno));
    return 1;
}

/* --do-not-launch: the map as it would be. */
static int
map_only(const struct exec_options *options, const struct exec_map *map, uint32_t cores,
         const struct exec_remotes *remotes)
{
    char *names[EXEC_PEERS_MAX], host[256] = "localhost";
    struct exec_view view = {.options = options, .map = map, .peer_names = names, .cores = cores,
                             .remotes = remotes};
    struct text text = {0};
    int code;

    gethostname(host, sizeof(host) - 1);
    for (uint32_t i = 0; i < map->peers; i++)
        names[i] = remotes != NULL ? memory_copy_text(remotes->list[i].name)
                                   : exec_map_peer_name(map, host, i);
    if (options->json)
        exec_report_map(&text, &view);
    else
        exec_display_map(&text, &view);
    code = stdout_print(&text);
    text_release(&text);
    for (uint32_t i = 0; i < map->peers; i++)
        free(names[i]);
    return code;
}

static void
notes_make(const struct exec_options *options, struct text *notes)
{
    if (options->ignored.used > 0)
        text_print(notes, "cpexec: without effect here: %s\n",
                        text_string(&options->ignored));
}

/* The programs of a job, ready to run. */
struct images {
    struct exec_image *list;
    size_t count;
};

/* 0, or what cpexec should exit with, with `error`; release either way. */
static int
images_init(struct images *images, const struct exec_options *options, struct text *notes,
            struct text *error)
{
    int code = 0;

    images->count = options->programs_count;
    images->list = memory_new(images->count, sizeof(*images->list));
    notes_make(options, notes);
    for (size_t i = 0; i < images->count && code == 0; i++)
        code = exec_image_init(&images->list[i], &options->programs[i], environ, notes, error);
    if (code == 0 && (exec_images_check(images->list, options->programs, images->count, error) ||
                      exec_sandbox_check(&options->sandbox, images->list, images->count, error)))
        code = 1;
    return code;
}

static void
images_release(struct images *images)
{
    for (size_t i = 0; i < images->count; i++)
        exec_image_release(&images->list[i]);
    free(images->list);
}

/* The peers of a job are the agents of $CPMP_AGENTS, if that names any. */
static int
remotes_init(struct exec_remotes *remotes, struct exec_options *options, uint32_t *cores,
             struct text *error)
{
    const char *path = environment_get(environ, "CPMP_AGENTS");

    if (path == NULL || *path == '\0')
        return 0;
    if (exec_remotes_read(remotes, path, error) != 0)
        return -1;
    options->peers = remotes->count;
    options->weighted = false;
    *cores = 0;
    for (uint32_t i = 0; i < remotes->count; i++) {
        options->weights[i] = remotes->list[i].millicores / 1000;
        *cores += options->weights[i];
    }
    return 0;
}

/* --- on a pool --- */

/* What a job on a pool is made of. */
struct pooled {
    const struct exec_options *options;
    struct exec_hosts hosts;
    uint64_t ranks;
    struct exec_remotes remotes;
    struct exec_map map;
    struct images images;
    struct text notes;
    uint32_t cores;
};

static int
pooled_hosts(struct pooled *pooled, struct text *error)
{
    const struct exec_options *options = pooled->options;
    struct text content = {0};
    int result = 0;

    if (options->hosts != NULL)
        result = exec_hosts_add_list(&pooled->hosts, options->hosts, error);
    if (result == 0 && options->hostfile != NULL) {
        result = exec_hosts_load(options->hostfile, &content, error);
        if (result == 0)
            result = exec_hosts_add_file(&pooled->hosts, options->hostfile, text_string(&content),
                                         error);
    }
    text_release(&content);
    return result;
}

/* As on one machine, but for what the named peers say. */
static int
pooled_ranks(struct pooled *pooled, struct text *error)
{
    const struct exec_options *options = pooled->options;
    bool said = options->programs_count > 1 || options->programs[0].ranks > 0;

    if (!said && pooled->hosts.count > 0) {
        if (exec_hosts_ranks(&pooled->hosts, options->per_peer, &pooled->ranks, error) != 0)
            return -1;
    } else if (!said && options->per_peer > 0) {
        text_print(error, "-N %u says how many ranks each peer gets; say how many there are in "
                          "all by -np, or which peers by --host", options->per_peer);
        return -1;
    } else {
        pooled->ranks = exec_map_ranks(options, (uint32_t)cpi_cores_usable());
    }
    if (pooled->ranks > CPI_SEGMENT_WORLD_MAX)
        text_print(error, "%llu ranks are more than a job can have, which is %u; use fewer",
                   (unsigned long long)pooled->ranks, CPI_SEGMENT_WORLD_MAX);
    else if (options->stdin_rank >= 0 && (uint64_t)options->stdin_rank >= pooled->ranks)
        text_print(error, "--stdin %d: the ranks of this job are 0 to %llu", options->stdin_rank,
                   (unsigned long long)pooled->ranks - 1);
    else
        return 0;
    return -1;
}

static int
pooled_map(struct pooled *pooled, struct text *error)
{
    uint32_t counts[EXEC_PEERS_MAX], millicores[EXEC_PEERS_MAX];

    for (uint32_t i = 0; i < pooled->remotes.count; i++) {
        counts[i] = pooled->remotes.list[i].ranks;
        millicores[i] = pooled->remotes.list[i].millicores;
        pooled->cores += (millicores[i] + 999) / 1000;
    }
    return exec_map_init_enlisted(&pooled->map, pooled->options, counts, millicores,
                                  pooled->remotes.count, error) == 0 ? 0 : 1;
}

/* Up to the computer. 0, or what cpexec exits with, with `error`. */
static int
pooled_form(struct pooled *pooled, const char *directory, struct text *error)
{
    struct exec_enroll_config config = {.options = pooled->options, .directory = directory,
                                        .hosts = pooled->hosts.list, .notes = &pooled->notes};
    int code;

    if (pooled_hosts(pooled, error) != 0 || pooled_ranks(pooled, error) != 0)
        return 1;
    code = images_init(&pooled->images, pooled->options, &pooled->notes, error);
    if (code == 0)
        code = exec_images_leave_home(pooled->images.list, pooled->options, error);
    if (code != 0)
        return code;
    config.images = pooled->images.list;
    config.ranks = (uint32_t)pooled->ranks;
    config.host_count = pooled->hosts.count;
    return exec_enroll(&pooled->remotes, &config, error);
}

/* A job on peers of the pool. */
static int
pool_run(const struct exec_options *options, const char *directory, struct text *error)
{
    struct pooled pooled = {.options = options};
    int code = pooled_form(&pooled, directory, error);

    if (code == 0)
        code = pooled_map(&pooled, error);
    if (code != 0 || options->no_launch)
        fputs(text_string(&pooled.notes), stderr);
    if (code == 0 && options->no_launch)
        code = map_only(options, &pooled.map, pooled.cores, &pooled.remotes);
    else if (code == 0)
        code = exec_run(options, &pooled.map, pooled.images.list, environ, pooled.cores,
                        &pooled.remotes, text_string(&pooled.notes));
    else if (error->used > 0)
        fail(code, error);
    exec_remotes_release(&pooled.remotes);
    exec_map_release(&pooled.map);
    images_release(&pooled.images);
    text_release(&pooled.notes);
    return code;
}

/* A job on this machine alone. */
static int
machine_run(struct exec_options *options, struct text *error)
{
    uint32_t cores = (uint32_t)cpi_cores_usable();
    struct exec_remotes remotes = {0};
    struct exec_map map = {0};
    struct images images = {0};
    struct text notes = {0};
    int code = 1;

    if (hosts_check(options, error) != 0 || remotes_init(&remotes, options, &cores, error) != 0 ||
        exec_map_init(&map, options, cores, error) != 0)
        fail(1, error);
    else if (options->no_launch)
        code = map_only(options, &map, cores, NULL);
    else if (exec_descriptors_prepare(&map, options, error) != 0)
        fail(1, error);
    else if ((code = images_init(&images, options, &notes, error)) != 0)
        fail(code, error);
    else
        code = exec_run(options, &map, images.list, environ, cores,
                        remotes.count > 0 ? &remotes : NULL, text_string(&notes));
    images_release(&images);
    exec_remotes_release(&remotes);
    exec_map_release(&map);
    text_release(&notes);
    return code;
}

/* --host with names of this machine only means what it always did, unless a pool is asked for. */
static bool
hosts_are_here(const struct exec_options *options)
{
    struct text unused = {0};
    bool here = (options->hosts != NULL || options->hostfile != NULL) && options->pool == NULL &&
                hosts_check(options, &unused) == 0;

    text_release(&unused);
    return here;
}

static int
job_run(struct exec_options *options, struct text *error)
{
    const char *agents = environment_get(environ, "CPMP_AGENTS");
    struct text directory = {0}, note = {0};
    int wanted = 0, code;

    if ((agents == NULL || *agents == '\0') && !hosts_are_here(options))
        wanted = exec_enroll_wanted(options, environ, &directory, &note, error);
    fputs(text_string(&note), stderr);
    if (wanted < 0)
        code = fail(1, error);
    else if (wanted > 0)
        code = pool_run(options, text_string(&directory), error);
    else
        code = machine_run(options, error);
    text_release(&directory);
    text_release(&note);
    return code;
}

int
main(int argc, char **argv)
{
    struct exec_options options;
    struct text text = {0};
    int code;

    standard_fds_open();
    if (exec_options_parse(&options, argc, argv, environ, &text) != 0) {
        code = fail(1, &text);
    } else if (options.help || options.version) {
        if (options.help)
            exec_options_help(&text);
        else
            text_print(&text, "cpexec (cpmp) %s\n", PACKAGE_VERSION);
        code = stdout_print(&text);
    } else {
        code = job_run(&options, &text);
    }
    exec_options_release(&options);
    text_release(&text);
    return code;
}
