/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/caging.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <cpmp.h>

static bool
asked_is_valid(const Cpmp__Sandbox *asked)
{
    if (asked->directory[0] != '/' || asked->n_binds > SANDBOX_BINDS_MAX)
        return false;
    for (size_t i = 0; i < asked->n_binds; i++)
        if (asked->binds[i]->host[0] != '/' || asked->binds[i]->inside[0] != '/')
            return false;
    return true;
}

/* A file of the system that is to lie where it lies is there already, as far as it is shown. */
static void
bind_take(struct caging *caging, const Cpmp__SandboxBind *asked)
{
    char *place = sandbox_place(asked->inside);
    bool moved = strcmp(place, asked->inside) != 0;

    free(place);
    if (moved && strcmp(asked->host, asked->inside) == 0)
        return;
    caging->binds[caging->binds_count++] = (struct sandbox_bind){
        .host = asked->host, .inside = asked->inside, .executable = asked->executable};
}

int
caging_ask(struct caging *caging, Cpmp__Sandbox *asked)
{
    if (asked == NULL)
        return CPMP_OK;
    bool valid = asked_is_valid(asked);
    if (!valid || caging->asked != NULL) {
        cpmp__sandbox__free_unpacked(asked, NULL);
        return valid ? CPMP_OK : CPMP_EPROTO;
    }
    caging->binds = calloc(asked->n_binds ? asked->n_binds : 1, sizeof(*caging->binds));
    caging->scratch = sandbox_scratch(asked->directory);
    if (caging->binds == NULL) {
        cpmp__sandbox__free_unpacked(asked, NULL);
        return CPMP_ENOMEM;
    }
    for (size_t i = 0; i < asked->n_binds; i++)
        bind_take(caging, asked->binds[i]);
    caging->asked = asked;
    return CPMP_OK;
}

void
caging_start(struct caging *caging, struct supervisor *supervisor)
{
    const Cpmp__Sandbox *asked = caging->asked;
    uint64_t number;
    char name[48];

    if (asked == NULL || caging->tried)
        return;
    caging->tried = true;
    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        abort();  /* can't be for so few bytes (getrandom(2)) */
    snprintf(name, sizeof(name), "cage-%016" PRIx64, number);
    struct sandbox_config config = {
        .name = name,
        .directory = asked->directory,
        .binds = caging->binds,
        .binds_count = caging->binds_count,
        .limits = {.memory_bytes = asked->memory_bytes, .scratch_bytes = asked->scratch_bytes,
                   .processes = asked->processes, .files = asked->files,
                   .cpu_millicores = asked->cpu_millicores, .run_time_s = asked->run_time_s,
                   .idle = asked->idle, .suspends = asked->suspends},
        .accepted = asked->accepted,
    };
    supervisor_cage(supervisor, &caging->sandbox, &config, &caging->why);
}

int
caging_await(struct caging *caging, struct supervisor *supervisor)
{
    if (caging->asked != NULL && supervisor->sandbox == NULL)
        return CPMP_ESYS;
    return supervisor_cage_await(supervisor, &caging->why);
}

const char *
caging_scratch(const struct caging *caging)
{
    return caging->scratch;
}

/* A place of the system has the system's own program, unless the job brought one. */
char *
caging_file(const struct caging *caging, const char *path)
{
    if (path == NULL || path[0] != '/')
        return NULL;
    char *place = sandbox_place(path);
    for (size_t i = 0; i < caging->binds_count; i++)
        if (strcmp(caging->binds[i].inside, place) == 0)
            return place;
    free(place);
    return strdup(path);
}

void
caging_release(struct caging *caging)
{
    if (caging->asked != NULL)
        cpmp__sandbox__free_unpacked(caging->asked, NULL);
    free(caging->binds);
    free(caging->scratch);
    text_release(&caging->why);
    memset(caging, 0, sizeof(*caging));
}
