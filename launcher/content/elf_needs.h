/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CONTENT_ELF_NEEDS_H
#define CPI_CONTENT_ELF_NEEDS_H

/*
 * What an executable needs to run on this machine: its machine, its interpreter (ld.so, or that of
 * a script), and its shared libraries with what these need, looked up as ld.so would (ld.so(8)):
 * RPATH, the library path, RUNPATH, /etc/ld.so.cache, the default directories. Nothing is run.
 *
 * The launcher asks to learn which libraries are its own (outside the system's directories): they
 * travel along with the executable. A peer asks, with those at hand, what it lacks.
 *
 * The program, and libraries that travel with it, may have been linked with a newer glibc than is
 * here; that is found out too. Not looked at: versions of other libraries' symbols, and libraries
 * that the program opens itself (dlopen).
 */

#include <stdbool.h>
#include <stdint.h>

#include "text/text.h"

enum elf_needs_kind {
    ELF_NEEDS_NOTHING,  /* static */
    ELF_NEEDS_LIBRARIES,
    ELF_NEEDS_SCRIPT,   /* #! */
    ELF_NEEDS_UNKNOWN   /* no ELF file and no #!: execve would refuse it */
};

struct elf_needs_question {
    const char *path;          /* the executable's file */
    const char *as_path;       /* the path that it will have ($ORIGIN); NULL: `path` */
    const char *library_path;  /* as LD_LIBRARY_PATH; NULL: none */
    const char *provided;      /* as LD_LIBRARY_PATH, searched before all: where cpmp's own or
                                  those that travelled along lie; NULL: none */
    const char *search_path;   /* as PATH, for "#!/usr/bin/env NAME"; NULL: none */
};

struct elf_needs_library {
    char *name;
    char *path;       /* NULL: missing */
    char *wanted_by;  /* the file that needs it */
    bool provided;    /* found in `provided` */
    bool own;         /* found outside the system's directories, and not provided */
};

struct elf_needs {
    enum elf_needs_kind kind;
    bool wrong_machine;         /* built for `machine`, which this isn't: the rest is unknown */
    const char *machine;        /* "x86-64"; NULL for scripts */
    char *interpreter;          /* NULL: none */
    bool interpreter_missing;
    uint16_t libc_major, libc_minor;  /* the glibc wanted, when it is newer than here; else 0 */
    uint32_t count, missing;
    struct elf_needs_library *libraries;  /* each once, the executable's first */
};

/* CPMP_OK, whatever is missing; CPMP_ESYS with errno: the file can't be read; CPMP_EPROTO: it is
 * damaged; CPMP_ELIMIT: it needs more libraries than can be looked at. */
int elf_needs_find(const struct elf_needs_question *question, struct elf_needs *needs_p);
void elf_needs_release(struct elf_needs *needs);

/* Whether it can run here. If not, `why` gets a clause for people: "it lacks libfoo.so.1". */
bool elf_needs_met(const struct elf_needs *needs, struct text *why);

#endif
