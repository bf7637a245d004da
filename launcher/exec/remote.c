/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/remote.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/address.h"
#include "text/hex.h"
#include "text/memory.h"

#define CORES_MAX 65536ul

struct exec_remote *
exec_remotes_add(struct exec_remotes *remotes, const char *name)
{
    struct exec_remote *remote;

    remotes->list = memory_grow(remotes->list, remotes->count + 1u, sizeof(*remotes->list));
    remote = &remotes->list[remotes->count++];
    memset(remote, 0, sizeof(*remote));
    remote->name = memory_copy_text(name);
    return remote;
}

void
exec_remote_add_address(struct exec_remote *remote, const char *address)
{
    remote->addresses = memory_grow(remote->addresses, remote->addresses_count + 1,
                                    sizeof(*remote->addresses));
    remote->addresses[remote->addresses_count++] = memory_copy_text(address);
}

void
exec_remotes_release(struct exec_remotes *remotes)
{
    for (uint32_t i = 0; i < remotes->count; i++) {
        struct exec_remote *remote = &remotes->list[i];
        for (size_t n = 0; n < remote->addresses_count; n++)
            free(remote->addresses[n]);
        free(remote->addresses);
        free(remote->name);
        free(remote->listen);
        explicit_bzero(remote->key, sizeof(remote->key));
    }
    free(remotes->list);
    free(remotes->state);
    memset(remotes, 0, sizeof(*remotes));
}

/* NULL, or what is wrong with the line. */
static const char *
line_parse(struct exec_remotes *remotes, char *line)
{
    char *rest = line, *name = strtok_r(rest, " \t", &rest);
    char *cores = strtok_r(NULL, " \t", &rest), *key = strtok_r(NULL, " \t", &rest);
    char *end, *address;
    struct sockaddr_storage parsed;

    if (name == NULL)
        return NULL;
    if (remotes->count == EXEC_PEERS_MAX)
        return "too many agents";
    if (cores == NULL || key == NULL)
        return "a line is NAME CORES KEY ADDRESS...";
    struct exec_remote *remote = exec_remotes_add(remotes, name);
    unsigned long count = strtoul(cores, &end, 10);
    if (!isdigit((unsigned char)*cores) || *end != '\0' || count == 0 || count > CORES_MAX)
        return "the number of cores is a whole one";
    remote->millicores = (uint32_t)count * 1000;
    if (!hex_read(key, remote->key, TLS_KEY_BYTES))
        return "a key is 64 hexadecimal digits";
    while ((address = strtok_r(NULL, " \t", &rest)) != NULL) {
        if (!address_parse_socket(address, &parsed))
            return "an address is numeric and has a port, as in 10.77.0.1:7712";
        exec_remote_add_address(remote, address);
    }
    return remote->addresses_count > 0 ? NULL : "an agent has an address";
}

int
exec_remotes_parse(struct exec_remotes *remotes, const char *path, const char *content,
                   struct text *error)
{
    char *copy = memory_copy_text(content), *rest = copy, *line;
    unsigned number = 0;
    const char *why = NULL;

    while (why == NULL && (line = strsep(&rest, "\n")) != NULL) {
        number++;
        line[strcspn(line, "#")] = '\0';
        why = line_parse(remotes, line);
    }
    if (why == NULL && remotes->count == 0)
        why = "it names no agent";
    if (why != NULL)
        text_print(error, "CPMP_AGENTS=%s, line %u: %s", path, number, why);
    explicit_bzero(copy, strlen(content));
    free(copy);
    return why == NULL ? 0 : -1;
}

int
exec_remotes_read(struct exec_remotes *remotes, const char *path, struct text *error)
{
    struct text content = {0};
    char piece[4096];
    size_t count;
    int result;
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        text_print(error, "CPMP_AGENTS=%s: %s", path, strerror(errno));
        return -1;
    }
    while ((count = fread(piece, 1, sizeof(piece), file)) > 0)
        text_add(&content, piece, count);
    fclose(file);
    result = exec_remotes_parse(remotes, path, text_string(&content), error);
    text_release(&content);
    return result;
}
