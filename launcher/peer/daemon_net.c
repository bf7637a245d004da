/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Links and the door: who is let in, what is said first, and which part gets what comes.
 *
 * A peer's first message on a link is its greeting: name, addresses, the serial of the revocations
 * that it knows. What a link proves is the id; everything else is the peer's own word.
 */
#include "peer/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cpmp.h>

#include "peer/overlay_codec.h"
#include "system/clock.h"
#include "system/saved.h"
#include "text/memory.h"

#define MESSAGE_BYTES_MAX FRAMES_BYTES_MAX
#define PEERS_BYTES_MAX   (8u << 20)

/* --- sending --- */

static void
entry_learn(struct daemon *daemon, const struct book_entry *entry)
{
    struct address addresses[BOOK_ADDRESSES_MAX];
    size_t count = 0;

    for (uint32_t i = 0; i < entry->address_count; i++)
        count += address_parse(entry->addresses[i], &addresses[count]) != 0;
    links_learn(daemon->links, entry->id.bytes, addresses, count);
}

static void
send_to(struct daemon *daemon, const struct book_entry *entry, const void *bytes, size_t count)
{
    int error = links_send(daemon->links, entry->id.bytes, bytes, count);

    if (error != CPMP_ENOENT || entry->address_count == 0)
        return;
    entry_learn(daemon, entry);
    links_send(daemon->links, entry->id.bytes, bytes, count);
}

void
daemon_net_send(void *arg, uint32_t contact, Cpmp__PeerMessage *message)
{
    struct daemon *daemon = arg;
    const struct book_entry *entry = book_get(&daemon->book, contact);
    size_t count = cpmp__peer_message__get_packed_size(message);
    uint8_t *bytes;

    if (entry == NULL || contact == BOOK_SELF || count > MESSAGE_BYTES_MAX)
        return;
    bytes = memory_new(1, count);
    cpmp__peer_message__pack(message, bytes);
    send_to(daemon, entry, bytes, count);
    free(bytes);
}

/* --- who is who --- */

static uint32_t
contact_of(struct daemon *daemon, const unsigned char *id, const char *name)
{
    struct book_peer peer = {.name = name};

    memcpy(peer.id.bytes, id, CHORD_ID_BYTES);
    return book_intern(&daemon->book, &peer, clock_boot_us());
}

static void
greet(struct daemon *daemon, uint32_t contact)
{
    Cpmp__PeerMessage message = CPMP__PEER_MESSAGE__INIT;
    Cpmp__Greeting greeting = CPMP__GREETING__INIT;
    struct chord_peer self = {.contact = BOOK_SELF};
    struct overlay_codec_peer described;

    self.id = book_get(&daemon->book, BOOK_SELF)->id;
    overlay_codec_describe(&described, &daemon->book, &self);
    greeting.version = DAEMON_GREETING;
    greeting.self = &described.body;
    greeting.incarnation = daemon->incarnation;
    greeting.revocation_serial = daemon->membership.revoked.serial;
    greeting.software = (char *)PACKAGE_VERSION;
    message.body_case = CPMP__PEER_MESSAGE__BODY_GREETING;
    message.greeting = &greeting;
    daemon_net_send(daemon, contact, &message);
}

static void
revocations_send(struct daemon *daemon, uint32_t contact)
{
    Cpmp__PeerMessage message = CPMP__PEER_MESSAGE__INIT;
    Cpmp__RevocationList list = CPMP__REVOCATION_LIST__INIT;

    list.list.data = (uint8_t *)daemon->membership.revoked.encoded.bytes;
    list.list.len = daemon->membership.revoked.encoded.used;
    message.body_case = CPMP__PEER_MESSAGE__BODY_REVOCATIONS;
    message.revocations = &list;
    daemon_net_send(daemon, contact, &message);
}

