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
    char piece[4096];
    size_t count;
    FILE *file;
    int result, failed;

    gethostname(own, sizeof(own) - 1);
    if (options->hosts != NULL && exec_hosts_check_list("--host", options->hosts, own, error) != 0)
        return -1;
    if (options->hostfile == NULL)
        return 0;
    file = fopen(options->hostfile, "re");
    if (file == NULL) {
        text_print(error, "--hostfile %s: %s", options->hostfile, strerror(errno));
        return -1;
    }
    while ((count = fread(piece, 1, sizeof(piece), file)) > 0)
        text_add(&content, piece, count);
    failed = ferror(file) ? errno : 0;
    fclose(file);
    if (failed) {
        text_print(error, "--hostfile %s: it can't be read: %s", options->hostfile,
                        strerror(failed));
        text_release(&content);
        return -1;
    }
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

/* A job on peers of the pool. */
static int
pool_run(const struct exec_options *options, const char *directory, struct text *error)
{
    uint32_t counts[EXEC_PEERS_MAX], millicores[EXEC_PEERS_MAX], cores = 0;
    uint64_t ranks = exec_map_ranks(options, (uint32_t)cpi_cores_usable());
    struct exec_remotes remotes = {0};
    struct exec_map map = {0};
    struct images images = {0};
    struct text notes = {0};
    int code = images_init(&images, options, &notes, error);

    if (code == 0)
        code = exec_images_leave_home(images.list, options, error);
    if (code == 0)
        code = exec_enroll(&remotes, options, images.list, (uint32_t)ranks, directory, error);
    for (uint32_t i = 0; i < remotes.count && code == 0; i++) {
        counts[i] = remotes.list[i].ranks;
        millicores[i] = remotes.list[i].millicores;
        cores += (millicores[i] + 999) / 1000;
    }
    if (code == 0 &&
        exec_map_init_enlisted(&map, options, counts, millicores, remotes.count, error) != 0)
        code = 1;
    if (code == 0 && options->no_launch)
        code = map_only(options, &map, cores, &remotes);
    else if (code == 0)
        code = exec_run(options, &map, images.list, environ, cores, &remotes, text_string(&notes));
    else if (error->used > 0)
        fail(code, error);
    exec_remotes_release(&remotes);
    exec_map_release(&map);
    images_release(&images);
    text_release(&notes);
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

/* --host with names of this machine only means what it always did. */
static bool
hosts_are_here(const struct exec_options *options)
{
    struct text unused = {0};
    bool here = (options->hosts != NULL || options->hostfile != NULL) &&
                hosts_check(options, &unused) == 0;

    text_release(&unused);
    return here;
}

static int
job_run(struct exec_options *options, struct text *error)
{
    const char *agents = environment_get(environ, "CPMP_AGENTS");
    struct text directory = {0};
    int wanted = 0, code;

    if ((agents == NULL || *agents == '\0') && !hosts_are_here(options))
        wanted = exec_enroll_wanted(options, environ, &directory, error);
    if (wanted < 0)
        code = fail(1, error);
    else if (wanted > 0)
        code = pool_run(options, text_string(&directory), error);
    else
        code = machine_run(options, error);
    text_release(&directory);
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
