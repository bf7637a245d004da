/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store of contents: what is put in comes out, by its name, with the right modes; the quota,
 * damage, a full disk, restarts; and a kill at every system call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <cpmp.h>

#include "content/content.h"

#define PIECE CONTENT_PIECE_BYTES
#define MANY  (100ull << 20)

static char root[64];
static unsigned char bytes[4 * PIECE];

static struct content_store *
store_open(uint64_t quota_bytes)
{
    struct content_store *store = NULL;
    struct text why = {0};

    assert_int_equal(content_open(root, quota_bytes, &store, &why), CPMP_OK);
    text_release(&why);
    return store;
}

/* A file with `count` bytes that depend on `seed`. */
static int
file_make(uint32_t seed, size_t count)
{
    int fd = memfd_create("content", MFD_CLOEXEC);

    assert_true(fd >= 0 && count <= sizeof(bytes));
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(seed >> 24);
    }
    assert_int_equal(write(fd, bytes, count), (ssize_t)count);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static struct content_name
put(struct content_store *store, uint32_t seed, size_t count, bool executable)
{
    struct content_manifest manifest;
    int fd = file_make(seed, count);
    struct content_name name;

    assert_int_equal(content_insert(store, fd, executable, &manifest), CPMP_OK);
    close(fd);
    name = manifest.name;
    content_manifest_release(&manifest);
    return name;
}

static struct content_manifest
describe(uint32_t seed, size_t count)
{
    struct content_manifest manifest;
    int fd = file_make(seed, count);

    assert_int_equal(content_describe(fd, true, &manifest), CPMP_OK);
    close(fd);
    return manifest;
}

static mode_t
mode_of(const struct content_store *store, const struct content_name *name)
{
    struct text path = {0};
    struct stat status;

    content_path(store, name, &path);
    assert_int_equal(stat(text_string(&path), &status), 0);
    text_release(&path);
    return status.st_mode & 07777;
}

static void
overwrite(const struct content_store *store, const struct content_name *name, const char *with)
{
    struct text path = {0};
    int fd;

    content_path(store, name, &path);
    assert_int_equal(chmod(text_string(&path), 0600), 0);
    fd = open(text_string(&path), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, with, strlen(with), 10), (ssize_t)strlen(with));
    close(fd);
    text_release(&path);
}

static int
root_make(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "store.XXXXXX");
    return mkdtemp(root) == NULL || rmdir(root) < 0 ? -1 : 0;
}

static int
root_remove(void **state)
{
    char command[] = "/bin/rm", *argv[] = {command, (char []){"-rf"}, root, NULL};
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0)
        _exit(execv(command, argv));
    return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

/* --- whole ones --- */

static void
what_is_put_in_comes_out_by_its_name(void **state)
{
    static const char abc[] =
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    struct content_store *store = store_open(MANY);
    struct content_manifest manifest;
    struct content_name name;
    char text[CONTENT_NAME_TEXT], got[4];
    int pipe_fds[2], fd;
    (void)state;

    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(write(pipe_fds[1], "abc", 3), 3);
    close(pipe_fds[1]);
    assert_int_equal(content_insert(store, pipe_fds[0], false, &manifest), CPMP_OK);
    close(pipe_fds[0]);
    content_name_text(&manifest.name, text);
    assert_string_equal(text, abc);  /* FIPS 180-2, appendix B.1 */
    assert_int_equal(manifest.size_bytes, 3);
    assert_int_equal(manifest.piece_count, 1);
    assert_true(content_name_equal(&manifest.pieces[0], &manifest.name));
    content_manifest_release(&manifest);
    assert_true(content_name_parse(abc, &name));
    assert_false(content_name_parse("BA", &name));
    assert_true(content_has(store, &name));
    assert_int_equal(content_open_file(store, &name, &fd), CPMP_OK);
    assert_int_equal(read(fd, got, 4), 3);
    assert_memory_equal(got, "abc", 3);
    close(fd);
    content_close(store);
}