static void
on_greeting(struct daemon *daemon, uint32_t contact, const struct tls_peer *who,
            const Cpmp__Greeting *greeting)
{
    struct chord_peer peer;
    const struct book_entry *entry;

    if (greeting->version != DAEMON_GREETING) {
        daemon_say("%s has another version of cpmp (%.32s; here " PACKAGE_VERSION "): install the "
                   "same on all peers", who->name, greeting->software);
        links_drop(daemon->links, who->id, "it has another version of cpmp");
        return;
    }
    if (overlay_codec_intern(greeting->self, true, &daemon->book, clock_boot_us(), &peer) !=
            CPMP_OK || peer.contact != contact)
        return;
    entry = book_get(&daemon->book, contact);
    entry_learn(daemon, entry);
    if (greeting->revocation_serial < daemon->membership.revoked.serial)
        revocations_send(daemon, contact);
    else if (greeting->revocation_serial > daemon->membership.revoked.serial)
        greet(daemon, contact);  /* tells what we lack */
    daemon_reach_try(daemon, who, contact);
}

/* --- revocation --- */

static int
is_revoked(void *arg, const unsigned char id[IDENTITY_ID_BYTES])
{
    const struct daemon *daemon = arg;

    return membership_is_revoked(&daemon->membership, id);
}

static void
pass_on(void *arg, const struct links_view *view)
{
    struct daemon *daemon = arg;

    if (view->is_up)
        revocations_send(daemon, contact_of(daemon, view->peer.id, view->peer.name));
}

void
daemon_net_revoked(struct daemon *daemon)
{
    if (is_revoked(daemon, daemon->membership.id)) {
        daemon_say("this peer has been shut out of pool %s", daemon->membership.pool);
        daemon_leave(daemon, DAEMON_EXIT_REFUSED);
        return;
    }
    /* Also to who is shut out: an honest one then knows why, and ends. */
    links_each(daemon->links, pass_on, daemon);
    links_revoke(daemon->links, is_revoked, daemon);
    offers_changed(&daemon->offers, false);
}

static void
on_revocations(struct daemon *daemon, const Cpmp__RevocationList *list)
{
    struct text why = {0};
    int newer = 0;

    if (membership_revocations(&daemon->membership, list->list.data, list->list.len, &newer,
                               &why) != CPMP_OK && why.used > 0)
        daemon_say("the list of those shut out can't be kept: %s", text_string(&why));
    text_release(&why);
    if (newer)
        daemon_net_revoked(daemon);
}

/* --- what comes --- */

static void
on_enlist(struct daemon *daemon, uint32_t contact, const struct tls_peer *peer,
          const Cpmp__Enlist *enlist)
{
    struct enlist_asker asker = {.contact = contact};

    memcpy(asker.peer, peer->id, IDENTITY_ID_BYTES);
    snprintf(asker.name, sizeof(asker.name), "%s", peer->name);
    enlist_ask(&daemon->enlist, &asker, enlist);
}

static void
message_take(struct daemon *daemon, uint32_t contact, const struct tls_peer *peer,
             const Cpmp__PeerMessage *message)
{
    switch (message->body_case) {
    case CPMP__PEER_MESSAGE__BODY_GREETING:
        on_greeting(daemon, contact, peer, message->greeting);
        break;
    case CPMP__PEER_MESSAGE__BODY_CHORD:
    case CPMP__PEER_MESSAGE__BODY_KV:
    case CPMP__PEER_MESSAGE__BODY_DETECTOR:
        overlay_receive(daemon->overlay, contact, message);
        break;
    case CPMP__PEER_MESSAGE__BODY_REVOCATIONS:
        on_revocations(daemon, message->revocations);
        break;
    case CPMP__PEER_MESSAGE__BODY_PIECE_REQUEST:
        uploads_ask(&daemon->uploads, contact, message->piece_request);
        break;
    case CPMP__PEER_MESSAGE__BODY_PIECE_REPLY:
        supplies_answered(daemon->supplies, contact, message->piece_reply);
        break;
    case CPMP__PEER_MESSAGE__BODY_ENLIST:
        on_enlist(daemon, contact, peer, message->enlist);
        break;
    case CPMP__PEER_MESSAGE__BODY_ENLISTED:
        daemon_work_enlisted(daemon, contact, message->enlisted);
        break;
    case CPMP__PEER_MESSAGE__BODY_REFUSED:
        daemon_work_refused(daemon, contact, message->refused);
        break;
    case CPMP__PEER_MESSAGE__BODY_RELEASE:
        enlist_withdraw(&daemon->enlist, peer->id, message->release->nonce,
                        message->release->later);
        break;
    case CPMP__PEER_MESSAGE__BODY_ENLISTING:
        daemon_work_enlisting(daemon, contact, message->enlisting);
        break;
    case CPMP__PEER_MESSAGE__BODY_UNREACHABLE:
        daemon_reach_told(daemon, peer, message->unreachable);
        break;
    default:
        break;
    }
}

