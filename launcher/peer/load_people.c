/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether people are there, and what the machine runs on. */
#include "peer/load_parts.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "text/memory.h"

#define INTERRUPTS_BYTES (256u << 10)
#define USB_CLASS_HID    3u

typedef void entry_fn(void *arg, const char *prefix, const char *directory, const char *name);

static void
each_entry(const char *prefix, const char *directory, entry_fn *fn, void *arg)
{
    char path[LOAD_PATH_BYTES];
    struct dirent *entry;
    DIR *open;

    snprintf(path, sizeof(path), "%s%s", prefix, directory);
    open = opendir(path);
    while (open != NULL && (entry = readdir(open)) != NULL) {
        if (entry->d_name[0] != '.')
            fn(arg, prefix, directory, entry->d_name);
    }
    if (open != NULL)
        closedir(open);
}

/* --- terminals --- */

/* The kernel sets the time of access when input is read, to within 8 seconds. */
static void
terminal_look(void *arg, const char *prefix, const char *directory, const char *name)
{
    uint64_t *newest_us = arg;
    const char *number = strncmp(name, "tty", 3) == 0 ? name + 3 : name;
    char path[LOAD_PATH_BYTES];
    struct stat about;
    uint64_t read_us;

    /* pts/3 and tty2, but not tty, tty0 (the one in front, whichever that is), ttyS0. */
    if (!isdigit((unsigned char)*number) || number[strspn(number, "0123456789")] != '\0' ||
        strcmp(name, "tty0") == 0)
        return;
    snprintf(path, sizeof(path), "%s%s/%.64s", prefix, directory, name);
    if (stat(path, &about) != 0)
        return;
    read_us = (uint64_t)about.st_atim.tv_sec * 1000000 + (uint64_t)about.st_atim.tv_nsec / 1000;
    if (read_us > *newest_us)
        *newest_us = read_us;
}

static uint64_t
terminals_idle(const char *prefix, uint64_t wall_us)
{
    uint64_t newest_us = 0;

    each_entry(prefix, "/dev/pts", terminal_look, &newest_us);
    each_entry(prefix, "/dev", terminal_look, &newest_us);
    if (newest_us == 0)
        return LOAD_NOBODY;
    return wall_us > newest_us ? wall_us - newest_us : 0;
}

/* --- keyboards and mice --- */

/* A USB interface of the class HID: its device counts transfers, which an input device makes when
 * there is input. */
static void
usb_look(void *arg, const char *prefix, const char *directory, const char *name)
{
    struct load_people *seen = arg;
    char path[LOAD_PATH_BYTES];

    if (strchr(name, ':') == NULL)
        return;
    snprintf(path, sizeof(path), "%s/%.64s/bInterfaceClass", directory, name);
    if (load_file_number(prefix, path, 0) != USB_CLASS_HID)
        return;
    snprintf(path, sizeof(path), "%s/%.*s/urbnum", directory, (int)strcspn(name, ":"), name);
    seen->devices = true;
    seen->count += load_file_number(prefix, path, 0);
}

/* Lines of /proc/interrupts that belong to input: "  1:  9  0  IO-APIC  1-edge  i8042". */
static bool
line_is_input(const char *line, size_t length)
{
    static const char *const words[] = {"i8042", "keyboard", "kbd", "mouse", "touch", "i2c_hid",
                                        "ELAN", "SYNA", "ALPS", "WACOM"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (memmem(line, length, words[i], strlen(words[i])) != NULL)
            return true;
    }
    return false;
}

static void
interrupts_look(const char *prefix, struct load_people *seen)
{
    char *text = memory_new(INTERRUPTS_BYTES, 1);
    char *line = text;

    if (load_file_read(prefix, "/proc/interrupts", text, INTERRUPTS_BYTES) <= 0)
        *text = '\0';
    while (*line != '\0') {
        size_t length = strcspn(line, "\n");
        char *at = memchr(line, ':', length);

        if (at != NULL && line_is_input(line, length)) {
            seen->devices = true;
            for (at++; *(at += strspn(at, " ")) != '\0' && isdigit((unsigned char)*at);) {
                char *end;
                uint64_t count = strtoull(at, &end, 10);

                if (*end != ' ')
                    break;  /* "1-edge" */
                seen->count += count;
                at = end;
            }
        }
        line += length + (line[length] == '\n');
    }
    free(text);
}

static uint64_t
devices_idle(struct load_people *people, const char *prefix, uint64_t now_us)
{
    struct load_people seen = {.begun = true};

    interrupts_look(prefix, &seen);
    each_entry(prefix, "/sys/bus/usb/devices", usb_look, &seen);
    seen.seen_us = people->seen_us;
    /* A device that was plugged in or taken out changes the count too, and somebody did that. */
    if (!people->begun || seen.count != people->count)
        seen.seen_us = now_us;
    *people = seen;
    if (!people->devices)
        return LOAD_NOBODY;
    return now_us > people->seen_us ? now_us - people->seen_us : 0;
}

uint64_t
load_people_idle(struct load_people *people, const char *prefix, uint64_t now_us,
                 uint64_t wall_us)
{
    uint64_t devices_us = devices_idle(people, prefix, now_us);
    uint64_t terminals_us = terminals_idle(prefix, wall_us);

    return devices_us < terminals_us ? devices_us : terminals_us;
}

/* --- power --- */

struct power {
    bool mains, mains_online, battery, discharging;
    uint32_t percent;
};

static bool
property_is(const char *prefix, const char *path, const char *name, const char *property,
            const char *value)
{
    char whole[LOAD_PATH_BYTES];
    char text[64];

    snprintf(whole, sizeof(whole), "%s/%.64s/%s", path, name, property);
    return load_file_read(prefix, whole, text, sizeof(text)) > 0 &&
           strncmp(text, value, strlen(value)) == 0;
}

static void
supply_look(void *arg, const char *prefix, const char *directory, const char *name)
{
    struct power *power = arg;
    char path[LOAD_PATH_BYTES];
    uint64_t percent;

    if (property_is(prefix, directory, name, "type", "Mains") ||
        property_is(prefix, directory, name, "type", "USB")) {
        power->mains = true;
        power->mains_online |= property_is(prefix, directory, name, "online", "1");
        return;
    }
    /* The batteries of mice and headsets are none of ours. */
    if ((!property_is(prefix, directory, name, "type", "Battery") &&
         !property_is(prefix, directory, name, "type", "UPS")) ||
        property_is(prefix, directory, name, "scope", "Device") ||
        property_is(prefix, directory, name, "present", "0"))
        return;
    power->battery = true;
    power->discharging |= property_is(prefix, directory, name, "status", "Discharging");
    snprintf(path, sizeof(path), "%s/%.64s/capacity", directory, name);
    percent = load_file_number(prefix, path, 100);
    if (percent < power->percent)
        power->percent = (uint32_t)percent;
}

bool
load_on_battery(const char *prefix, uint32_t *percent_p)
{
    struct power power = {.percent = 100};

    each_entry(prefix, "/sys/class/power_supply", supply_look, &power);
    *percent_p = power.percent;
    return power.battery && !power.mains_online && (power.discharging || power.mains);
}
