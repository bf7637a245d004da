/* SPDX-License-Identifier: BSD-3-Clause */
#include "tool/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "local/state.h"
#include "text/hex.h"
#include "text/json.h"
#include "text/memory.h"
#include "text/visible.h"

/* --- the end --- */

void
tool_session_end(struct tool_session *session, int code)
{
    if (session->ending)
        return;
    session->ending = true;
    session->code = code;
    if (!uv_is_closing((uv_handle_t *)&session->silence))
        uv_close((uv_handle_t *)&session->silence, NULL);
    local_client_close(&session->client);
    if (session->ended != NULL)
        session->ended(session);
}

void
tool_session_fail(struct tool_session *session, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    if (session->ending)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    text_visible_add(&session->tool->error, text, strlen(text));
    tool_session_end(session, TOOL_FAILED);
}

static void
on_silence(uv_timer_t *timer)
{
    struct tool_session *session = timer->data;

    tool_session_fail(session, "the cpmpd of %s doesn't answer; is it stopped, or very busy?",
                      text_string(&session->directory));
}

static void
on_closed(void *arg, const char *why)
{
    struct tool_session *session = arg;

    tool_session_fail(session, "the cpmpd of %s has ended the connection (%s); does it still run?",
                      text_string(&session->directory), why);
}

static void
on_message(void *arg, const Cpmp__Local *message)
{
    (void)arg;
    (void)message;  /* what a daemon may say by itself is for agents and cpexec */
}

static const struct local_client_hooks hooks = {.on_message = on_message, .on_closed = on_closed};

/* --- replies --- */

bool
tool_session_expect(struct tool_session *session, const Cpmp__Local *reply,
                    Cpmp__Local__BodyCase body)
{
    if (reply == NULL || session->ending)
        return false;  /* on_closed follows */
    if (uv_is_active((uv_handle_t *)&session->silence))
        uv_timer_again(&session->silence);
    if (reply->body_case == body)
        return true;
    if (reply->body_case != CPMP__LOCAL__BODY_FAILURE) {
        tool_session_fail(session, "the cpmpd of %s gave an answer that this cpmp doesn't know; "
                                   "install the same version for both",
                          text_string(&session->directory));
        return false;
    }
    text_visible_add(&session->tool->error, reply->failure->text, strlen(reply->failure->text));
    tool_session_end(session, reply->failure->code == LOCAL_FAILURE_WRONG ? TOOL_USAGE
                                                                          : TOOL_FAILED);
    return false;
}

Cpmp__Local *
tool_session_copy(const Cpmp__Local *message)
{
    size_t bytes = cpmp__local__get_packed_size(message);
    uint8_t *packed = memory_new(bytes + 1, 1);
    Cpmp__Local *copy;

    cpmp__local__pack(message, packed);
    copy = cpmp__local__unpack(NULL, bytes, packed);
    free(packed);
    return copy;
}

static void
on_welcome(void *arg, const Cpmp__Local *reply)
{
    struct tool_session *session = arg;

    if (!tool_session_expect(session, reply, CPMP__LOCAL__BODY_WELCOME))
        return;
    session->welcome = tool_session_copy(reply);
    if (session->welcome == NULL || reply->welcome->version != LOCAL_VERSION)
        tool_session_fail(session, "the cpmpd of %s is of another version (%u, not %u); install "
                                   "the same for both", text_string(&session->directory),
                          reply->welcome->version, LOCAL_VERSION);
    else
        session->ready(session);
}

/* --- the talk --- */

/* No daemon: where it was looked for is in the error already. */
static int
daemon_missing(struct tool *tool)
{
    struct text start = {0};

    text_add_string(&start, "cpmpd");
    if (tool->options.state != NULL)
        text_print(&start, " --state %s", tool->options.state);
    text_print(&tool->error,
               "\nStart one:\n"
               "  %s --create NAME   makes a pool\n"
               "  %s --join TOKEN    gets into one; on a machine of it cpmp pool invite prints the "
               "token", text_string(&start), text_string(&start));
    text_release(&start);
    return TOOL_FAILED;
}

static int
session_loop(struct tool_session *session)
{
    struct tool *tool = session->tool;

    uv_loop_init(&session->loop);
    session->loop.data = session;
    if (local_client_init(&session->client, &session->loop, text_string(&session->directory),
                          "cpmp", &hooks, session, on_welcome, &tool->error) == 0) {
        uv_timer_init(&session->loop, &session->silence);
        session->silence.data = session;
        uv_timer_start(&session->silence, on_silence, TOOL_ANSWER_MS, TOOL_ANSWER_MS);
        uv_run(&session->loop, UV_RUN_DEFAULT);
    }
    uv_loop_close(&session->loop);
    return session->code;
}

int
tool_session_run(struct tool *tool, tool_session_ready *ready, void *arg)
{
    struct tool_session *session;
    struct text directory = {0};
    int code;

    if (state_find(&directory, tool->options.state, tool->environment, &tool->error) != 0) {
        text_release(&directory);
        return daemon_missing(tool);
    }
    session = memory_new(1, sizeof(*session));
    *session = (struct tool_session){.tool = tool, .directory = directory, .ready = ready,
                                     .arg = arg, .code = TOOL_FAILED};
    code = session_loop(session);
    text_release(&session->directory);
    if (session->welcome != NULL)
        cpmp__local__free_unpacked(session->welcome, NULL);
    free(session);
    return code;
}

/* --- one request --- */

struct ask {
    Cpmp__Local *request;
    Cpmp__Local__BodyCase body;
    tool_show *show;
};

static void
ask_answered(void *arg, const Cpmp__Local *reply)
{
    struct tool_session *session = arg;
    struct ask *ask = session->arg;

    if (tool_session_expect(session, reply, ask->body))
        tool_session_end(session, ask->show(session->tool, reply));
}

static void
ask_ready(struct tool_session *session)
{
    struct ask *ask = session->arg;

    local_client_ask(&session->client, ask->request, ask_answered, session);
}

int
tool_ask(struct tool *tool, Cpmp__Local *request, Cpmp__Local__BodyCase body, tool_show *show)
{
    struct ask ask = {.request = request, .body = body, .show = show};

    return tool_session_run(tool, ask_ready, &ask);
}

/* --- parts of what is shown --- */

void
tool_hex_add(struct text *text, ProtobufCBinaryData bytes, size_t digits)
{
    hex_add(text, bytes.data, bytes.len < digits / 2 ? bytes.len : digits / 2);
}

void
tool_json_id(struct text *text, const char *name, ProtobufCBinaryData id)
{
    struct text hex = {0};

    tool_hex_add(&hex, id, SIZE_MAX);
    tool_json_string(text, name, text_string(&hex));
    text_release(&hex);
}

void
tool_json_strings(struct text *text, const char *name, char *const *strings, size_t count)
{
    json_open(text, name, '[');
    for (size_t i = 0; i < count; i++)
        json_string(text, NULL, strings[i]);
    json_close(text, ']');
}

void
tool_json_string(struct text *text, const char *name, const char *string)
{
    if (*string != '\0')
        json_string(text, name, string);
    else
        json_null(text, name);
}
