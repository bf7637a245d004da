/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TOOL_SESSION_H
#define CPI_TOOL_SESSION_H

/*
 * A subcommand's talk with the daemon of this machine: connect, greet, ask, and one end, with an
 * exit code. Whatever goes wrong on the way ends it with a message in tool->error.
 */

#include <uv.h>

#include "local/client.h"
#include "tool/tool.h"

#define TOOL_ANSWER_MS 30000u  /* a daemon that is silent for so long is given up */

struct tool_session;

/* The daemon has greeted: ask now. */
typedef void tool_session_ready(struct tool_session *session);

struct tool_session {
    struct tool *tool;
    uv_loop_t loop;
    uv_timer_t silence;
    struct local_client client;
    struct text directory;       /* of its state */
    Cpmp__Local *welcome;        /* a copy; body welcome */
    tool_session_ready *ready;
    void *arg;                   /* the subcommand's */
    tool_session_ready *ended;   /* called once, at the end, whatever ends it; may be NULL */
    int code;
    bool ending;
};

/* Runs until tool_session_end; its exit code, or TOOL_FAILED. */
int tool_session_run(struct tool *tool, tool_session_ready *ready, void *arg);

/* Ends the talk: tool_session_run returns `code`. The first call counts. */
void tool_session_end(struct tool_session *session, int code);

/* The same with a message. */
__attribute__((format(printf, 2, 3)))
void tool_session_fail(struct tool_session *session, const char *format, ...);

/* Whether `reply` is of `body`. If not, the talk ends: the daemon refused (its words are the
 * message; TOOL_USAGE when it calls the request wrong), said something else, or is gone. */
bool tool_session_expect(struct tool_session *session, const Cpmp__Local *reply,
                         Cpmp__Local__BodyCase body);

/* A copy of a message, which else is valid only while it is handed over; NULL: no memory. Freed by
 * cpmp__local__free_unpacked. */
Cpmp__Local *tool_session_copy(const Cpmp__Local *message);

/* The simple case: one request, one reply, of which `show` makes tool->out and an exit code. */
typedef int tool_show(struct tool *tool, const Cpmp__Local *reply);
int tool_ask(struct tool *tool, Cpmp__Local *request, Cpmp__Local__BodyCase body, tool_show *show);

/* Adds the first `digits` hexadecimal digits of an id, all of it when there are less. */
void tool_hex_add(struct text *text, ProtobufCBinaryData bytes, size_t digits);

#define TOOL_ID_DIGITS 40u
#define TOOL_ID_SHORT  12u   /* enough to tell peers apart, for people */

/* A member of an object: the id in hexadecimal digits, null when it is empty. */
void tool_json_id(struct text *text, const char *name, ProtobufCBinaryData id);

/* A member: an array of strings. */
void tool_json_strings(struct text *text, const char *name, char *const *strings, size_t count);

/* A member: the string; null when it is empty. */
void tool_json_string(struct text *text, const char *name, const char *string);

#endif
