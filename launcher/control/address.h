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

/* False when `address` is neither IPv4 nor IPv6. */
bool control_address_print(const struct sockaddr *address, char text[CONTROL_ADDRESS_MAX]);

#endif
