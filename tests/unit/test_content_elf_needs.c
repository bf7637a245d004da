/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What executables need: small ELF files written here, that name their libraries, in folders of
 * their own; scripts; and this very program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <cpmp.h>

#include "content/elf_cache.h"
#include "content/elf_file.h"
#include "content/elf_needs.h"

#define BASE 0x400000u

static char root[1100];
static uint16_t machine_here;

/* What a made file says. */
struct made {
    const char *needed[4];
    const char *rpath, *runpath, *interpreter;
    const char *versions[2];  /* wanted of libc.so.6 */
    uint16_t machine;  /* 0: this one's */
    uint8_t bits;      /* 0: 64 */
};

struct image {
    Elf64_Ehdr header;
    Elf64_Phdr segments[3];
    Elf64_Dyn dynamic[16];
    Elf64_Verneed library;
    Elf64_Vernaux versions[2];
    char strings[1024];
};

static uint64_t
string_add(struct image *image, size_t *used, const char *string)
{
    size_t at = *used;

    memcpy(image->strings + at, string, strlen(string) + 1);
    *used += strlen(string) + 1;
    return at;
}

static void
dynamic_make(struct image *image, const struct made *made)
{
    size_t used = 1, count = 0;

    for (size_t i = 0; i < 4 && made->needed[i] != NULL; i++)
        image->dynamic[count++] = (Elf64_Dyn){
            .d_tag = DT_NEEDED, .d_un.d_val = string_add(image, &used, made->needed[i])};
    if (made->rpath)
        image->dynamic[count++] = (Elf64_Dyn){
            .d_tag = DT_RPATH, .d_un.d_val = string_add(image, &used, made->rpath)};
    if (made->runpath)
        image->dynamic[count++] = (Elf64_Dyn){
            .d_tag = DT_RUNPATH, .d_un.d_val = string_add(image, &used, made->runpath)};
    if (made->versions[0]) {
        image->library = (Elf64_Verneed){.vn_version = 1, .vn_cnt = 2,
                                         .vn_aux = sizeof(image->library)};
        for (size_t i = 0; i < 2; i++)
            image->versions[i] = (Elf64_Vernaux){
                .vna_name = (uint32_t)string_add(image, &used, made->versions[i]),
                .vna_next = i == 0 ? sizeof(image->versions[0]) : 0};
        image->dynamic[count++] = (Elf64_Dyn){
            .d_tag = DT_VERNEED, .d_un.d_ptr = BASE + offsetof(struct image, library)};
    }
    image->dynamic[count++] = (Elf64_Dyn){
        .d_tag = DT_STRTAB, .d_un.d_ptr = BASE + offsetof(struct image, strings)};
    image->dynamic[count++] = (Elf64_Dyn){.d_tag = DT_STRSZ, .d_un.d_val = sizeof(image->strings)};
    image->segments[2] = (Elf64_Phdr){.p_type = PT_NULL};
    if (made->interpreter)
        image->segments[2] = (Elf64_Phdr){
            .p_type = PT_INTERP, .p_filesz = strlen(made->interpreter) + 1,
            .p_offset = offsetof(struct image, strings) +
                        string_add(image, &used, made->interpreter)};
}

static struct image
image_make(const struct made *made)
{
    struct image image = {0};
    uint8_t order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

    memcpy(image.header.e_ident, ELFMAG, SELFMAG);
    image.header.e_ident[EI_CLASS] = made->bits ? made->bits : ELFCLASS64;
    image.header.e_ident[EI_DATA] = order;
    image.header.e_type = ET_DYN;
    image.header.e_machine = made->machine ? made->machine : machine_here;
    image.header.e_phoff = offsetof(struct image, segments);
    image.header.e_phentsize = sizeof(Elf64_Phdr);
    image.header.e_phnum = 3;
    image.segments[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = BASE,
                                     .p_filesz = sizeof(image)};
    image.segments[1] = (Elf64_Phdr){.p_type = PT_DYNAMIC,
                                     .p_offset = offsetof(struct image, dynamic),
                                     .p_filesz = sizeof(image.dynamic)};
    dynamic_make(&image, made);
    return image;
}

/* Under root; returns the path, valid until the call after the next seven. */
static const char *
file_path(const char *name)
{
    static char paths[8][1200];
    static size_t next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
    return path;
}