static void
on_message(void *arg, const struct tls_peer *peer, const void *bytes, size_t count)
{
    struct daemon *daemon = arg;
    Cpmp__PeerMessage *message = cpmp__peer_message__unpack(NULL, count, bytes);
    uint32_t contact;

    if (message == NULL) {
        links_drop(daemon->links, peer->id, "what it says is no message");
        return;
    }
    contact = contact_of(daemon, peer->id, peer->name);
    if (contact != CHORD_NO_CONTACT && daemon->phase != DAEMON_STARTING)
        message_take(daemon, contact, peer, message);
    cpmp__peer_message__free_unpacked(message, NULL);
}

static void
on_up(void *arg, const struct tls_peer *peer)
{
    struct daemon *daemon = arg;
    uint32_t contact = contact_of(daemon, peer->id, peer->name);

    daemon_note(daemon, "link to %s", peer->name);
    if (contact == CHORD_NO_CONTACT)
        return;
    book_died(&daemon->book, contact, 0);
    daemon->peers_changed = true;
    greet(daemon, contact);
    overlay_link_up(daemon->overlay, contact,
                    (uint32_t)links_round_trip_us(daemon->links, peer->id));
}

static void
on_down(void *arg, const unsigned char id[IDENTITY_ID_BYTES], enum link_end end, const char *why)
{
    struct daemon *daemon = arg;
    struct chord_id ring_id;
    uint32_t contact;
    bool refused = end == LINK_END_UNREACHABLE || end == LINK_END_REFUSED ||
                   end == LINK_END_REVOKED || end == LINK_END_IDENTITY;

    memcpy(ring_id.bytes, id, CHORD_ID_BYTES);
    contact = book_find(&daemon->book, &ring_id);
    if (contact == CHORD_NO_CONTACT)
        return;
    daemon_note(daemon, "no link to %s: %s", book_get(&daemon->book, contact)->name, why);
    overlay_link_down(daemon->overlay, contact, refused);
    daemon_exec_unreachable(daemon, contact, why);
    enlist_peer_gone(&daemon->enlist, id);
    if (daemon->supplies != NULL) {
        supplies_lost(daemon->supplies, contact);
        uploads_forget(&daemon->uploads, contact);
    }
}

static void
on_room(void *arg, const unsigned char id[IDENTITY_ID_BYTES])
{
    struct daemon *daemon = arg;
    struct chord_id ring_id;
    uint32_t contact;

    memcpy(ring_id.bytes, id, CHORD_ID_BYTES);
    contact = book_find(&daemon->book, &ring_id);
    if (contact != CHORD_NO_CONTACT && daemon->supplies != NULL)
        uploads_room(&daemon->uploads, contact);
}

static const struct links_hooks links_hooks = {
    .on_message = on_message,
    .on_up = on_up,
    .on_down = on_down,
    .on_room = on_room,
};

static void
on_link(void *arg, struct link *link)
{
    struct daemon *daemon = arg;

    if (link_purpose(link) == LINK_FOR_ADMISSION)
        daemon_admit_link(daemon, link);
    else
        links_adopt(daemon->links, link);
}

static const struct door_hooks door_hooks = {.on_link = on_link};

/* --- where it listens, and what it says where it is --- */

