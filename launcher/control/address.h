/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CONTROL_ADDRESS_H
#define CPI_CONTROL_ADDRESS_H

/*
 * Addresses with a port as text: "10.77.0.1:4711", "[fe80::1%eth0]:4711". Numeric only, so that
 * neither a launcher nor an agent waits for a name service.
 */

#include <stdbool.h>
#include <sys/socket.h>

#define CONTROL_ADDRESS_MAX 80u  /* with its 0 byte */

/* False when `text` is none, or longer than CONTROL_ADDRESS_MAX allows. */
bool control_address_parse(const char *text, struct sockaddr_storage *address);

/* False when `address` is neither IPv4 nor IPv6. An IPv4 address in an IPv6 one is printed as what
 * it is. */
bool control_address_print(const struct sockaddr *address, char text[CONTROL_ADDRESS_MAX]);

/* The same without the port (and brackets). */
bool control_address_print_host(const struct sockaddr *address, char text[CONTROL_ADDRESS_MAX]);

#endif
