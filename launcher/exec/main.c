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
map_only(const struct exec_options *options, const struct exec_map *map, uint32_t cores)
{
    char *names[EXEC_PEERS_MAX], host[256] = "localhost";
    struct exec_view view = {.options = options, .map = map, .peer_names = names, .cores = cores};
    struct text text = {0};
    int code;

    gethostname(host, sizeof(host) - 1);
    for (uint32_t i = 0; i < map->peers; i++)
        names[i] = exec_map_peer_name(map, host, i);
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

static int
images_run(const struct exec_options *options, const struct exec_map *map, uint32_t cores,
           const struct exec_remotes *remotes, struct text *error)
{
    size_t count = options->programs_count;
    struct exec_image *images = memory_new(count, sizeof(*images));
    struct text notes = {0};
    int code = 0;

    notes_make(options, &notes);
    for (size_t i = 0; i < count && code == 0; i++)
        code = exec_image_init(&images[i], &options->programs[i], environ, &notes, error);
    if (code == 0 && (exec_images_check(images, options->programs, count, error) != 0 ||
                      exec_sandbox_check(&options->sandbox, images, count, error) != 0))
        code = 1;
    if (code == 0)
        code = exec_run(options, map, images, environ, cores, remotes, text_string(&notes));
    else
        fail(code, error);
    for (size_t i = 0; i < count; i++)
        exec_image_release(&images[i]);
    free(images);
    text_release(&notes);
    return code;
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

static int
job_run(struct exec_options *options, struct text *error)
{
    uint32_t cores = (uint32_t)cpi_cores_usable();
    struct exec_remotes remotes = {0};
    struct exec_map map = {0};
    int code = 1;

    if (hosts_check(options, error) != 0 ||
        remotes_init(&remotes, options, &cores, error) != 0) {
        exec_remotes_release(&remotes);
        return fail(1, error);
    }
    if (exec_map_init(&map, options, cores, error) != 0)
        fail(1, error);
    else if (options->no_launch)
        code = map_only(options, &map, cores);
    else if (exec_descriptors_prepare(&map, options, error) != 0)
        fail(1, error);
    else
        code = images_run(options, &map, cores, remotes.count > 0 ? &remotes : NULL, error);
    exec_remotes_release(&remotes);
    exec_map_release(&map);
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
