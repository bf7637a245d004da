/* SPDX-License-Identifier: BSD-3-Clause */
#include "exec/enroll_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "content/content.h"
#include "text/memory.h"

#define PUTS_MAX     8u           /* pieces under way to the daemon */
#define SHOWN_BYTES  (16u << 20)  /* less isn't worth a status line, */
#define SHOWN_PIECES 16u          /* which changes after so many */

static void on_put(void *arg, const Cpmp__Local *reply);

static void
put_send(struct enroll *enroll, const Cpmp__Content *content, uint8_t *bytes, size_t count)
{
    Cpmp__Local request = CPMP__LOCAL__INIT;
    Cpmp__ContentPut put = CPMP__CONTENT_PUT__INIT;

    put.name = content->name;
    put.piece = enroll->put_piece;
    put.data = (ProtobufCBinaryData){.len = count, .data = bytes};
    request.body_case = CPMP__LOCAL__BODY_CONTENT_PUT;
    request.content_put = &put;
    enroll->puts_open++;
    local_client_ask(&enroll->client, &request, on_put, enroll);
}

/* The next piece; false when all are on their way. An empty file has one, too. */
static bool
put_next(struct enroll *enroll)
{
    const Cpmp__Content *content;
    uint32_t index;
    uint8_t *bytes;
    long count;

    if (enroll->put_file == enroll->wanted_count)
        return false;
    index = enroll->wanted[enroll->put_file];
    content = enroll->ship.files[index]->content;
    bytes = memory_new(1, CONTENT_PIECE_BYTES);
    count = exec_ship_read(&enroll->ship, index, enroll->put_piece, bytes, enroll->error);
    if (count >= 0)
        put_send(enroll, content, bytes, (size_t)count);
    free(bytes);
    if (count < 0) {
        enroll_end(enroll, 1);
        return false;
    }
    if (++enroll->put_piece >= content->n_pieces) {
        enroll->put_piece = 0;
        enroll->put_file++;
    }
    return true;
}

/* The daemon takes some 100 MiB a second. */
static void
puts_show(struct enroll *enroll)
{
    struct text text = {0};
    uint64_t bytes = 0, had_bytes = 0;

    for (size_t i = 0; i < enroll->wanted_count; i++) {
        uint64_t size = enroll->ship.files[enroll->wanted[i]]->content->size;
        bytes += size;
        had_bytes += i < enroll->put_file ? size : 0;
    }
    had_bytes += (uint64_t)enroll->put_piece * CONTENT_PIECE_BYTES;
    if (bytes >= SHOWN_BYTES && enroll->put_piece % SHOWN_PIECES == 0)
        text_print(&text, "handing %" PRIu64 " of %" PRIu64 " MiB to cpmpd", had_bytes >> 20,
                   bytes >> 20);
    if (text.used > 0)
        enroll_status(enroll, text_string(&text));
    text_release(&text);
}

static void
puts_go(struct enroll *enroll)
{
    while (!enroll->over && enroll->puts_open < PUTS_MAX && put_next(enroll))
        continue;
    if (!enroll->over && enroll->puts_open == 0)
        enroll_ask_begin(enroll);
}

static void
on_put(void *arg, const Cpmp__Local *reply)
{
    struct enroll *enroll = arg;

    enroll->puts_open--;
    if (!enroll_reply_good(enroll, reply, CPMP__LOCAL__BODY_CONTENT_PUT_REPLY))
        return;
    puts_show(enroll);
    puts_go(enroll);
}

static void
on_wanted(void *arg, const Cpmp__Local *reply)
{
    struct enroll *enroll = arg;
    const Cpmp__ContentWanted *wanted;

    if (!enroll_reply_good(enroll, reply, CPMP__LOCAL__BODY_CONTENT_WANTED))
        return;
    wanted = reply->content_wanted;
    enroll->wanted = memory_new(wanted->n_indices, sizeof(*enroll->wanted));
    for (size_t i = 0; i < wanted->n_indices; i++)
        if (wanted->indices[i] < enroll->ship.count)
            enroll->wanted[enroll->wanted_count++] = wanted->indices[i];
    puts_go(enroll);
}

void
enroll_files_begin(struct enroll *enroll)
{
    Cpmp__Local request = CPMP__LOCAL__INIT;
    Cpmp__ContentQuery query = CPMP__CONTENT_QUERY__INIT;

    query.contents = memory_new(enroll->ship.count, sizeof(Cpmp__Content *));
    for (size_t i = 0; i < enroll->ship.count; i++)
        query.contents[query.n_contents++] = enroll->ship.files[i]->content;
    request.body_case = CPMP__LOCAL__BODY_CONTENT_QUERY;
    request.content_query = &query;
    local_client_ask(&enroll->client, &request, on_wanted, enroll);
    free(query.contents);
}

void
enroll_files_forget(struct enroll *enroll)
{
    free(enroll->wanted);
    enroll->wanted = NULL;
    enroll->wanted_count = enroll->put_file = 0;
    enroll->put_piece = enroll->puts_open = 0;
}
