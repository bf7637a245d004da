/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_AGENT_FABRIC_SEAL_H
#define CPI_AGENT_FABRIC_SEAL_H

/*
 * Batches that are encrypted and can't be altered, left out or played again: AES-256-GCM with a key
 * for each connection and direction. No socket, no state but two ciphers.
 *
 * Keys are HKDF-SHA256 (RFC 5869) of the job's key, salted with both nonces of the greeting, so no
 * two connections share any. The nonce is the batch's sequence number, the header is authenticated
 * with it, and a tag of SEAL_TAG_BYTES follows the frames. The header itself travels in the clear:
 * it tells how much is sent, as the length of packets does anyway.
 */

#include <stdbool.h>
#include <sys/uio.h>

#include <openssl/types.h>

#include "wire/fabric.h"

#define SEAL_TAG_BYTES CPI_SEAL_BYTES

struct seal {
    EVP_CIPHER_CTX *out, *in;  /* NULL: none */
};

/* The seal of the connection that this greeting made. `acceptor`: this side sent the welcome.
 * CPMP_OK, CPMP_ENOMEM, CPMP_ESYS (libcrypto refuses). */
int seal_init(struct seal *seal, const uint8_t key[CPI_KEY_BYTES], const struct cpi_hello *hello,
              const struct cpi_hello *welcome, bool acceptor);

/* Harmless on one that is zeroed. */
void seal_release(struct seal *seal);

/* Encrypts the frames in `runs`, header->bytes in all, to `out`, the tag behind them. CPMP_OK or
 * CPMP_ESYS. */
int seal_close(struct seal *seal, const struct cpi_batch *header, const struct iovec *runs,
               uint32_t count, uint8_t *out);

/* Decrypts the frames behind `batch` in place; the tag lies behind them. CPMP_OK; CPMP_EPROTO: it
 * was altered, or isn't of this connection. */
int seal_open(struct seal *seal, struct cpi_batch *batch);

#endif