static void
modes_let_another_user_read_whatever_the_umask(void **state)
{
    mode_t before = umask(077);
    struct content_store *store = store_open(MANY);
    struct content_name plain = put(store, 1, 1000, false), program = put(store, 2, 1000, true);
    struct text path = {0};
    struct stat status;
    (void)state;

    umask(before);
    assert_int_equal(mode_of(store, &plain), 0444);
    assert_int_equal(mode_of(store, &program), 0555);
    content_path(store, &plain, &path);
    *strrchr(path.bytes, '/') = 0;
    assert_int_equal(stat(path.bytes, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0755);
    assert_int_equal(stat(root, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0755);
    assert_int_equal(content_pin(store, &plain, true), CPMP_OK);
    assert_int_equal(mode_of(store, &plain), 0555);
    text_release(&path);
    content_close(store);
}

static void
the_same_bytes_are_kept_once_and_pieces_are_named(void **state)
{
    struct content_store *store = store_open(MANY);
    struct content_name one = put(store, 1, 3 * PIECE + 5, false);
    struct content_name two = put(store, 1, 3 * PIECE + 5, false);
    struct content_manifest manifest = describe(1, 3 * PIECE + 5);
    struct content_info info;
    (void)state;

    assert_true(content_name_equal(&one, &two) && content_name_equal(&one, &manifest.name));
    assert_int_equal(manifest.piece_count, 4);
    assert_int_equal(content_usage(store).contents, 1);
    assert_int_equal(content_usage(store).used_bytes, 3 * PIECE + 5);
    assert_true(content_at(store, 0, &info));
    assert_int_equal(info.pins, 2);
    assert_true(info.used_s > 0);
    assert_false(content_at(store, 1, &info));
    assert_int_equal(content_remove(store, &one), CPMP_ESTATE);
    content_unpin(store, &one);
    content_unpin(store, &one);
    assert_int_equal(content_remove(store, &one), CPMP_OK);
    assert_int_equal(content_remove(store, &one), CPMP_ENOENT);
    content_manifest_release(&manifest);
    content_close(store);
}

static void
what_was_used_least_lately_goes_first_and_pinned_ones_stay(void **state)
{
    struct content_store *store = store_open(4 * PIECE);
    struct content_name names[4], big;
    struct content_manifest manifest;
    int fd;
    (void)state;

    for (uint32_t i = 0; i < 4; i++) {
        names[i] = put(store, i, PIECE, false);
        if (i != 1)
            content_unpin(store, &names[i]);
    }
    assert_int_equal(content_pin(store, &names[0], false), CPMP_OK);  /* used again */
    content_unpin(store, &names[0]);
    big = put(store, 9, 2 * PIECE, false);  /* 1 is pinned: 2 and 3 go */
    assert_true(content_has(store, &names[0]) && content_has(store, &names[1]));
    assert_false(content_has(store, &names[2]) || content_has(store, &names[3]));
    fd = file_make(10, 2 * PIECE);
    assert_int_equal(content_insert(store, fd, false, &manifest), CPMP_ELIMIT);
    assert_non_null(strstr(content_error(store), "quota"));
    close(fd);
    assert_true(content_usage(store).used_bytes <= 4 * PIECE);
    content_unpin(store, &big);
    content_set_quota(store, 2 * PIECE);
    assert_true(content_has(store, &names[1]));
    assert_true(content_usage(store).used_bytes <= 2 * PIECE);
    content_close(store);
}

static void
a_restart_finds_contents_and_the_order_of_their_use(void **state)
{
    struct content_store *store = store_open(MANY);
    struct content_name first = put(store, 1, PIECE, true), second = put(store, 2, PIECE, false);
    struct content_name third = put(store, 3, PIECE, false);
    struct content_info info;
    int fd;
    (void)state;

    assert_int_equal(content_pin(store, &first, true), CPMP_OK);  /* the last used */
    content_close(store);
    fd = open(root, O_RDONLY | O_DIRECTORY);
    close(openat(fd, "new.abcdef", O_CREAT | O_WRONLY, 0600));  /* of a killed process */
    close(openat(fd, "unrelated", O_CREAT | O_WRONLY, 0600));
    store = store_open(MANY);
    assert_int_equal(faccessat(fd, "new.abcdef", F_OK, 0), -1);
    assert_int_equal(faccessat(fd, "unrelated", F_OK, 0), 0);
    close(fd);
    assert_int_equal(content_usage(store).contents, 3);
    assert_int_equal(content_usage(store).used_bytes, 3 * PIECE);
    for (uint32_t i = 0; content_at(store, i, &info); i++) {
        assert_int_equal(info.executable, content_name_equal(&info.name, &first));
        assert_int_equal(info.pins, 0);
    }
    content_set_quota(store, PIECE);
    assert_true(content_has(store, &first));
    assert_false(content_has(store, &second) || content_has(store, &third));
    content_close(store);
}

static void
damage_is_found_before_use_and_removed(void **state)
{
    struct content_store *store = store_open(MANY);
    struct content_name name = put(store, 1, 2 * PIECE, false), other = put(store, 2, 100, false);
    (void)state;

    content_close(store);
    store = store_open(MANY);
    overwrite(store, &name, "damage");
    assert_int_equal(content_pin(store, &name, false), CPMP_EPROTO);
    assert_non_null(strstr(content_error(store), "damaged"));
    assert_false(content_has(store, &name));
    assert_int_equal(content_pin(store, &name, false), CPMP_ENOENT);
    assert_int_equal(content_pin(store, &other, false), CPMP_OK);
    overwrite(store, &other, "damage");
    assert_int_equal(content_verify(store, &other), CPMP_EPROTO);  /* someone complained */
    content_unpin(store, &other);
    assert_int_equal(content_usage(store).used_bytes, 0);
    other = put(store, 2, 100, false);  /* and it is put in afresh */
    assert_int_equal(content_verify(store, &other), CPMP_OK);
    content_close(store);
}

/* --- in pieces --- */

static void
pieces_in_any_order_make_the_whole_over_a_restart(void **state)
{
    struct content_store *store = store_open(MANY);
    struct content_manifest manifest = describe(5, 3 * PIECE + 77);
    struct content_partial *partial, *second;
    (void)state;

    assert_int_equal(content_partial_open(store, &manifest, &partial), CPMP_OK);
    assert_int_equal(content_partial_open(store, &manifest, &second), CPMP_ESTATE);
    assert_int_equal(content_partial_write(partial, 3, bytes + 3 * PIECE, 77), CPMP_OK);
    assert_int_equal(content_partial_write(partial, 1, bytes, PIECE), CPMP_EPROTO);
    assert_int_equal(content_partial_write(partial, 1, bytes + PIECE, PIECE - 1), CPMP_EPROTO);
    assert_int_equal(content_partial_write(partial, 4, bytes, 0), CPMP_EPROTO);
    assert_int_equal(content_partial_write(partial, 1, bytes + PIECE, PIECE), CPMP_OK);
    assert_int_equal(content_partial_finish(partial), CPMP_ESTATE);
    content_partial_close(partial, true);
    content_close(store);

    store = store_open(MANY);
    assert_false(content_has(store, &manifest.name));
    assert_int_equal(content_partial_open(store, &manifest, &partial), CPMP_OK);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(content_partial_had(partial)[i], i % 2);
    assert_int_equal(content_partial_write(partial, 0, bytes, PIECE), CPMP_OK);
    assert_int_equal(content_partial_write(partial, 2, bytes + 2 * PIECE, PIECE), CPMP_OK);
    assert_int_equal(content_partial_finish(partial), CPMP_OK);
    assert_int_equal(mode_of(store, &manifest.name), 0555);
    assert_int_equal(content_verify(store, &manifest.name), CPMP_OK);
    assert_int_equal(content_usage(store).pinned_bytes, 3 * PIECE + 77);
    assert_int_equal(content_partial_open(store, &manifest, &partial), CPMP_EEXIST);
    content_manifest_release(&manifest);
    content_close(store);
}

static void
a_manifest_that_lies_about_the_whole_gets_nothing(void **state)
{
    struct content_store *store = store_open(MANY);
    struct content_manifest manifest = describe(5, PIECE);
    struct content_partial *partial;
    (void)state;

    manifest.name.bytes[0] ^= 1;
    assert_int_equal(content_partial_open(store, &manifest, &partial), CPMP_OK);
    assert_int_equal(content_partial_write(partial, 0, bytes, PIECE), CPMP_OK);
    assert_int_equal(content_partial_finish(partial), CPMP_EPROTO);
    assert_false(content_has(store, &manifest.name));
    assert_int_equal(content_usage(store).used_bytes, 0);
    manifest.piece_count = 2;
    assert_int_equal(content_partial_open(store, &manifest, &partial), CPMP_EPROTO);
    content_manifest_release(&manifest);
    content_close(store);
}

static void
an_abandoned_partial_makes_room_for_others(void **state)
{
    struct content_store *store = store_open(3 * PIECE);
    struct content_manifest manifest = describe(5, 2 * PIECE);
    struct content_partial *partial;
    (void)state;

    assert_int_equal(content_partial_open(store, &manifest, &partial), CPMP_OK);
    assert_int_equal(content_usage(store).pinned_bytes, 2 * PIECE);
    content_partial_close(partial, true);
    put(store, 6, 2 * PIECE, false);
    assert_int_equal(content_usage(store).used_bytes, 2 * PIECE);
    assert_int_equal(content_partial_open(store, &manifest, &partial), CPMP_ELIMIT);
    content_manifest_release(&manifest);
    content_close(store);
}

/* --- trouble --- */

/* Each makes the disk of `root` hold less than four pieces; 77: may not. */
static int
with_a_small_disk(void)
{
    if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return 77;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mkdir(root, 0755) < 0)
        return 77;
    return mount("small", root, "tmpfs", 0, "size=768k") < 0 ? 77 : 0;
}

static int
with_a_limit_of_files(void)
{
    struct rlimit limit = {3 * PIECE, 3 * PIECE};

    signal(SIGXFSZ, SIG_IGN);
    return setrlimit(RLIMIT_FSIZE, &limit);
}

/* 0: a full disk is told as one, and nothing half is left. */
static int
full_disk_is_told(int (*make_it_small)(void))
{
    struct content_manifest manifest;
    struct content_partial *partial;
    struct content_store *store;
    struct text why = {0};
    int large = file_make(1, 4 * PIECE), small = file_make(2, PIECE);
    int error = make_it_small();

    if (error)
        return error;
    if (content_open(root, MANY, &store, &why) != CPMP_OK)
        return 1;
    if (content_insert(store, large, false, &manifest) != CPMP_ENOSPC)
        return 2;
    if (strstr(content_error(store), "make room on that disk") == NULL)
        return 3;
    lseek(large, 0, SEEK_SET);
    if (content_describe(large, false, &manifest) != CPMP_OK ||
        content_partial_open(store, &manifest, &partial) != CPMP_ENOSPC)
        return 4;
    if (content_usage(store).contents != 0 || content_usage(store).used_bytes != 0)
        return 5;
    if (content_insert(store, small, false, &manifest) != CPMP_OK)
        return 6;  /* what fits still does */
    content_close(store);
    if (content_open(root, MANY, &store, &why) != CPMP_OK)
        return 7;
    return content_usage(store).contents == 1 ? 0 : 8;
}

static int
in_child(int (*body)(int (*)(void)), int (*argument)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(body(argument));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

static void
a_full_disk_is_told_and_nothing_half_is_left(void **state)
{
    int status = in_child(full_disk_is_told, with_a_small_disk);
    (void)state;

    if (status == 77)
        skip();
    assert_int_equal(status, 0);
}

static void
a_limit_of_file_sizes_is_as_good_as_a_full_disk(void **state)
{
    (void)state;
    assert_int_equal(in_child(full_disk_is_told, with_a_limit_of_files), 0);
}

static void
a_store_that_can_not_be_opened_says_why(void **state)
{
    struct content_store *store;
    struct text why = {0};
    (void)state;

    assert_int_equal(content_open("/dev/null/store", MANY, &store, &why), CPMP_ESYS);
    assert_non_null(strstr(text_string(&why), "/dev/null/store: cannot open the store"));
    text_release(&why);
}

/* Puts one content in and gets another in pieces; wherever an earlier one was killed. */
static void
story(void)
{
    struct content_store *store = store_open(MANY);
    struct content_partial *partial;
    struct content_manifest manifest;
    int error;

    put(store, 20, PIECE + 1, true);
    manifest = describe(21, 2 * PIECE);
    error = content_partial_open(store, &manifest, &partial);
    if (error == CPMP_OK) {
        assert_int_equal(content_partial_write(partial, 1, bytes + PIECE, PIECE), CPMP_OK);
        assert_int_equal(content_partial_write(partial, 0, bytes, PIECE), CPMP_OK);
        assert_int_equal(content_partial_finish(partial), CPMP_OK);
    } else {
        assert_int_equal(error, CPMP_EEXIST);
    }
    assert_int_equal(content_verify(store, &manifest.name), CPMP_OK);
    content_manifest_release(&manifest);
    content_close(store);
}

/* Runs the story until its `stops`th entry into or return from a system call, then kills it. False:
 * it came to its end before. */
static bool
story_killed(int stops)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        story();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    for (int i = 0; i < stops && !WIFEXITED(status); i++) {
        assert_true(WIFSTOPPED(status));
        assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
    }
    if (WIFEXITED(status)) {
        assert_int_equal(WEXITSTATUS(status), 0);
        return false;
    }
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return true;
}

static void
nothing_false_or_half_is_left(void)
{
    struct content_store *store = store_open(MANY);
    struct content_info info;
    struct text path = {0};
    struct dirent *found;
    DIR *directory;

    for (uint32_t i = 0; content_at(store, i, &info); i++) {
        if (info.partial)
            continue;
        content_path(store, &info.name, &path);
        assert_int_equal(access(text_string(&path), R_OK), 0);
        /* Found right, not dropped: only whole files have names. */
        assert_int_equal(content_pin(store, &info.name, false), CPMP_OK);
    }
    text_release(&path);
    content_close(store);
    directory = opendir(root);
    assert_non_null(directory);
    while ((found = readdir(directory)) != NULL)
        assert_int_not_equal(strncmp(found->d_name, "new.", 4), 0);
    closedir(directory);
}

static void
a_kill_at_any_system_call_leaves_the_store_right(void **state)
{
    bool killed = true;

    root_remove(state);
    for (int stops = 1; killed; stops++) {
        assert_int_equal(root_make(state), 0);
        killed = story_killed(stops);
        if (access(root, F_OK) == 0)
            nothing_false_or_half_is_left();
        story();
        assert_int_equal(root_remove(state), 0);
        assert_true(stops < 20000);
    }
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, root_make, root_remove)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        STORE_TEST(what_is_put_in_comes_out_by_its_name),
        STORE_TEST(modes_let_another_user_read_whatever_the_umask),
        STORE_TEST(the_same_bytes_are_kept_once_and_pieces_are_named),
        STORE_TEST(what_was_used_least_lately_goes_first_and_pinned_ones_stay),
        STORE_TEST(a_restart_finds_contents_and_the_order_of_their_use),
        STORE_TEST(damage_is_found_before_use_and_removed),
        STORE_TEST(pieces_in_any_order_make_the_whole_over_a_restart),
        STORE_TEST(a_manifest_that_lies_about_the_whole_gets_nothing),
        STORE_TEST(an_abandoned_partial_makes_room_for_others),
        STORE_TEST(a_full_disk_is_told_and_nothing_half_is_left),
        STORE_TEST(a_limit_of_file_sizes_is_as_good_as_a_full_disk),
        STORE_TEST(a_store_that_can_not_be_opened_says_why),
        STORE_TEST(a_kill_at_any_system_call_leaves_the_store_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