static void
bytes_write(const char *name, const void *bytes, size_t count)
{
    int fd = open(file_path(name), O_WRONLY | O_CREAT | O_TRUNC, 0755);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, count), (ssize_t)count);
    close(fd);
}

static void
make(const char *name, struct made made)
{
    struct image image = image_make(&made);

    bytes_write(name, &image, sizeof(image));
}

static struct elf_needs
ask(const char *name, const char *provided, const char *library_path)
{
    struct elf_needs_question question = {.path = file_path(name), .provided = provided,
                                          .library_path = library_path, .search_path = "/usr/bin"};
    struct elf_needs needs;

    assert_int_equal(elf_needs_find(&question, &needs), CPMP_OK);
    return needs;
}

static const struct elf_needs_library *
library_of(const struct elf_needs *needs, const char *name)
{
    for (uint32_t i = 0; i < needs->count; i++)
        if (strcmp(needs->libraries[i].name, name) == 0)
            return &needs->libraries[i];
    fail_msg("%s isn't there", name);
    return NULL;
}

static int
root_make(void **state)
{
    char cwd[1024];

    (void)state;
    if (getcwd(cwd, sizeof(cwd)) == NULL)
        return -1;
    snprintf(root, sizeof(root), "%s/elf.XXXXXX", cwd);
    if (mkdtemp(root) == NULL)
        return -1;
    return mkdir(file_path("one"), 0755) || mkdir(file_path("two"), 0755);
}

static int
root_remove(void **state)
{
    char command[] = "/bin/rm", option[] = "-rf", *argv[] = {command, option, root, NULL};
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0)
        _exit(execv(command, argv));
    return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

/* --- libraries --- */

static void
this_program_lacks_nothing_and_libc_is_the_systems(void **state)
{
    struct elf_needs_question question = {.path = "/proc/self/exe",
                                          .library_path = getenv("LD_LIBRARY_PATH")};
    struct elf_needs needs;
    struct text why = {0};
    (void)state;

    assert_int_equal(elf_needs_find(&question, &needs), CPMP_OK);
    assert_int_equal(needs.kind, ELF_NEEDS_LIBRARIES);
    assert_true(elf_needs_met(&needs, &why));
    assert_non_null(library_of(&needs, "libc.so.6")->path);
    assert_false(library_of(&needs, "libc.so.6")->own);
    assert_false(needs.interpreter_missing);
    elf_needs_release(&needs);
    text_release(&why);
}

static void
what_is_missing_is_named_also_that_of_libraries(void **state)
{
    struct elf_needs needs;
    struct text why = {0};
    char own[1200];
    (void)state;

    snprintf(own, sizeof(own), "%s/one", root);
    make("program", (struct made){.needed = {"libhas.so", "libhasnot.so.1"}, .runpath = own});
    make("one/libhas.so", (struct made){.needed = {"libdeep.so.2", "libc.so.6"}});
    needs = ask("program", NULL, NULL);
    assert_int_equal(needs.missing, 2);
    assert_true(library_of(&needs, "libhas.so")->own);
    assert_string_equal(library_of(&needs, "libhas.so")->path, file_path("one/libhas.so"));
    assert_string_equal(library_of(&needs, "libdeep.so.2")->wanted_by,
                        file_path("one/libhas.so"));
    assert_false(elf_needs_met(&needs, &why));
    assert_string_equal(text_string(&why), "it lacks libhasnot.so.1, libdeep.so.2");
    elf_needs_release(&needs);
    text_release(&why);
}

static void
rpath_is_inherited_and_runpath_is_not(void **state)
{
    struct elf_needs needs;
    char one[1200];
    (void)state;

    snprintf(one, sizeof(one), "%s/one", root);
    make("one/liba.so", (struct made){.needed = {"libb.so"}});
    make("one/libb.so", (struct made){0});
    make("new", (struct made){.needed = {"liba.so"}, .runpath = one});
    make("old", (struct made){.needed = {"liba.so"}, .rpath = one});
    make("both", (struct made){.needed = {"liba.so"}, .rpath = one, .runpath = "/nowhere"});
    needs = ask("new", NULL, NULL);
    assert_null(library_of(&needs, "libb.so")->path);
    elf_needs_release(&needs);
    needs = ask("old", NULL, NULL);
    assert_int_equal(needs.missing, 0);
    elf_needs_release(&needs);
    needs = ask("both", NULL, NULL);  /* RUNPATH makes RPATH void */
    assert_int_equal(needs.missing, 1);
    elf_needs_release(&needs);
}

