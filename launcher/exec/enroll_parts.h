/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_ENROLL_PARTS_H
#define CPI_EXEC_ENROLL_PARTS_H

/*
 * What the files of enroll share.
 *
 *   enroll.c        the daemon, which may be restarted meanwhile; signals; the end
 *   enroll_files.c  the job's files are handed to the daemon
 *   enroll_ask.c    the computer is formed: sellers, reservations
 *
 * With a daemon that comes back all begins anew: what was asked through the old one is given back,
 * and a new computer formed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "exec/options.h"
#include "exec/programs.h"
#include "exec/ship.h"
#include "link/tls.h"
#include "local/client.h"
#include "proto/computer/computer.h"
#include "text/text.h"

#define ENROLL_HOSTS_MAX 256u
#define ENROLL_SIGNALS   3u
#define ENROLL_BACK_US   UINT64_C(10000000)  /* a daemon that is restarted is back in this */

/* A reservation that was asked for. */
struct enroll_asked {
    struct enroll *enroll;
    uint64_t nonce;
    unsigned char id[SELLER_ID_BYTES];
    unsigned char key[TLS_KEY_BYTES];
    char **addresses;          /* of its agent, once enlisted */
    size_t address_count;
    uint32_t millicores;
    bool open;                 /* not answered yet */
    bool released;
    uint64_t had_bytes, bytes; /* of its files */
};

struct enroll {
    uv_loop_t loop;
    const char *directory;     /* state directory of the daemon */
    struct local_client client;
    bool connected, welcome;
    uv_timer_t tick, again;
    uint64_t lost_us;          /* since when there is no daemon; 0: there is */
    bool again_begun;          /* with a daemon that has just begun, too */
    uv_signal_t signals[ENROLL_SIGNALS];
    const struct exec_options *options;
    const struct exec_image *images;
    uint32_t ranks;
    struct exec_ship ship;
    uint32_t *wanted;          /* indices of files that the daemon hasn't */
    size_t wanted_count, put_file;
    uint32_t put_piece, puts_open;
    struct computer *computer; /* NULL: not begun */
    struct computer_out *out;
    struct computer_host hosts[ENROLL_HOSTS_MAX];
    uint32_t host_count;
    char self_name[SELLER_NAME_BYTES];
    struct enroll_asked **asked;
    size_t asked_count;
    uint64_t job;
    struct text waiting;       /* what was said last about it */
    bool over;
    bool has_status;           /* a status line stands on the terminal */
    int code;                  /* of exec_enroll, once over */
    struct text *error;
};

/* --- enroll.c --- */

/* The end, whatever comes later. `code`: what exec_enroll returns. */
void enroll_end(struct enroll *enroll, int code);

__attribute__((format(printf, 2, 3)))
void enroll_fail(struct enroll *enroll, const char *format, ...);

/* A reply that is what was asked for; else the job ends, or the daemon is waited for. */
bool enroll_reply_good(struct enroll *enroll, const Cpmp__Local *reply,
                       Cpmp__Local__BodyCase wanted);

/* Shows a status line on a terminal; "" takes it away. */
void enroll_status(struct enroll *enroll, const char *text);

/* --- enroll_files.c --- */

/* Asks what the daemon lacks and hands it in; then the computer is begun. */
void enroll_files_begin(struct enroll *enroll);
void enroll_files_forget(struct enroll *enroll);

/* --- enroll_ask.c --- */

/* Forms the computer. */
void enroll_ask_begin(struct enroll *enroll);

/* What came for a reservation without having been asked for. */
void enroll_ask_message(struct enroll *enroll, const Cpmp__Local *message);

/* Gives back all that was asked for, whatever became of it. */
void enroll_ask_cancel(struct enroll *enroll);

/* The reservation `nonce`; NULL: there is none. */
struct enroll_asked *enroll_asked_find(const struct enroll *enroll, uint64_t nonce);
void enroll_ask_release(struct enroll *enroll);

#endif
