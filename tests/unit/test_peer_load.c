/* SPDX-License-Identifier: BSD-3-Clause */
/* Machines made of files: what /proc, /sys and /dev say, and what load makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cpmp.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer/load.h"
#include "peer/load_parts.h"

#define SECOND UINT64_C(1000000)
#define WALL   (UINT64_C(1700000000) * SECOND)

static char machine[64];
static struct load *load;
static struct load_reading reading;
static uint64_t now_us;

__attribute__((format(printf, 2, 3))) static void
put(const char *path, const char *format, ...)
{
    char whole[256];
    va_list arguments;
    FILE *file;

    snprintf(whole, sizeof(whole), "%s%s", machine, path);
    for (char *slash = strchr(whole, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(whole, 0755) != 0)
            assert_int_equal(errno, EEXIST);
        *slash = '/';
    }
    file = fopen(whole, "w");
    assert_non_null(file);
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    va_end(arguments);
    assert_int_equal(fclose(file), 0);
}

/* Two processors with so many ticks each: user, nice, system. */
static void
processors(unsigned user, unsigned nice, unsigned system)
{
    put("/proc/stat", "cpu  %u %u %u 999 5 0 0 0 0 0\ncpu0 %u %u %u 500 2 0 0 0 0 0\n"
        "cpu1 %u %u %u 499 3 0 0 0 0 0\nintr 1 2 3\n",
        2 * user, 2 * nice, 2 * system, user, nice, system, user, nice, system);
}

static void
process(int pid, int parent, int nice, unsigned user, unsigned system, unsigned ended)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    put(path, "%d (a) b ) 7) S %d 1 1 0 -1 0 0 0 0 0 %u %u %u 0 20 %d 1 0 0 0 0\n", pid, parent,
        user, system, ended, nice);
    snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    put(path, "900 100 25 1 0 1 0\n");
}

static void
read_at(uint64_t seconds, const struct load_root *roots, size_t count)
{
    struct text why = {0};

    now_us = SECOND * (1000 + seconds);
    if (load_read(load, roots, count, now_us, WALL + now_us, &reading, &why) != CPMP_OK)
        fail_msg("%s", text_string(&why));
}

static bool
own_read(const char *prefix, const struct load_root *root, struct load_usage *usage)
{
    struct load_table table = {0};
    bool there = load_own_read(prefix, root, &table, usage);

    load_table_release(&table);
    return there;
}

