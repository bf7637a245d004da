/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_REPORT_H
#define CPI_AGENT_REPORT_H

/*
 * What the agent tells the launcher: one function per message. A stream that has ended takes no
 * more words, and its end is dealt with where it is noticed (agent.c), so nothing here returns an
 * error.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/rules.h"
#include "control/stream.h"

void report_ready(struct control_stream *stream, const void *fabric_address, size_t address_bytes);
void report_started(struct control_stream *stream, uint32_t rank, int pid);

/* `what`, `error_number` and `program`: see control/rules.h. */
void report_start_failed(struct control_stream *stream, uint32_t rank, const char *what,
                         int error_number, const char *program);
void report_output(struct control_stream *stream, uint32_t rank, uint32_t number, const void *data,
                   size_t bytes, bool eof);
void report_stdin_taken(struct control_stream *stream, int rank, uint64_t bytes, bool closed);
void report_progress(struct control_stream *stream, uint32_t rank, uint64_t done, uint64_t total);
void report_event(struct control_stream *stream, uint32_t rank, uint64_t sequence,
                  const char *topic, const void *data, size_t bytes, bool is_text);
void report_exited(struct control_stream *stream, Cpmp__Exited *exited);
void report_abort(struct control_stream *stream, uint32_t rank, int code, const char *text);
void report_peer_lost(struct control_stream *stream, uint32_t peer, const char *why);
void report_suspended(struct control_stream *stream, const char *reason);
void report_resumed(struct control_stream *stream);
void report_taken_away(struct control_stream *stream, const char *reason);
void report_done(struct control_stream *stream, Cpmp__Done *done);

__attribute__((format(printf, 3, 4)))
void report_trouble(struct control_stream *stream, enum control_trouble severity,
                    const char *format, ...);

#endif
