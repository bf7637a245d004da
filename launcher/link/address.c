/* SPDX-License-Identifier: BSD-3-Clause */
#include "link/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned
family_bytes(uint8_t family)
{
    return family == 4 ? 4 : family == 6 ? 16 : 0;
}

/* 0, for one of the system's choice, is read too. */
static int
port_parse(const char *text, uint16_t *port_p)
{
    unsigned long port = 0;

    if (*text == '\0' || strlen(text) > 5)
        return 0;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return 0;
        port = port * 10 + (unsigned long)(*text - '0');
    }
    if (port > UINT16_MAX)
        return 0;
    *port_p = (uint16_t)port;
    return 1;
}

/* *port_p is where the port begins, NULL without one; the host is copied without brackets. */
static int
text_split(const char *text, char host[ADDRESS_TEXT_MAX], const char **port_p)
{
    const char *colon = strrchr(text, ':');
    size_t length = strlen(text);

    *port_p = NULL;
    if (length >= ADDRESS_TEXT_MAX)
        return 0;
    if (text[0] == '[') {
        const char *end = strchr(text, ']');

        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            return 0;
        if (end[1] == ':')
            *port_p = end + 2;
        text++;
        length = (size_t)(end - text);
    } else if (colon != NULL && strchr(text, ':') == colon) {
        *port_p = colon + 1;
        length = (size_t)(colon - text);
    }
    memcpy(host, text, length);
    host[length] = '\0';
    return 1;
}

static int
host_parse(const char *host, struct address *address)
{
    if (inet_pton(AF_INET, host, address->bytes) == 1)
        address->family = 4;
    else if (inet_pton(AF_INET6, host, address->bytes) == 1)
        address->family = 6;
    return address->family != 0;
}

static int
parse(const char *text, struct address *address)
{
    struct address parsed = {.port = ADDRESS_PORT};
    char host[ADDRESS_TEXT_MAX];
    const char *port;

    if (!text_split(text, host, &port) || (port != NULL && !port_parse(port, &parsed.port)) ||
        !host_parse(host, &parsed))
        return 0;
    *address = parsed;
    return 1;
}

int
address_parse(const char *text, struct address *address)
{
    struct address parsed;

    if (!parse(text, &parsed) || parsed.port == 0)
        return 0;
    *address = parsed;
    return 1;
}

int
address_parse_listen(const char *text, struct address *address)
{
    struct address parsed = {.family = 6, .port = ADDRESS_PORT};  /* [::] takes IPv4, too */
    char host[ADDRESS_TEXT_MAX];
    const char *port;

    if (text_split(text, host, &port) && (host[0] == '\0' || strcmp(host, "*") == 0) &&
        text[0] != '[' && (port == NULL ? host[0] != '\0' : port_parse(port, &parsed.port))) {
        *address = parsed;
        return 1;
    }
    return parse(text, address);
}

static void
host_print(const struct address *address, char out[INET6_ADDRSTRLEN])
{
    snprintf(out, INET6_ADDRSTRLEN, "?");
    if (address->family != 0)
        inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, out, INET6_ADDRSTRLEN);
}

void
address_print(const struct address *address, char out[ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN];

    host_print(address, host);
    snprintf(out, ADDRESS_TEXT_MAX, address->family == 6 ? "[%s]:%u" : "%s:%u", host,
             address->port);
}

int
address_from_sockaddr(const struct sockaddr *from, struct address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct address made = {0};

    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, from, sizeof(in));
        made.family = 4;
        made.port = ntohs(in.sin_port);
        memcpy(made.bytes, &in.sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, from, sizeof(in6));
        made.port = ntohs(in6.sin6_port);
        made.family = memcmp(&in6.sin6_addr, mapped, sizeof(mapped)) == 0 ? 4 : 6;
        if (made.family == 4)
            memcpy(made.bytes, (const uint8_t *)&in6.sin6_addr + sizeof(mapped), 4);
        else
            memcpy(made.bytes, &in6.sin6_addr, 16);
    } else {
        return 0;
    }
    *address = made;
    return 1;
}