static void
origin_is_where_the_program_will_lie(void **state)
{
    struct elf_needs_question question = {0};
    struct elf_needs needs;
    char as[1200];
    (void)state;

    make("two/libx.so", (struct made){0});
    make("program", (struct made){.needed = {"libx.so"}, .runpath = "$LIB/x:${ORIGIN}/../two"});
    snprintf(as, sizeof(as), "%s/one/program", root);
    question.path = file_path("program");
    assert_int_equal(elf_needs_find(&question, &needs), CPMP_OK);
    assert_int_equal(needs.missing, 1);
    elf_needs_release(&needs);
    question.as_path = as;
    assert_int_equal(elf_needs_find(&question, &needs), CPMP_OK);
    assert_int_equal(needs.missing, 0);
    elf_needs_release(&needs);
}

static void
a_library_of_another_machine_is_passed_over(void **state)
{
    struct elf_needs needs;
    char both[2400], path[1200];
    (void)state;

    snprintf(both, sizeof(both), "%s/one:%s/two", root, root);
    make("program", (struct made){.needed = {"libx.so", "liby.so"}});
    make("one/libx.so", (struct made){.machine = EM_S390});
    make("two/libx.so", (struct made){0});
    make("one/liby.so", (struct made){.bits = ELFCLASS32});
    bytes_write("two/liby.so", "not ELF", 7);
    needs = ask("program", NULL, both);
    snprintf(path, sizeof(path), "%s/two/libx.so", root);
    assert_string_equal(library_of(&needs, "libx.so")->path, path);
    assert_null(library_of(&needs, "liby.so")->path);
    elf_needs_release(&needs);
}

static void
provided_ones_come_first_and_do_not_travel(void **state)
{
    struct elf_needs needs;
    char one[1200], two[1200];
    (void)state;

    snprintf(one, sizeof(one), "%s/one", root);
    snprintf(two, sizeof(two), "%s/two", root);
    make("program", (struct made){.needed = {"libmpi.so.40"}, .rpath = two});
    make("one/libmpi.so.40", (struct made){0});
    make("two/libmpi.so.40", (struct made){0});
    needs = ask("program", one, NULL);
    assert_true(library_of(&needs, "libmpi.so.40")->provided);
    assert_false(library_of(&needs, "libmpi.so.40")->own);
    elf_needs_release(&needs);
    needs = ask("program", NULL, one);
    assert_string_equal(library_of(&needs, "libmpi.so.40")->path,
                        file_path("two/libmpi.so.40"));  /* RPATH goes before the library path */
    assert_true(library_of(&needs, "libmpi.so.40")->own);
    elf_needs_release(&needs);
}

static void
libraries_that_need_each_other_end(void **state)
{
    struct elf_needs needs;
    char one[1200];
    (void)state;

    snprintf(one, sizeof(one), "%s/one", root);
    make("program", (struct made){.needed = {"liba.so"}, .rpath = one});
    make("one/liba.so", (struct made){.needed = {"libb.so", "liba.so"}});
    make("one/libb.so", (struct made){.needed = {"liba.so", "libb.so"}});
    needs = ask("program", NULL, NULL);
    assert_int_equal(needs.count, 2);
    assert_int_equal(needs.missing, 0);
    elf_needs_release(&needs);
}

/* --- the rest --- */

static void
another_machine_and_a_missing_interpreter_are_told(void **state)
{
    struct elf_needs needs;
    struct text why = {0};
    (void)state;

    make("foreign", (struct made){.machine = EM_S390});
    needs = ask("foreign", NULL, NULL);
    assert_true(needs.wrong_machine);
    assert_false(elf_needs_met(&needs, &why));
    assert_string_equal(text_string(&why), "it was built for s390");
    elf_needs_release(&needs);
    text_clear(&why);
    make("musl", (struct made){.interpreter = "/lib/ld-none.so.1"});
    needs = ask("musl", NULL, NULL);
    assert_false(elf_needs_met(&needs, &why));
    assert_string_equal(text_string(&why), "there is no /lib/ld-none.so.1");
    elf_needs_release(&needs);
    text_release(&why);
}

