/* SPDX-License-Identifier: BSD-3-Clause */
#include "content/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cpmp.h>

#include "system/file.h"

#define SEGMENTS_MAX 64u    /* program headers; linkers make about a dozen */
#define DYNAMIC_MAX  1024u  /* entries of the dynamic section */
#define VERSIONS_MAX 1024u  /* versions of symbols that are wanted, of all libraries */

struct reader {
    elf_read_fn *read_bytes;
    void *arg;
    Elf64_Phdr segments[SEGMENTS_MAX];
    uint32_t segment_count;
    Elf64_Dyn entries[DYNAMIC_MAX];
    uint32_t entry_count;
    uint64_t strings_offset, strings_bytes;
};

static int
read_exactly(struct reader *reader, uint64_t offset, void *bytes, size_t count)
{
    int64_t got;

    if (offset > INT64_MAX - count)
        return CPMP_EPROTO;
    got = reader->read_bytes(reader->arg, offset, bytes, count);
    if (got < 0)
        return CPMP_ESYS;
    return (size_t)got == count ? CPMP_OK : CPMP_EPROTO;
}

/* A 0-terminated string at `offset` of at most `limit` bytes that lie in the file. */
static int
read_string(struct reader *reader, uint64_t offset, uint64_t limit, char *text, size_t text_bytes)
{
    size_t count = limit < text_bytes ? (size_t)limit : text_bytes;
    int64_t got;

    if (offset > INT64_MAX - count)
        return CPMP_EPROTO;
    got = reader->read_bytes(reader->arg, offset, text, count);
    if (got < 0)
        return CPMP_ESYS;
    if (memchr(text, 0, (size_t)got) != NULL)
        return CPMP_OK;
    return (size_t)got == text_bytes ? CPMP_ELIMIT : CPMP_EPROTO;
}

static uint8_t
order_here(void)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
}

/* The fields that lie at the same place in all classes. */
static int
head_read(struct reader *reader, struct elf_file *file)
{
    unsigned char head[20];
    int64_t got = reader->read_bytes(reader->arg, 0, head, sizeof(head));
    bool big;
    uint16_t type;

    if (got < 0)
        return CPMP_ESYS;
    if (got < SELFMAG || memcmp(head, ELFMAG, SELFMAG) != 0)
        return CPMP_ENOENT;
    if (got < (int64_t)sizeof(head))
        return CPMP_EPROTO;
    file->bits = head[EI_CLASS];
    file->order = head[EI_DATA];
    if ((file->bits != ELFCLASS32 && file->bits != ELFCLASS64) ||
        (file->order != ELFDATA2LSB && file->order != ELFDATA2MSB))
        return CPMP_EPROTO;
    big = file->order == ELFDATA2MSB;
    type = (uint16_t)(head[big ? 17 : 16] | head[big ? 16 : 17] << 8);
    file->machine = (uint16_t)(head[big ? 19 : 18] | head[big ? 18 : 19] << 8);
    file->executable = type == ET_EXEC || type == ET_DYN;
    return CPMP_OK;
}

static int
segments_read(struct reader *reader)
{
    Elf64_Ehdr header;
    int error = read_exactly(reader, 0, &header, sizeof(header));

    if (error)
        return error;
    if (header.e_phnum == 0)
        return CPMP_OK;
    if (header.e_phentsize != sizeof(Elf64_Phdr))
        return CPMP_EPROTO;
    if (header.e_phnum > SEGMENTS_MAX)
        return CPMP_ELIMIT;
    reader->segment_count = header.e_phnum;
    return read_exactly(reader, header.e_phoff, reader->segments,
                        header.e_phnum * sizeof(Elf64_Phdr));
}

static const Elf64_Phdr *
segment_find(const struct reader *reader, uint32_t type)
{
    for (uint32_t i = 0; i < reader->segment_count; i++)
        if (reader->segments[i].p_type == type)
            return &reader->segments[i];
    return NULL;
}

