/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PEER_POLICY_H
#define CPI_PEER_POLICY_H

/*
 * The owner's policy: what others may have of this machine, and when.
 *
 * One table (policy.c) has each key with its kind, default, range and meaning. From it come the
 * file policy.conf, `cpmp policy`, `cpmp policy set key=value` and the manual page
 * cpmp-policy(5), which a test compares with it.
 *
 * Everything here is pure; files: peer/policy_file.h. Errors are words for people, added to `why`.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "peer/hours.h"
#include "text/text.h"

#define POLICY_LIST_MAX  256u  /* items of a list */
#define POLICY_ITEM_MAX  128u  /* bytes of one, 0 byte included */
#define POLICY_PATH_MAX  160u  /* bytes of a path */
#define POLICY_KEY_BYTES 32u   /* a key's name, 0 byte included */

/* So many bytes, or, when percent isn't 0, that part of a whole. */
struct policy_amount {
    uint64_t bytes;
    uint32_t percent;
};

/* Words; owned. "all" is the one item "*". */
struct policy_list {
    char **items;
    size_t count;
};

/* Zeroed memory is no policy: policy_init makes the default one. */
struct policy {
    bool share;
    uint64_t cpu_percent;        /* of all cores, for jobs */
    uint64_t cores;              /* for jobs; 0: all */
    uint64_t others_percent;     /* load of others, above which ranks are suspended */
    uint64_t idle_us;            /* people must have been away for so long; 0: no matter */
    struct hours hours;
    uint64_t hours_grace_us;     /* ranks may go on for so long when the hours end */
    bool battery;                /* also on battery */
    struct policy_amount memory; /* for jobs */
    uint64_t scratch_bytes;      /* for the working directory of one job */
    uint64_t store_bytes;        /* for executables and files kept */
    char *store_directory;       /* owned; "": store/ in the state directory */
    uint64_t run_time_us;        /* of one job here; 0: unlimited */
    struct policy_list allow, deny;  /* peers by name, id, address */
    struct policy_list users;        /* of this machine */
    uint64_t least_price;            /* micro-credits for a capacity-second */
    bool sched_idle;
    bool sandbox;                        /* required */
    struct policy_list accept_weakness;  /* names */
    uint64_t suspend_after_us, resume_after_us, leave_after_us;
};

/* A peer as allow and deny see it. What is unknown is NULL, and matches no item but "all". */
struct policy_peer {
    const char *name;
    const char *id;                  /* 40 hexadecimal digits */
    const struct sockaddr *address;
};

void policy_init(struct policy *policy);
void policy_release(struct policy *policy);

/* Puts `from` into `to`, releasing what was there; `from` is empty (but not default) afterwards. */
void policy_move(struct policy *to, struct policy *from);

/* Sets one key. CPMP_OK; CPMP_ENOENT for an unknown key (`why` has the nearest names); CPMP_EINVAL
 * for a value that it can't have (`why` has what is allowed). On an error nothing changes. */
int policy_set(struct policy *policy, const char *key, const char *value, struct text *why);

/* The same from "key=value", as `cpmp policy set` has it. `key` (POLICY_KEY_BYTES) gets the key's
 * name, on success; or NULL. */
int policy_set_pair(struct policy *policy, const char *pair, char *key, struct text *why);

/* Reads a whole policy.conf; keys that it doesn't name have their defaults. CPMP_OK, or CPMP_EINVAL
 * with a line for each error in `why` ("NAME:LINE: ..."); *policy, which is initialized, changes on
 * success only. `name` is the file's, for messages. */
int policy_parse(struct policy *policy, const char *name, const char *text, struct text *why);

/* policy.conf's text with one key set: its last line is changed in place, its continuation lines
 * go, a comment behind the value stays; a key that no line has comes at the end. Everything else
 * keeps its order and words. `key` is known and `value` right (policy_set). */
void policy_edit(const char *text, const char *key, const char *value, struct text *out);

/* Adds a key's value as policy.conf would have it. CPMP_OK or CPMP_ENOENT. */
int policy_value(const struct policy *policy, const char *key, struct text *out);

/* A row of the table, as `cpmp policy` shows it. */
struct policy_row {
    const char *key, *initial, *help;  /* initial: the default */
    bool changed;                      /* the value isn't the default */
};

/* The row `index`; the key's value and, where it isn't NULL, what is allowed are added. false
 * beyond the last row. */
bool policy_row(const struct policy *policy, size_t index, struct policy_row *row,
                struct text *value, struct text *allowed);

/* policy.conf as it is first made: every key, commented out, with its default and meaning. */
void policy_template(struct text *out);

/* May `peer` have ranks here? Denied is denied, whatever is allowed. `why` gets the reason. */
bool policy_admits_peer(const struct policy *policy, const struct policy_peer *peer,
                        struct text *why);

/* May this user of this machine start jobs? `groups` are names. User 0 always may. */
bool policy_admits_user(const struct policy *policy, uint64_t uid, const char *name,
                        const char *const *groups, size_t group_count, struct text *why);

/* Is the sandbox's weakness of this name accepted? */
bool policy_accepts_weakness(const struct policy *policy, const char *name);

/* What `amount` is of `whole_bytes`, which it never exceeds. */
uint64_t policy_amount_bytes(const struct policy_amount *amount, uint64_t whole_bytes);

#endif