static int
listen_at(struct daemon *daemon, const char *text, struct text *error)
{
    struct address address;

    if (!address_parse_listen(text, &address)) {
        text_print(error, "--listen %s: an address of this machine is wanted, like 192.0.2.7, "
                          "[2001:db8::7]:7711 or :7711", text);
        return -1;
    }
    return door_listen(daemon->door, &address, error) == CPMP_OK ? 0 : -1;
}

static int
listen_all(struct daemon *daemon, struct text *error)
{
    const struct peer_options *options = daemon->options;
    int result = 0;

    if (options->listen_count == 0)
        return listen_at(daemon, ":7711", error);
    for (size_t i = 0; i < options->listen_count && result == 0; i++)
        result = listen_at(daemon, options->listen[i], error);
    return result;
}

static void
address_add(struct daemon *daemon, const struct address *address)
{
    for (size_t i = 0; i < daemon->address_count; i++)
        if (address_equal(&daemon->addresses[i], address))
            return;
    if (daemon->address_count < PEER_ADDRESSES_MAX && address_is_usable(address))
        daemon->addresses[daemon->address_count++] = *address;
}

static bool
is_link_local(const struct sockaddr *address)
{
    struct address plain;

    return !address_from_sockaddr(address, &plain) ||
           (plain.family == 6 && plain.bytes[0] == 0xfe && (plain.bytes[1] & 0xc0) == 0x80) ||
           (plain.family == 4 && plain.bytes[0] == 169 && plain.bytes[1] == 254);
}

/* All addresses of the machine that others could reach; loopback when there is nothing else. Which
 * of them works for whom, links find out. */
static void
interfaces_add(struct daemon *daemon, uint16_t port)
{
    uv_interface_address_t *list;
    int count;

    if (uv_interface_addresses(&list, &count) != 0)
        return;
    for (int pass = 0; pass < 2 && daemon->address_count == 0; pass++) {
        for (int i = 0; i < count; i++) {
            struct address address;
            if (list[i].is_internal != pass ||
                is_link_local((const struct sockaddr *)&list[i].address) ||
                !address_from_sockaddr((const struct sockaddr *)&list[i].address, &address))
                continue;
            address.port = port;
            address_add(daemon, &address);
        }
    }
    uv_free_interface_addresses(list, count);
}

static int
advertise(struct daemon *daemon, struct text *error)
{
    const struct peer_options *options = daemon->options;

    for (size_t i = 0; i < options->advertise_count; i++) {
        struct address address;
        if (!address_parse(options->advertise[i], &address) || !address_is_usable(&address)) {
            text_print(error, "--advertise %s: an address that others can reach is wanted",
                       options->advertise[i]);
            return -1;
        }
        address_add(daemon, &address);
    }
    for (size_t i = 0; i < door_listener_count(daemon->door) && options->advertise_count == 0;
         i++) {
        const struct address *listener = door_listener(daemon->door, i);
        if (address_is_usable(listener))
            address_add(daemon, listener);
        else
            interfaces_add(daemon, listener->port);
    }
    return 0;
}

/* --- peers that are known --- */

struct known {
    struct daemon *daemon;
    uint32_t *contacts;
    size_t count, most;
};

static void
known_add(void *arg, const struct links_view *view)
{
    struct known *known = arg;
    struct daemon *daemon = known->daemon;
    uint32_t contact;

    if (known->count == known->most ||
        memcmp(view->peer.id, daemon->membership.id, IDENTITY_ID_BYTES) == 0 ||
        is_revoked(daemon, view->peer.id))
        return;
    contact = contact_of(daemon, view->peer.id, view->peer.name);
    if (contact != CHORD_NO_CONTACT)
        known->contacts[known->count++] = contact;
}

size_t
daemon_net_known(const struct daemon *daemon, uint32_t *contacts, size_t most)
{
    struct known known = {.daemon = (struct daemon *)daemon, .contacts = contacts, .most = most};

    links_each(daemon->links, known_add, &known);
    return known.count;
}

static char *
peers_path(const struct daemon *daemon)
{
    struct text path = {0};

    text_print(&path, "%s/peers", daemon->directory);
    return path.bytes;
}

