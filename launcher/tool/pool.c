/* SPDX-License-Identifier: BSD-3-Clause */
#include "tool/pool.h"

#include "text/json.h"
#include "text/units.h"
#include "text/visible.h"

/* --- the pool --- */

int
tool_pool_show(struct tool *tool, const Cpmp__LocalWelcome *welcome)
{
    struct text *out = &tool->out;

    if (tool->options.json) {
        json_open(out, NULL, '{');
        json_string(out, "pool", welcome->pool);
        tool_json_id(out, "fingerprint", welcome->pool_fingerprint);
        json_string(out, "peer", welcome->name);
        tool_json_id(out, "id", welcome->id);
        json_number(out, "pid", welcome->pid);
        json_close(out, '}');
        text_add_string(out, "\n");
        return TOOL_OK;
    }
    text_add_string(out, "pool         ");
    text_visible_word(out, welcome->pool);
    text_add_string(out, "\nfingerprint  ");
    tool_hex_add(out, welcome->pool_fingerprint, SIZE_MAX);
    text_add_string(out, "\nthis peer    ");
    text_visible_word(out, welcome->name);
    text_add_string(out, "\nits id       ");
    tool_hex_add(out, welcome->id, TOOL_ID_DIGITS);
    text_print(out, "\nits cpmpd    process %u\n", welcome->pid);
    return TOOL_OK;
}

static void
pool_ready(struct tool_session *session)
{
    tool_session_end(session, tool_pool_show(session->tool, session->welcome->welcome));
}

int
tool_pool_run(struct tool *tool)
{
    return tool_session_run(tool, pool_ready, NULL);
}

/* --- invite --- */

static void
invited_json(struct tool *tool, const Cpmp__InviteReply *invited)
{
    struct text *out = &tool->out;

    json_open(out, NULL, '{');
    json_string(out, "token", invited->token);
    if (invited->expires > 0)
        json_number(out, "expires", invited->expires);
    else
        json_null(out, "expires");
    json_bool(out, "open", invited->open);
    json_close(out, '}');
    text_add_string(out, "\n");
}

int
tool_pool_invited(struct tool *tool, const Cpmp__Local *reply)
{
    const Cpmp__InviteReply *invited = reply->invited;
    struct text *hints = &tool->notes;

    if (tool->options.json) {
        invited_json(tool, invited);
        return TOOL_OK;
    }
    text_visible_word(&tool->out, invited->token);
    text_add_string(&tool->out, "\n");
    if (invited->open)
        text_add_string(hints, "The pool is open: this lets in whoever has it, any number of "
                               "machines.");
    else
        text_add_string(hints, "This lets one machine in, once: keep it from others.");
    if (invited->expires > 0) {
        text_add_string(hints, " It is valid until ");
        units_date(hints, invited->expires);
        text_add_string(hints, ".");
    }
    text_add_string(hints, "\nOn that machine: cpmpd --join TOKEN\n");
    return TOOL_OK;
}

int
tool_pool_invite_run(struct tool *tool)
{
    Cpmp__InviteRequest invite = CPMP__INVITE_REQUEST__INIT;
    Cpmp__Local request = CPMP__LOCAL__INIT;

    invite.lifetime_s = tool->options.lifetime_s;
    request.body_case = CPMP__LOCAL__BODY_INVITE;
    request.invite = &invite;
    return tool_ask(tool, &request, CPMP__LOCAL__BODY_INVITED, tool_pool_invited);
}

/* --- revoke --- */

int
tool_pool_revoked(struct tool *tool, const Cpmp__Local *reply)
{
    const Cpmp__RevokeReply *revoked = reply->revoked;
    struct text *out = &tool->out;

    if (tool->options.json) {
        json_open(out, NULL, '{');
        tool_json_id(out, "id", revoked->id);
        json_string(out, "name", revoked->name);
        json_number(out, "serial", revoked->serial);
        json_close(out, '}');
        text_add_string(out, "\n");
        return TOOL_OK;
    }
    text_visible_word(out, revoked->name);
    text_add_string(out, " (");
    tool_hex_add(out, revoked->id, TOOL_ID_DIGITS);
    text_add_string(out, ") is shut out; every peer knows within a minute\n");
    return TOOL_OK;
}

int
tool_pool_revoke_run(struct tool *tool)
{
    Cpmp__RevokeRequest revoke = CPMP__REVOKE_REQUEST__INIT;
    Cpmp__Local request = CPMP__LOCAL__INIT;

    revoke.peer = tool->operands[0];
    request.body_case = CPMP__LOCAL__BODY_REVOKE;
    request.revoke = &revoke;
    return tool_ask(tool, &request, CPMP__LOCAL__BODY_REVOKED, tool_pool_revoked);
}
