/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is let in: the lists of the policy against a peer, a user, a weakness of the sandbox. */
#include "peer/policy.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The bytes of an address, IPv4 within IPv6 as the IPv4 that it is. Returns how many. */
static size_t
address_bytes(const struct sockaddr *address, unsigned char *bytes)
{
    if (address->sa_family == AF_INET) {
        memcpy(bytes, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        return 4;
    }
    if (address->sa_family == AF_INET6) {
        const struct in6_addr *in6 =
            &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

        if (IN6_IS_ADDR_V4MAPPED(in6)) {
            memcpy(bytes, in6->s6_addr + 12, 4);
            return 4;
        }
        memcpy(bytes, in6, 16);
        return 16;
    }
    return 0;
}

static bool
prefix_matches(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8)) == 0;
}

/* `network` was checked when the policy was read. */
static bool
address_matches(const char *network, const struct sockaddr *address)
{
    char text[POLICY_ITEM_MAX];
    unsigned char wanted[16], bytes[16];
    const char *slash = strchr(network, '/');
    bool six = strchr(network, ':') != NULL;
    unsigned bits = six ? 128 : 32;

    if (address_bytes(address, bytes) != bits / 8)
        return false;
    snprintf(text, sizeof(text), "%.*s", (int)strcspn(network, "/"), network);
    if (inet_pton(six ? AF_INET6 : AF_INET, text, wanted) != 1)
        return false;
    if (slash != NULL)
        bits = (unsigned)strtoul(slash + 1, NULL, 10);
    return prefix_matches(wanted, bytes, bits);
}

static bool
is_address(const char *item)
{
    return strpbrk(item, ":/") != NULL || item[strspn(item, "0123456789.")] == '\0';
}

/* The item of the list that `peer` matches; NULL: none. */
static const char *
peer_matches(const struct policy_list *list, const struct policy_peer *peer)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *item = list->items[i];

        if (strcmp(item, "*") == 0)
            return "all";
        if (is_address(item)) {
            if (peer->address != NULL && address_matches(item, peer->address))
                return item;
        } else if ((peer->name != NULL && fnmatch(item, peer->name, FNM_CASEFOLD) == 0) ||
                   (peer->id != NULL && strcasecmp(item, peer->id) == 0)) {
            return item;
        }
    }
    return NULL;
}

bool
policy_admits_peer(const struct policy *policy, const struct policy_peer *peer, struct text *why)
{
    const char *name = peer->name != NULL ? peer->name : peer->id != NULL ? peer->id : "this peer";
    const char *item = peer_matches(&policy->deny, peer);

    if (item != NULL) {
        text_print(why, "the owner's policy denies %s (deny = %s)", name, item);
        return false;
    }
    if (peer_matches(&policy->allow, peer) == NULL) {
        text_print(why, "the owner's policy doesn't allow %s (allow)", name);
        return false;
    }
    return true;
}

static bool
user_matches(const char *item, const char *uid, const char *name, const char *const *groups,
             size_t group_count)
{
    if (strcmp(item, "*") == 0 || strcmp(item, uid) == 0)
        return true;
    if (*item != '@')
        return name != NULL && strcmp(item, name) == 0;
    for (size_t i = 0; i < group_count; i++) {
        if (strcmp(item + 1, groups[i]) == 0)
            return true;
    }
    return false;
}

bool
policy_admits_user(const struct policy *policy, uint64_t uid, const char *name,
                   const char *const *groups, size_t group_count, struct text *why)
{
    char number[24];

    if (uid == 0)
        return true;
    snprintf(number, sizeof(number), "%" PRIu64, uid);
    for (size_t i = 0; i < policy->users.count; i++) {
        if (user_matches(policy->users.items[i], number, name, groups, group_count))
            return true;
    }
    text_print(why,
               "user %s may not start jobs with this machine's peer; its owner can allow it with "
               "`cpmp policy set users=...`", name != NULL ? name : number);
    return false;
}

bool
policy_accepts_weakness(const struct policy *policy, const char *name)
{
    const struct policy_list *list = &policy->accept_weakness;

    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], "*") == 0 || strcmp(list->items[i], name) == 0)
            return true;
    }
    return false;
}

uint64_t
policy_amount_bytes(const struct policy_amount *amount, uint64_t whole_bytes)
{
    uint64_t bytes = amount->bytes;

    if (amount->percent != 0)
        bytes = whole_bytes / 100 * amount->percent + whole_bytes % 100 * amount->percent / 100;
    return bytes < whole_bytes ? bytes : whole_bytes;
}
