/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CONTENT_ELF_FILE_H
#define CPI_CONTENT_ELF_FILE_H

/*
 * What an ELF file says of the libraries it wants (System V ABI, chapter 5; ELF-64 Object File
 * Format). The bytes are foreign: everything is bounded and checked, and nothing is believed that
 * points outside the file. They are read through a function, so that tests need no files.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_NEEDED_MAX    128u
#define ELF_NAME_BYTES    256u   /* of a library, with the 0 */
#define ELF_PATHS_BYTES   4096u  /* of RPATH or RUNPATH, with the 0 */

/* Reads up to `count` bytes at `offset`; how many there were, or -1 with errno. */
typedef int64_t elf_read_fn(void *arg, uint64_t offset, void *bytes, size_t count);

struct elf_file {
    uint8_t bits, order;      /* ELFCLASS..., ELFDATA... */
    uint16_t machine;         /* EM_... */
    bool executable;          /* a program or a shared object, not a relocatable or a core */
    /* From here on only for 64 bits in this machine's byte order. */
    bool dynamic;
    uint16_t libc_major, libc_minor;   /* highest GLIBC_x.y that a symbol wants; 0: none */
    char interpreter[ELF_NAME_BYTES];  /* "": none */
    char rpath[ELF_PATHS_BYTES];       /* "": none */
    char runpath[ELF_PATHS_BYTES];
    uint32_t needed_count;
    char needed[ELF_NEEDED_MAX][ELF_NAME_BYTES];
};

/* CPMP_OK; CPMP_ENOENT: no ELF file; CPMP_EPROTO: a damaged one; CPMP_ELIMIT: it needs more than
 * ELF_NEEDED_MAX, or has longer names; CPMP_ESYS: reading failed. */
int elf_file_read(elf_read_fn *read_bytes, void *arg, struct elf_file *file_p);

/* The same from a descriptor. */
int elf_file_read_fd(int fd, struct elf_file *file_p);

/* "x86-64", "AArch64". */
const char *elf_machine_text(uint16_t machine);

#endif