/* Where in the file `address` lies, and how many bytes of its segment follow. */
static bool
address_find(const struct reader *reader, uint64_t address, uint64_t *offset_p, uint64_t *bytes_p)
{
    for (uint32_t i = 0; i < reader->segment_count; i++) {
        const Elf64_Phdr *segment = &reader->segments[i];
        uint64_t within = address - segment->p_vaddr;
        if (segment->p_type != PT_LOAD || address < segment->p_vaddr ||
            within >= segment->p_filesz || segment->p_offset > UINT64_MAX - within)
            continue;
        *offset_p = segment->p_offset + within;
        *bytes_p = segment->p_filesz - within;
        return true;
    }
    return false;
}

static const Elf64_Dyn *
entry_find(const struct reader *reader, int64_t tag)
{
    for (uint32_t i = 0; i < reader->entry_count; i++)
        if (reader->entries[i].d_tag == tag)
            return &reader->entries[i];
    return NULL;
}

static int
dynamic_read(struct reader *reader, const Elf64_Phdr *segment)
{
    uint64_t count = segment->p_filesz / sizeof(Elf64_Dyn);
    const Elf64_Dyn *strings, *bytes;
    int error;

    if (count > DYNAMIC_MAX)
        return CPMP_ELIMIT;
    error = read_exactly(reader, segment->p_offset, reader->entries, count * sizeof(Elf64_Dyn));
    if (error)
        return error;
    while (reader->entry_count < count && reader->entries[reader->entry_count].d_tag != DT_NULL)
        reader->entry_count++;
    strings = entry_find(reader, DT_STRTAB);
    bytes = entry_find(reader, DT_STRSZ);
    if (strings == NULL || bytes == NULL ||
        !address_find(reader, strings->d_un.d_ptr, &reader->strings_offset,
                      &reader->strings_bytes))
        return entry_find(reader, DT_NEEDED) == NULL ? CPMP_OK : CPMP_EPROTO;
    if (bytes->d_un.d_val < reader->strings_bytes)
        reader->strings_bytes = bytes->d_un.d_val;
    return CPMP_OK;
}

/* The string that an entry of the dynamic section names. */
static int
entry_string(struct reader *reader, const Elf64_Dyn *entry, char *text, size_t text_bytes)
{
    if (entry->d_un.d_val >= reader->strings_bytes)
        return CPMP_EPROTO;
    return read_string(reader, reader->strings_offset + entry->d_un.d_val,
                       reader->strings_bytes - entry->d_un.d_val, text, text_bytes);
}

static int
strings_read(struct reader *reader, struct elf_file *file)
{
    int error = CPMP_OK;

    for (uint32_t i = 0; i < reader->entry_count && error == CPMP_OK; i++) {
        const Elf64_Dyn *entry = &reader->entries[i];
        if (entry->d_tag == DT_RPATH)
            error = entry_string(reader, entry, file->rpath, sizeof(file->rpath));
        else if (entry->d_tag == DT_RUNPATH)
            error = entry_string(reader, entry, file->runpath, sizeof(file->runpath));
        else if (entry->d_tag == DT_NEEDED && file->needed_count == ELF_NEEDED_MAX)
            error = CPMP_ELIMIT;
        else if (entry->d_tag == DT_NEEDED)
            error = entry_string(reader, entry, file->needed[file->needed_count++],
                                 ELF_NAME_BYTES);
    }
    return error;
}

/* "GLIBC_2.34". Others (GLIBC_PRIVATE, GCC_3.0) say nothing of how old the libc may be. */
static void
version_note(struct elf_file *file, const char *name)
{
    unsigned major, minor = 0;
    char *end;

    if (strncmp(name, "GLIBC_", 6) != 0 || name[6] < '0' || name[6] > '9')
        return;
    major = (unsigned)strtoul(name + 6, &end, 10);
    if (*end == '.')
        minor = (unsigned)strtoul(end + 1, NULL, 10);
    if (major > UINT16_MAX || minor > UINT16_MAX || major < file->libc_major ||
        (major == file->libc_major && minor <= file->libc_minor))
        return;
    file->libc_major = (uint16_t)major;
    file->libc_minor = (uint16_t)minor;
}