static void
peers_load(struct daemon *daemon)
{
    char *path = peers_path(daemon);
    struct text content = {0}, why = {0};

    if (saved_read(path, PEERS_BYTES_MAX, SAVED_FOR_ALL, &content, &why) == CPMP_OK)
        links_parse(daemon->links, text_string(&content));
    else if (why.used > 0)
        daemon_say("the peers that were known are forgotten: %s", text_string(&why));
    text_release(&content);
    text_release(&why);
    free(path);
}

void
daemon_net_save_peers(struct daemon *daemon)
{
    char *path = peers_path(daemon);
    struct text content = {0}, why = {0};

    links_print(daemon->links, &content);
    if (strcmp(text_string(&content), text_string(&daemon->peers_saved)) != 0) {
        if (saved_write(path, text_string(&content), content.used, SAVED_FOR_ALL, &why) != CPMP_OK)
            daemon_say("%s", text_string(&why));
        text_clear(&daemon->peers_saved);
        text_add(&daemon->peers_saved, content.bytes, content.used);
    }
    text_release(&content);
    text_release(&why);
    free(path);
}

/* One of the peers remembered, and one of those with a link; each as likely. */
struct chance {
    struct daemon *daemon;
    size_t known, up;
    struct tls_peer any, linked;
};

static void
chance_take(void *arg, const struct links_view *view)
{
    struct chance *chance = arg;

    if (memcmp(view->peer.id, chance->daemon->membership.id, IDENTITY_ID_BYTES) == 0 ||
        is_revoked(chance->daemon, view->peer.id))
        return;
    if (uv_hrtime() % ++chance->known == 0)
        chance->any = view->peer;
    if (view->is_up && uv_hrtime() % ++chance->up == 0)
        chance->linked = view->peer;
}

/* If the ring broke in two and each half went on, the other one is met by asking somebody
 * remembered. And somebody with a link is greeted again: what one of both knows of those who are
 * shut out, the other one hears now, if it missed it. */
void
daemon_net_care(struct daemon *daemon)
{
    struct chance chance = {.daemon = daemon};
    uint32_t contact = CHORD_NO_CONTACT;

    links_each(daemon->links, chance_take, &chance);
    if (chance.known > 0)
        contact = contact_of(daemon, chance.any.id, chance.any.name);
    if (contact != CHORD_NO_CONTACT)
        overlay_met(daemon->overlay, contact);
    contact = CHORD_NO_CONTACT;
    if (chance.up > 0)
        contact = contact_of(daemon, chance.linked.id, chance.linked.name);
    if (contact != CHORD_NO_CONTACT)
        greet(daemon, contact);
}

/* --- beginning and end --- */

int
daemon_net_begin(struct daemon *daemon, struct text *error)
{
    const struct tls_membership membership = {
        .key = daemon->membership.key,
        .certificate = daemon->membership.certificate,
        .authority = daemon->membership.authority,
        .revoked = is_revoked,
        .arg = daemon,
        .takes_joiners = daemon->membership.founder,
    };

    daemon->context = tls_context_new_peer(&membership);
    if (daemon->context == NULL) {
        text_add_string(error, "OpenSSL does not take this peer's key and certificate");
        return -1;
    }
    daemon->links = links_new(&daemon->loop, daemon->context, daemon->membership.id,
                              &link_limits_default, DAEMON_LINKS_MAX, &links_hooks, daemon);
    daemon->has_links = true;
    daemon->door = door_new(&daemon->loop, daemon->context, &door_limits_default, &door_hooks,
                            daemon);
    if (listen_all(daemon, error) != 0 || advertise(daemon, error) != 0)
        return -1;
    peers_load(daemon);
    daemon_admit_learn(daemon);
    return 0;
}

void
daemon_net_close(struct daemon *daemon)
{
    if (!daemon->has_links)
        return;
    daemon_net_save_peers(daemon);
    if (daemon->door != NULL)
        door_close(daemon->door);
    links_close(daemon->links);
}
