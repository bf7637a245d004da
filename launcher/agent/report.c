/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "plat/plat.h"

/* The generated structs have room for unsigned bytes and char * that are only read. */
#define BYTES(pointer, count) {.data = (uint8_t *)(uintptr_t)(pointer), .len = (count)}
#define TEXT(pointer)         ((char *)(uintptr_t)(pointer))

/* Sends the body `value` as the oneof's member `member`. */
#define SEND(stream, MEMBER, member, value)                                                        \
    do {                                                                                           \
        Cpmp__Control message_ = CPMP__CONTROL__INIT;                                              \
        message_.body_case = CPMP__CONTROL__BODY_##MEMBER;                                         \
        message_.member = (value);                                                                 \
        control_stream_send(stream, &message_);                                                    \
    } while (0)

void
report_ready(struct control_stream *stream, const void *fabric_address, size_t address_bytes)
{
    Cpmp__Ready ready = CPMP__READY__INIT;
    char host[256] = "";

    gethostname(host, sizeof(host) - 1);
    ready.version = CONTROL_VERSION;
    ready.fabric_address = (ProtobufCBinaryData)BYTES(fabric_address, address_bytes);
    ready.cores = (uint32_t)cpi_cores_usable();
    ready.host = host;
    ready.pid = (uint32_t)getpid();
    SEND(stream, READY, ready, &ready);
}

void
report_started(struct control_stream *stream, uint32_t rank, int pid)
{
    Cpmp__Started started = CPMP__STARTED__INIT;

    started.rank = rank;
    started.pid = (uint32_t)pid;
    SEND(stream, STARTED, started, &started);
}

void
report_start_failed(struct control_stream *stream, uint32_t rank, const char *what,
                    int error_number, const char *program)
{
    Cpmp__StartFailed failed = CPMP__START_FAILED__INIT;

    failed.rank = rank;
    failed.error_number = error_number;
    failed.what = TEXT(what);
    failed.program = TEXT(program);
    SEND(stream, START_FAILED, start_failed, &failed);
}

void
report_output(struct control_stream *stream, uint32_t rank, uint32_t number, const void *data,
              size_t bytes, bool eof)
{
    Cpmp__Output output = CPMP__OUTPUT__INIT;

    output.rank = rank;
    output.stream = number;
    output.data = (ProtobufCBinaryData)BYTES(data, bytes);
    output.eof = eof;
    SEND(stream, OUTPUT, output, &output);
}

void
report_stdin_taken(struct control_stream *stream, int rank, uint64_t bytes, bool closed)
{
    Cpmp__StdinTaken taken = CPMP__STDIN_TAKEN__INIT;

    taken.rank = rank;
    taken.bytes = bytes;
    taken.closed = closed;
    SEND(stream, STDIN_TAKEN, stdin_taken, &taken);
}

void
report_progress(struct control_stream *stream, uint32_t rank, uint64_t done, uint64_t total)
{
    Cpmp__Progress progress = CPMP__PROGRESS__INIT;

    progress.rank = rank;
    progress.done = done;
    progress.total = total;
    SEND(stream, PROGRESS, progress, &progress);
}

void
report_event(struct control_stream *stream, uint32_t rank, uint64_t sequence, const char *topic,
             const void *data, size_t bytes, bool is_text)
{
    Cpmp__Event event = CPMP__EVENT__INIT;

    event.rank = rank;
    event.sequence = sequence;
    event.topic = TEXT(topic);
    event.data = (ProtobufCBinaryData)BYTES(data, bytes);
    event.is_text = is_text;
    SEND(stream, EVENT, event, &event);
}

void
report_exited(struct control_stream *stream, Cpmp__Exited *exited)
{
    SEND(stream, EXITED, exited, exited);
}

void
report_abort(struct control_stream *stream, uint32_t rank, int code, const char *text)
{
    Cpmp__Abort stop = CPMP__ABORT__INIT;

    stop.rank = rank;
    stop.code = code;
    stop.text = TEXT(text);
    SEND(stream, ABORT, abort, &stop);
}

void
report_peer_lost(struct control_stream *stream, uint32_t peer, const char *why)
{
    Cpmp__PeerLost lost = CPMP__PEER_LOST__INIT;

    lost.peer = peer;
    lost.why = TEXT(why);
    SEND(stream, PEER_LOST, peer_lost, &lost);
}

void
report_suspended(struct control_stream *stream, const char *reason)
{
    Cpmp__Suspended suspended = CPMP__SUSPENDED__INIT;

    suspended.reason = TEXT(reason);
    SEND(stream, SUSPENDED, suspended, &suspended);
}

void
report_resumed(struct control_stream *stream)
{
    Cpmp__Resumed resumed = CPMP__RESUMED__INIT;

    SEND(stream, RESUMED, resumed, &resumed);
}

void
report_taken_away(struct control_stream *stream, const char *reason)
{
    Cpmp__TakenAway taken = CPMP__TAKEN_AWAY__INIT;

    taken.reason = TEXT(reason);
    SEND(stream, TAKEN_AWAY, taken_away, &taken);
}

void
report_done(struct control_stream *stream, Cpmp__Done *done)
{
    SEND(stream, DONE, done, done);
}

void
report_trouble(struct control_stream *stream, enum control_trouble severity,
               const char *format, ...)
{
    Cpmp__Trouble trouble = CPMP__TROUBLE__INIT;
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    trouble.severity = severity;
    trouble.text = text;
    SEND(stream, TROUBLE, trouble, &trouble);
}
