/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_LINK_ADDRESS_H
#define CPI_LINK_ADDRESS_H

/* Where somebody listens: an IPv4 or IPv6 address and a TCP port; numbers, no names, so that
 * looking one up never makes a program wait. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_PORT       7711  /* the control port where none is said */
#define ADDRESS_BYTES_MAX  16u
#define ADDRESS_TEXT_MAX   80u   /* "[...%interface]:65535" with its end */

struct address {
    uint8_t family;                     /* 4 or 6; 0: none */
    uint16_t port;
    uint8_t bytes[ADDRESS_BYTES_MAX];   /* the first 4 or all, in network order; the rest 0 */
};

/* "1.2.3.4:7711", "[fe80::1]:7711", without the port (then ADDRESS_PORT), an IPv6 address without
 * port also without brackets; to listen at also ":7711" and "*:7711" for all addresses of the
 * machine, and port 0 for one of the system's choice. 1 when `text` is one. */
int address_parse(const char *text, struct address *address);
int address_parse_listen(const char *text, struct address *address);
/* As address_parse reads it, always with the port. */
void address_print(const struct address *address, char out[ADDRESS_TEXT_MAX]);

/* IPv4 addresses in the clothes of IPv6 (::ffff:1.2.3.4) become IPv4. 1 when it is one of both. */
int address_from_sockaddr(const struct sockaddr *from, struct address *address);
/* Returns the length of what was written. */
socklen_t address_to_sockaddr(const struct address *address, struct sockaddr_storage *out);

/* For sockets of this machine: "10.77.0.1:4711", "[fe80::1%eth0]:4711"; the port is always there
 * and may be 0, IPv6 is in brackets and may have a scope. False when `text` is none of these, or
 * `from` neither IPv4 nor IPv6. */
bool address_parse_socket(const char *text, struct sockaddr_storage *out);
bool address_print_socket(const struct sockaddr *from, char out[ADDRESS_TEXT_MAX]);
/* The same without the port and brackets. */
bool address_print_host(const struct sockaddr *from, char out[ADDRESS_TEXT_MAX]);

/* Whether a connection can go there: it has a port and is no wildcard, multicast or broadcast. */
int address_is_usable(const struct address *address);
int address_equal(const struct address *a, const struct address *b);

/* `family` (1), bytes (4 or 16), port (2, big-endian) of up to `capacity` bytes; how many it takes,
 * 0 when it doesn't fit. And back: how many were taken, 0 when they are no address. */
unsigned address_encode(const struct address *address, uint8_t *out, unsigned capacity);
unsigned address_decode(struct address *address, const uint8_t *bytes, unsigned count);

#endif
