/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_SANDBOX_H
#define CPI_EXEC_SANDBOX_H

/*
 * --sandbox: the ranks of an embedded pool run as foreign ones would on a shared machine. The
 * launcher says which limits, and which files are to be seen: the programs, and what their
 * arguments name.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/text.h"
#include "wire/control.pb-c.h"

struct exec_image;
struct exec_program;

struct exec_sandbox {
    bool wanted;
    uint64_t memory_bytes, scratch_bytes;  /* all: 0 is the agent's default */
    uint32_t processes, files, cpu_millicores, run_time_s;
    bool idle;
    struct text accepted;                  /* names with commas between */
    char **paths;                          /* owned; files and directories to be seen as well */
    size_t paths_count;
};

/* Reads "memory=512M,idle,..." (cpexec(1)). 0, or -1 with `error`. */
int exec_sandbox_parse(struct exec_sandbox *sandbox, const char *list, struct text *error);

/* One more file or directory to be seen. False: there is none. */
bool exec_sandbox_add_path(struct exec_sandbox *sandbox, const char *path);

/* What agents are told; NULL when no sandbox is wanted. The caller frees it by
 * exec_sandbox_message_free. */
Cpmp__Sandbox *exec_sandbox_message(const struct exec_sandbox *sandbox,
                                    const struct exec_image *images,
                                    const struct exec_program *programs, size_t count);
void exec_sandbox_message_free(Cpmp__Sandbox *message);

/* `path` without "//", "." and "..", by its names alone: as a rank finds it inside. To be freed. */
char *exec_sandbox_path(const char *path);

/* Programs of a job share the scratch, so all must run in one directory. 0, or -1 with `error`. */
int exec_sandbox_check(const struct exec_sandbox *sandbox, const struct exec_image *images,
                       size_t count, struct text *error);

void exec_sandbox_release(struct exec_sandbox *sandbox);

#endif