static void
a_newer_libc_is_told_also_of_libraries(void **state)
{
    struct elf_needs needs;
    struct text why = {0};
    char one[1200];
    (void)state;

    snprintf(one, sizeof(one), "%s/one", root);
    make("old", (struct made){.needed = {"libc.so.6"}, .versions = {"GLIBC_2.2.5", "GLIBC_2.3"}});
    needs = ask("old", NULL, NULL);
    assert_true(elf_needs_met(&needs, &why));
    elf_needs_release(&needs);
    make("program", (struct made){.needed = {"libnew.so"}, .rpath = one});
    make("one/libnew.so", (struct made){.versions = {"GLIBC_2.999", "GLIBC_PRIVATE"}});
    needs = ask("program", NULL, NULL);
    assert_int_equal(needs.libc_minor, 999);
    assert_false(elf_needs_met(&needs, &why));
    assert_non_null(strstr(text_string(&why), "it was linked with glibc 2.999 and here is 2."));
    elf_needs_release(&needs);
    text_release(&why);
}

static void
script(const char *text, const char *interpreter, bool missing)
{
    struct elf_needs needs;

    bytes_write("script", text, strlen(text));
    needs = ask("script", NULL, NULL);
    assert_int_equal(needs.kind, ELF_NEEDS_SCRIPT);
    assert_int_equal(needs.interpreter_missing, missing);
    if (interpreter != NULL)
        assert_string_equal(needs.interpreter, interpreter);
    elf_needs_release(&needs);
}

static void
scripts_need_their_interpreter(void **state)
{
    (void)state;
    script("#!/bin/sh -e\necho\n", "/bin/sh", false);
    script("#! /bin/nothing", "/bin/nothing", true);
    script("#!/usr/bin/env perl\n", "/usr/bin/perl", false);
    script("#!/usr/bin/env nothing-of-this-name -x\n", "nothing-of-this-name", true);
    script("#!/usr/bin/env -S perl -w\n", "/usr/bin/env", false);
    script("#!\n", "", true);
}

static void
what_is_no_program_is_told(void **state)
{
    struct elf_needs_question question = {0};
    struct elf_needs needs;
    struct text why = {0};
    struct image image = image_make(&(struct made){.needed = {"libc.so.6"}});
    (void)state;

    bytes_write("data", "abc", 3);
    needs = ask("data", NULL, NULL);
    assert_int_equal(needs.kind, ELF_NEEDS_UNKNOWN);
    assert_false(elf_needs_met(&needs, &why));
    elf_needs_release(&needs);
    text_release(&why);
    question.path = file_path("none");
    assert_int_equal(elf_needs_find(&question, &needs), CPMP_ESYS);
    question.path = root;  /* a folder */
    assert_int_equal(elf_needs_find(&question, &needs), CPMP_ESYS);
    bytes_write("cut", &image, offsetof(struct image, dynamic) + 5);
    question.path = file_path("cut");
    assert_int_equal(elf_needs_find(&question, &needs), CPMP_EPROTO);
    image.header.e_phnum = 2000;
    bytes_write("many", &image, sizeof(image));
    question.path = file_path("many");
    assert_int_equal(elf_needs_find(&question, &needs), CPMP_ELIMIT);
}

static void
the_cache_is_searched_within_its_bounds(void **state)
{
    (void)state;
    assert_null(elf_cache_find("glibc-ld.so.cache1.1", 20, "libc.so.6", 0));
    assert_null(elf_cache_find(NULL, 0, "libc.so.6", 0));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_program_lacks_nothing_and_libc_is_the_systems),
        cmocka_unit_test(what_is_missing_is_named_also_that_of_libraries),
        cmocka_unit_test(rpath_is_inherited_and_runpath_is_not),
        cmocka_unit_test(origin_is_where_the_program_will_lie),
        cmocka_unit_test(a_library_of_another_machine_is_passed_over),
        cmocka_unit_test(provided_ones_come_first_and_do_not_travel),
        cmocka_unit_test(libraries_that_need_each_other_end),
        cmocka_unit_test(another_machine_and_a_missing_interpreter_are_told),
        cmocka_unit_test(a_newer_libc_is_told_also_of_libraries),
        cmocka_unit_test(scripts_need_their_interpreter),
        cmocka_unit_test(what_is_no_program_is_told),
        cmocka_unit_test(the_cache_is_searched_within_its_bounds),
    };
    struct elf_file file;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || elf_file_read_fd(fd, &file) != CPMP_OK)
        return 1;
    machine_here = file.machine;
    close(fd);
    return cmocka_run_group_tests(tests, root_make, root_remove);
}