static int
entry_remove(const char *path, const struct stat *about, int type, struct FTW *ftw)
{
    (void)about;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int
machine_begin(void **state)
{
    cpu_set_t cores;

    (void)state;
    snprintf(machine, sizeof(machine), "machine.XXXXXX");
    assert_non_null(mkdtemp(machine));
    processors(0, 0, 0);
    CPU_ZERO(&cores);
    CPU_SET(0, &cores);
    CPU_SET(1, &cores);
    load = load_new(machine, &cores);
    return 0;
}

static int
machine_end(void **state)
{
    (void)state;
    load_free(load);
    return nftw(machine, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- processor time --- */

static void
nothing_is_free_before_it_is_known(void **state)
{
    (void)state;
    read_at(0, NULL, 0);
    assert_int_equal(reading.others_permille, 1000);
    assert_int_equal(reading.cores, 2);
    read_at(1, NULL, 0);
    assert_int_equal(reading.others_permille, 0);
}

static void
user_and_system_count_and_nice_does_not(void **state)
{
    long ticks = sysconf(_SC_CLK_TCK);

    (void)state;
    read_at(0, NULL, 0);
    processors((unsigned)ticks / 4, (unsigned)ticks / 2, (unsigned)ticks / 4);
    read_at(1, NULL, 0);
    assert_int_equal(reading.others_permille, 500);
    assert_int_equal(reading.own_permille, 0);
}

static void
the_load_is_smoothed(void **state)
{
    unsigned ticks = (unsigned)sysconf(_SC_CLK_TCK);
    uint32_t last = 0;

    (void)state;
    read_at(0, NULL, 0);
    read_at(1, NULL, 0);
    for (unsigned second = 2; second < 20; second++) {
        processors(ticks * (second - 1), 0, 0);
        read_at(second, NULL, 0);
        assert_true(reading.others_permille > last);
        assert_true(second > 4 || reading.others_permille < 700);
        last = reading.others_permille;
    }
    assert_in_range(last, 950, 1000);
}

static void
our_own_is_taken_away_with_all_that_is_below(void **state)
{
    const struct load_root roots[] = {{.pid = 10, .niced = true}};
    unsigned ticks = (unsigned)sysconf(_SC_CLK_TCK);

    (void)state;
    process(1, 0, 0, 0, 0, 0);
    process(10, 1, 0, 5, 5, 0);
    process(11, 10, 19, 0, 0, 0);
    process(12, 11, 19, 0, 0, 0);
    process(20, 1, 0, 0, 0, 0);
    processors(0, 0, 0);
    read_at(0, roots, 1);
    /* A second later: the agent took a quarter of a core, its ranks a whole one, half of it in the
     * kernel; somebody else took half a core. */
    process(10, 1, 0, 5 + ticks / 4, 5, 0);
    process(11, 10, 19, ticks / 2, 0, 0);
    process(12, 11, 19, 0, ticks / 2, 0);
    process(20, 1, 0, ticks / 2, 0, 0);
    processors(3 * ticks / 8, ticks / 4, ticks / 4);
    read_at(1, roots, 1);
    assert_in_range(reading.others_permille, 245, 255);
    assert_in_range(reading.own_permille, 620, 630);
    assert_int_equal(reading.own_resident_bytes, 3 * 75 * sysconf(_SC_PAGESIZE));
}

static void
who_is_not_nice_competes(void **state)
{
    const struct load_root roots[] = {{.pid = 10}};
    unsigned ticks = (unsigned)sysconf(_SC_CLK_TCK);

    (void)state;
    process(10, 1, 0, 0, 0, 0);
    process(11, 10, 0, 0, 0, 0);
    read_at(0, roots, 1);
    process(11, 10, 0, ticks, 0, 0);
    processors(ticks / 2, 0, 0);
    read_at(1, roots, 1);
    assert_in_range(reading.others_permille, 0, 5);
    assert_in_range(reading.own_permille, 495, 505);
}

static void
a_rank_that_ended_is_still_ours(void **state)
{
    const struct load_root roots[] = {{.pid = 10}};
    unsigned ticks = (unsigned)sysconf(_SC_CLK_TCK);
    char path[128];

    (void)state;
    process(10, 1, 0, 0, 0, 0);
    process(11, 10, 0, ticks, 0, 0);
    read_at(0, roots, 1);
    snprintf(path, sizeof(path), "%s/proc/11/stat", machine);
    assert_int_equal(unlink(path), 0);
    process(10, 1, 0, 0, 0, 2 * ticks);
    processors(ticks / 2, 0, 0);
    read_at(1, roots, 1);
    assert_in_range(reading.others_permille, 0, 5);
    read_at(2, NULL, 0);
    assert_in_range(reading.others_permille, 0, 5);
}

static void
children_are_taken_from_the_kernels_list(void **state)
{
    const struct load_root root = {.pid = 10};
    struct load_usage usage;
    unsigned ticks = (unsigned)sysconf(_SC_CLK_TCK);

    (void)state;
    process(10, 1, 0, ticks, 0, 0);
    process(11, 10, 0, ticks, 0, 0);
    process(12, 10, 0, ticks, 0, 0);
    process(13, 10, 0, ticks, 0, 0);  /* a liar: in no list */
    put("/proc/10/task/10/children", "11 ");
    put("/proc/10/task/14/children", "12 \n");
    put("/proc/11/task/11/children", "%s", "");
    put("/proc/12/task/12/children", "%s", "");
    assert_true(own_read(machine, &root, &usage));
    assert_true(usage.all_us == 3 * SECOND);
}

static void
a_cgroup_keeps_the_account(void **state)
{
    char directory[96];
    struct load_root root = {.pid = 10, .cgroup = directory, .niced = true};
    struct load_usage usage;

    (void)state;
    snprintf(directory, sizeof(directory), "%s/group", machine);
    put("/group/cpu.stat", "usage_usec 700\nuser_usec 500\nsystem_usec 200\n");
    put("/group/memory.current", "4096\n");
    assert_true(own_read(machine, &root, &usage));
    assert_int_equal(usage.competing_us, 200);
    assert_int_equal(usage.all_us, 700);
    assert_int_equal(usage.resident_bytes, 4096);
    put("/group/cpu.stat", "usage_usec 700\nuser_usec 500\nsystem_usec 200\nnice_usec 100\n");
    assert_true(own_read(machine, &root, &usage));
    assert_int_equal(usage.competing_us, 600);
    put("/group/cpu.stat", "nr_periods 0\n");
    put("/group/cpuacct.usage_user", "5000\n");
    put("/group/cpuacct.usage_sys", "3000\n");
    root.niced = false;
    assert_true(own_read(machine, &root, &usage));
    assert_int_equal(usage.competing_us, 8);
    root.cgroup = "nowhere";
    assert_false(own_read(machine, &root, &usage));
}

/* On this very machine: a child's time is seen, and that of one that is nice doesn't compete. */
static void
a_real_process_is_measured(void **state)
{
    struct load_root root = {.niced = true};
    struct load_usage usage;
    char byte;
    int ready[2];

    (void)state;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    root.pid = fork();
    assert_true(root.pid >= 0);
    if (root.pid == 0) {
        struct rusage used = {.ru_utime.tv_sec = 0};

        if (nice(19) != 19)
            _exit(1);
        while (used.ru_utime.tv_sec * 1000000 + used.ru_utime.tv_usec < 200000)
            getrusage(RUSAGE_SELF, &used);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_true(own_read("", &root, &usage));
    kill(root.pid, SIGKILL);
    waitpid(root.pid, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    assert_true(usage.all_us >= 150000);
    assert_true(usage.competing_us + 150000 <= usage.all_us);
    assert_true(usage.resident_bytes > 0);
    assert_false(own_read("", &root, &usage));
}

static void
a_real_machine_is_read(void **state)
{
    struct load *real = load_new("", NULL);
    struct text why = {0};

    (void)state;
    assert_int_equal(load_read(real, NULL, 0, SECOND, WALL, &reading, &why), CPMP_OK);
    assert_int_equal(load_read(real, NULL, 0, 2 * SECOND, WALL, &reading, &why), CPMP_OK);
    assert_true(reading.cores > 0);
    assert_true(reading.memory_available_bytes > 0);
    assert_true(reading.memory_available_bytes <= reading.memory_bytes);
    assert_true(load_disk_free_bytes("/") > 0);
    assert_true(load_disk_free_bytes("/no such place") == 0);
    load_free(real);
}

static void
other_processors_are_no_matter(void **state)
{
    cpu_set_t one;
    struct load *narrow;
    struct text why = {0};
    unsigned ticks = (unsigned)sysconf(_SC_CLK_TCK);

    (void)state;
    CPU_ZERO(&one);
    CPU_SET(1, &one);
    narrow = load_new(machine, &one);
    put("/proc/stat", "cpu  0 0 0\ncpu0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0\n");
    assert_int_equal(load_read(narrow, NULL, 0, SECOND, WALL, &reading, &why), CPMP_OK);
    put("/proc/stat", "cpu  0 0 0\ncpu0 %u 0 0 0 0 0 0\ncpu1 %u 0 0 0 0 0 0\n", ticks, ticks / 2);
    assert_int_equal(load_read(narrow, NULL, 0, 2 * SECOND, WALL, &reading, &why), CPMP_OK);
    assert_int_equal(reading.cores, 1);
    assert_int_equal(reading.others_permille, 500);
    load_free(narrow);
    CPU_ZERO(&one);
    CPU_SET(7, &one);
    narrow = load_new(machine, &one);
    assert_int_equal(load_read(narrow, NULL, 0, SECOND, WALL, &reading, &why), CPMP_ESYS);
    assert_non_null(strstr(text_string(&why), "names no processor"));
    load_free(narrow);
    text_release(&why);
}

/* --- people --- */

static void
terminal(const char *path, uint64_t read_us)
{
    const struct timespec times[2] = {{.tv_sec = (time_t)(read_us / SECOND)},
                                      {.tv_sec = (time_t)(read_us / SECOND)}};
    char whole[256];

    put(path, "%s", "");
    snprintf(whole, sizeof(whole), "%s%s", machine, path);
    assert_int_equal(utimensat(AT_FDCWD, whole, times, 0), 0);
}

static void
terminals_tell_when_they_were_used(void **state)
{
    (void)state;
    read_at(0, NULL, 0);
    assert_true(reading.people_idle_us == LOAD_NOBODY);
    terminal("/dev/pts/0", WALL + 700 * SECOND);
    terminal("/dev/pts/12", WALL + 900 * SECOND);
    terminal("/dev/pts/ptmx", WALL + 1000 * SECOND);
    terminal("/dev/tty", WALL + 1000 * SECOND);
    terminal("/dev/tty0", WALL + 1000 * SECOND);
    terminal("/dev/ttyS0", WALL + 1000 * SECOND);
    read_at(0, NULL, 0);
    assert_true(reading.people_idle_us == 100 * SECOND);
    terminal("/dev/tty2", WALL + 990 * SECOND);
    read_at(1, NULL, 0);
    assert_true(reading.people_idle_us == 11 * SECOND);
    terminal("/dev/tty2", WALL + 5000 * SECOND);  /* the clock was put back */
    read_at(2, NULL, 0);
    assert_int_equal(reading.people_idle_us, 0);
}

static void
keys_are_counted_by_interrupts(void **state)
{
    (void)state;
    put("/proc/interrupts", "      CPU0 CPU1\n  1:  9  4  IO-APIC 1-edge i8042\n 9: 5 5 x acpi\n");
    read_at(0, NULL, 0);
    assert_int_equal(reading.people_idle_us, 0);  /* who knows */
    put("/proc/interrupts", "      CPU0 CPU1\n  1:  9  4  IO-APIC 1-edge i8042\n 9: 8 8 x acpi\n");
    read_at(30, NULL, 0);
    assert_true(reading.people_idle_us == 30 * SECOND);
    put("/proc/interrupts", "      CPU0 CPU1\n  1:  9  5  IO-APIC 1-edge i8042\n 9: 8 8 x acpi\n");
    read_at(31, NULL, 0);
    assert_int_equal(reading.people_idle_us, 0);
    read_at(40, NULL, 0);
    assert_true(reading.people_idle_us == 9 * SECOND);
}

static void
usb_keyboards_count_their_transfers(void **state)
{
    (void)state;
    put("/sys/bus/usb/devices/1-2:1.0/bInterfaceClass", "03\n");
    put("/sys/bus/usb/devices/1-2/urbnum", "100\n");
    put("/sys/bus/usb/devices/1-3:1.0/bInterfaceClass", "08\n");
    put("/sys/bus/usb/devices/1-3/urbnum", "5\n");
    read_at(0, NULL, 0);
    put("/sys/bus/usb/devices/1-3/urbnum", "50000\n");
    read_at(60, NULL, 0);
    assert_true(reading.people_idle_us == 60 * SECOND);
    put("/sys/bus/usb/devices/1-2/urbnum", "101\n");
    read_at(61, NULL, 0);
    assert_int_equal(reading.people_idle_us, 0);
}

/* --- power, memory --- */

static void
power_comes_from_the_mains_or_not(void **state)
{
    (void)state;
    read_at(0, NULL, 0);
    assert_false(reading.on_battery);
    assert_int_equal(reading.battery_percent, 100);
    put("/sys/class/power_supply/BAT0/type", "Battery\n");
    put("/sys/class/power_supply/BAT0/present", "1\n");
    put("/sys/class/power_supply/BAT0/status", "Discharging\n");
    put("/sys/class/power_supply/BAT0/capacity", "63\n");
    read_at(1, NULL, 0);
    assert_true(reading.on_battery);
    assert_int_equal(reading.battery_percent, 63);
    put("/sys/class/power_supply/AC/type", "Mains\n");
    put("/sys/class/power_supply/AC/online", "1\n");
    read_at(2, NULL, 0);
    assert_false(reading.on_battery);
    put("/sys/class/power_supply/AC/online", "0\n");
    put("/sys/class/power_supply/BAT0/status", "Not charging\n");
    read_at(3, NULL, 0);
    assert_true(reading.on_battery);
}

static void
the_battery_of_a_mouse_is_none(void **state)
{
    (void)state;
    put("/sys/class/power_supply/hid-mouse/type", "Battery\n");
    put("/sys/class/power_supply/hid-mouse/scope", "Device\n");
    put("/sys/class/power_supply/hid-mouse/status", "Discharging\n");
    read_at(0, NULL, 0);
    assert_false(reading.on_battery);
}

static void
memory_is_what_could_be_had(void **state)
{
    (void)state;
    put("/proc/meminfo", "MemTotal:   16000 kB\nMemFree:  10 kB\nMemAvailable:    9000 kB\n");
    read_at(0, NULL, 0);
    assert_int_equal(reading.memory_bytes, 16000 * 1024);
    assert_int_equal(reading.memory_available_bytes, 9000 * 1024);
}

#define MACHINE(name) cmocka_unit_test_setup_teardown(name, machine_begin, machine_end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        MACHINE(nothing_is_free_before_it_is_known),
        MACHINE(user_and_system_count_and_nice_does_not),
        MACHINE(the_load_is_smoothed),
        MACHINE(our_own_is_taken_away_with_all_that_is_below),
        MACHINE(who_is_not_nice_competes),
        MACHINE(a_rank_that_ended_is_still_ours),
        MACHINE(children_are_taken_from_the_kernels_list),
        MACHINE(a_cgroup_keeps_the_account),
        MACHINE(a_real_process_is_measured),
        MACHINE(a_real_machine_is_read),
        MACHINE(other_processors_are_no_matter),
        MACHINE(terminals_tell_when_they_were_used),
        MACHINE(keys_are_counted_by_interrupts),
        MACHINE(usb_keyboards_count_their_transfers),
        MACHINE(power_comes_from_the_mains_or_not),
        MACHINE(the_battery_of_a_mouse_is_none),
        MACHINE(memory_is_what_could_be_had),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
