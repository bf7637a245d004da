/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
control_address_parse(const char *text, struct sockaddr_storage *address)
{
    const char *colon = strrchr(text, ':');
    char host[CONTROL_ADDRESS_MAX];
    char *end;

    if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end != 0 || port > 65535)
        return false;
    size_t length = (size_t)(colon - text);
    bool six = length >= 2 && text[0] == '[' && text[length - 1] == ']';
    memcpy(host, text + six, length - 2 * six);
    host[length - 2 * six] = 0;
    memset(address, 0, sizeof(*address));
    if (six) {
        struct sockaddr_in6 *inet6 = (struct sockaddr_in6 *)address;
        char *scope = strchr(host, '%');
        if (scope != NULL) {
            *scope = 0;
            inet6->sin6_scope_id = if_nametoindex(scope + 1);
        }
        inet6->sin6_family = AF_INET6;
        inet6->sin6_port = htons((uint16_t)port);
        return inet_pton(AF_INET6, host, &inet6->sin6_addr) == 1;
    }
    struct sockaddr_in *inet = (struct sockaddr_in *)address;
    inet->sin_family = AF_INET;
    inet->sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &inet->sin_addr) == 1;
}

static bool
is_mapped(const struct sockaddr *address)
{
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

bool
control_address_print_host(const struct sockaddr *address, char text[CONTROL_ADDRESS_MAX])
{
    const struct sockaddr_in6 *inet6 = (const struct sockaddr_in6 *)address;
    char host[INET6_ADDRSTRLEN], scope[IF_NAMESIZE + 1] = "";
    const void *bytes = &inet6->sin6_addr;
    int family = address->sa_family;

    if (family == AF_INET)
        bytes = &((const struct sockaddr_in *)address)->sin_addr;
    if (is_mapped(address)) {
        bytes = &inet6->sin6_addr.s6_addr[12];
        family = AF_INET;
    }
    if ((family != AF_INET && family != AF_INET6) ||
        inet_ntop(family, bytes, host, sizeof(host)) == NULL)
        return false;
    if (family == AF_INET6 && inet6->sin6_scope_id != 0 &&
        if_indextoname(inet6->sin6_scope_id, scope + 1) != NULL)
        scope[0] = '%';
    snprintf(text, CONTROL_ADDRESS_MAX, "%s%s", host, scope);
    return true;
}

bool
control_address_print(const struct sockaddr *address, char text[CONTROL_ADDRESS_MAX])
{
    char host[CONTROL_ADDRESS_MAX];

    if (!control_address_print_host(address, host))
        return false;
    unsigned port = ntohs(address->sa_family == AF_INET
                              ? ((const struct sockaddr_in *)address)->sin_port
                              : ((const struct sockaddr_in6 *)address)->sin6_port);
    int length = snprintf(text, CONTROL_ADDRESS_MAX, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
                          port);
    return length < (int)CONTROL_ADDRESS_MAX;
}