/* The versions wanted of one library, from `offset` on. */
static int
versions_of_library(struct reader *reader, struct elf_file *file, uint64_t offset,
                    uint32_t *budget)
{
    Elf64_Vernaux version;

    do {
        Elf64_Dyn name = {0};
        char text[ELF_NAME_BYTES];
        int error;
        if ((*budget)-- == 0)
            return CPMP_ELIMIT;
        error = read_exactly(reader, offset, &version, sizeof(version));
        name.d_un.d_val = version.vna_name;
        if (error == CPMP_OK)
            error = entry_string(reader, &name, text, sizeof(text));
        if (error)
            return error;
        version_note(file, text);
        offset += version.vna_next;
    } while (version.vna_next != 0);
    return CPMP_OK;
}

/* Linux Standard Base Core 5.0, section 10.7.6: version requirements. */
static int
versions_read(struct reader *reader, struct elf_file *file)
{
    const Elf64_Dyn *entry = entry_find(reader, DT_VERNEED);
    uint32_t budget = VERSIONS_MAX;
    uint64_t offset, bytes;
    Elf64_Verneed library;

    if (entry == NULL)
        return CPMP_OK;
    if (!address_find(reader, entry->d_un.d_ptr, &offset, &bytes))
        return CPMP_EPROTO;
    do {
        int error;
        if (budget-- == 0)
            return CPMP_ELIMIT;
        error = read_exactly(reader, offset, &library, sizeof(library));
        if (error == CPMP_OK && library.vn_cnt > 0)
            error = versions_of_library(reader, file, offset + library.vn_aux, &budget);
        if (error)
            return error;
        offset += library.vn_next;
    } while (library.vn_next != 0);
    return CPMP_OK;
}

int
elf_file_read(elf_read_fn *read_bytes, void *arg, struct elf_file *file_p)
{
    struct reader reader = {.read_bytes = read_bytes, .arg = arg};
    const Elf64_Phdr *segment;
    int error;

    memset(file_p, 0, sizeof(*file_p));
    error = head_read(&reader, file_p);
    if (error || file_p->bits != ELFCLASS64 || file_p->order != order_here())
        return error;
    error = segments_read(&reader);
    if (error)
        return error;
    segment = segment_find(&reader, PT_INTERP);
    if (segment != NULL) {
        error = read_string(&reader, segment->p_offset, segment->p_filesz, file_p->interpreter,
                            sizeof(file_p->interpreter));
        if (error)
            return error;
    }
    segment = segment_find(&reader, PT_DYNAMIC);
    if (segment == NULL)
        return CPMP_OK;
    file_p->dynamic = true;
    error = dynamic_read(&reader, segment);
    if (error == CPMP_OK)
        error = strings_read(&reader, file_p);
    return error ? error : versions_read(&reader, file_p);
}

static int64_t
read_fd(void *arg, uint64_t offset, void *bytes, size_t count)
{
    const int *fd = arg;

    return file_read_all(*fd, bytes, count, (int64_t)offset);
}

int
elf_file_read_fd(int fd, struct elf_file *file_p)
{
    return elf_file_read(read_fd, &fd, file_p);
}

const char *
elf_machine_text(uint16_t machine)
{
    static const struct {
        uint16_t machine;
        const char *text;
    } known[] = {
        {EM_X86_64, "x86-64"}, {EM_AARCH64, "AArch64"}, {EM_386, "x86 (32 bits)"},
        {EM_ARM, "ARM (32 bits)"}, {EM_RISCV, "RISC-V"}, {EM_PPC64, "POWER (64 bits)"},
        {EM_S390, "s390"}, {EM_MIPS, "MIPS"}, {EM_LOONGARCH, "LoongArch"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].machine == machine)
            return known[i].text;
    return "a machine that cpmp has no name for";
}