socklen_t
address_to_sockaddr(const struct address *address, struct sockaddr_storage *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};

    memset(out, 0, sizeof(*out));
    if (address->family == 6) {
        memcpy(&in6.sin6_addr, address->bytes, 16);
        memcpy(out, &in6, sizeof(in6));
        return sizeof(in6);
    }
    memcpy(&in.sin_addr, address->bytes, 4);
    memcpy(out, &in, sizeof(in));
    return sizeof(in);
}

/* Cuts the scope off a host; 0 without one, or when this machine has no such interface. */
static uint32_t
scope_take(char *host)
{
    char *scope = strchr(host, '%');

    if (scope == NULL)
        return 0;
    *scope = '\0';
    return if_nametoindex(scope + 1);
}

bool
address_parse_socket(const char *text, struct sockaddr_storage *out)
{
    struct address parsed = {0};
    char host[ADDRESS_TEXT_MAX];
    const char *port;
    uint32_t scope;

    if (!text_split(text, host, &port) || port == NULL || !port_parse(port, &parsed.port))
        return false;
    scope = text[0] == '[' ? scope_take(host) : 0;
    if (!host_parse(host, &parsed) || (parsed.family == 6) != (text[0] == '['))
        return false;
    address_to_sockaddr(&parsed, out);
    if (parsed.family == 6)
        ((struct sockaddr_in6 *)out)->sin6_scope_id = scope;
    return true;
}

/* The host, with "%" and its interface when it is scoped. */
static bool
socket_read(const struct sockaddr *from, struct address *address, char host[ADDRESS_TEXT_MAX])
{
    char scope[IF_NAMESIZE + 1] = "", plain[INET6_ADDRSTRLEN];
    uint32_t index;

    if (!address_from_sockaddr(from, address))
        return false;
    index = address->family == 6 ? ((const struct sockaddr_in6 *)from)->sin6_scope_id : 0;
    if (index != 0 && if_indextoname(index, scope + 1) != NULL)
        scope[0] = '%';
    host_print(address, plain);
    snprintf(host, ADDRESS_TEXT_MAX, "%s%s", plain, scope);
    return true;
}

bool
address_print_host(const struct sockaddr *from, char out[ADDRESS_TEXT_MAX])
{
    struct address address;

    return socket_read(from, &address, out);
}

bool
address_print_socket(const struct sockaddr *from, char out[ADDRESS_TEXT_MAX])
{
    char host[ADDRESS_TEXT_MAX];
    struct address address;
    int length;

    if (!socket_read(from, &address, host))
        return false;
    length = snprintf(out, ADDRESS_TEXT_MAX, address.family == 6 ? "[%s]:%u" : "%s:%u", host,
                      address.port);
    return length < (int)ADDRESS_TEXT_MAX;
}

int
address_is_usable(const struct address *address)
{
    static const uint8_t zero[16];

    if (address->port == 0 || memcmp(address->bytes, zero, sizeof(zero)) == 0)
        return 0;
    if (address->family == 4)
        return address->bytes[0] != 0 && address->bytes[0] < 224;
    return address->family == 6 && address->bytes[0] != 0xff;
}

int
address_equal(const struct address *a, const struct address *b)
{
    return a->family == b->family && a->port == b->port &&
           memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

unsigned
address_encode(const struct address *address, uint8_t *out, unsigned capacity)
{
    unsigned bytes = family_bytes(address->family);

    if (bytes == 0 || capacity < 3 + bytes)
        return 0;
    out[0] = address->family;
    memcpy(out + 1, address->bytes, bytes);
    out[1 + bytes] = (uint8_t)(address->port >> 8);
    out[2 + bytes] = (uint8_t)address->port;
    return 3 + bytes;
}

unsigned
address_decode(struct address *address, const uint8_t *bytes, unsigned count)
{
    struct address made = {0};
    unsigned length;

    if (count == 0)
        return 0;
    made.family = bytes[0];
    length = family_bytes(made.family);
    if (length == 0 || count < 3 + length)
        return 0;
    memcpy(made.bytes, bytes + 1, length);
    made.port = (uint16_t)(bytes[1 + length] << 8 | bytes[2 + length]);
    *address = made;
    return 3 + length;
}
