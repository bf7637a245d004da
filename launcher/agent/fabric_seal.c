/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/fabric_seal.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define HASH_BYTES  32u
#define NONCE_BYTES 12u

static bool
hash_keyed(const uint8_t *key, size_t key_bytes, const void *data, size_t bytes,
           uint8_t out[HASH_BYTES])
{
    size_t made = 0;

    return EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, key_bytes, data, bytes, out,
                     HASH_BYTES, &made) != NULL && made == HASH_BYTES;
}

/* HKDF-Expand for one block, which a key is. */
static bool
key_expand(const uint8_t secret[HASH_BYTES], const char *label, uint8_t key[HASH_BYTES])
{
    uint8_t info[64];
    size_t bytes = strlen(label);

    memcpy(info, label, bytes);
    info[bytes] = 1;
    return hash_keyed(secret, HASH_BYTES, info, bytes + 1, key);
}

static int
cipher_make(EVP_CIPHER_CTX **context_p, const uint8_t secret[HASH_BYTES], const char *label,
            bool encrypt)
{
    uint8_t key[HASH_BYTES];
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int error = CPMP_OK;

    if (context == NULL)
        return CPMP_ENOMEM;
    if (!key_expand(secret, label, key) ||
        EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key, NULL, encrypt) != 1)
        error = CPMP_ESYS;
    OPENSSL_cleanse(key, sizeof(key));
    if (error == CPMP_OK)
        *context_p = context;
    else
        EVP_CIPHER_CTX_free(context);
    return error;
}

int
seal_init(struct seal *seal, const uint8_t key[CPI_KEY_BYTES], const struct cpi_hello *hello,
          const struct cpi_hello *welcome, bool acceptor)
{
    static const char *const labels[] = {"cmp batches to connector", "cmp batches to acceptor"};
    uint8_t salt[2 * CPI_NONCE_BYTES], secret[HASH_BYTES];
    int error = CPMP_ESYS;

    memset(seal, 0, sizeof(*seal));
    memcpy(salt, hello->nonce, CPI_NONCE_BYTES);
    memcpy(salt + CPI_NONCE_BYTES, welcome->nonce, CPI_NONCE_BYTES);
    if (hash_keyed(salt, sizeof(salt), key, CPI_KEY_BYTES, secret))
        error = cipher_make(&seal->out, secret, labels[!acceptor], true);
    if (error == CPMP_OK)
        error = cipher_make(&seal->in, secret, labels[acceptor], false);
    OPENSSL_cleanse(secret, sizeof(secret));
    if (error != CPMP_OK)
        seal_release(seal);
    return error;
}

void
seal_release(struct seal *seal)
{
    EVP_CIPHER_CTX_free(seal->out);
    EVP_CIPHER_CTX_free(seal->in);
    memset(seal, 0, sizeof(*seal));
}

/* Begins a batch: its nonce, and its header as what is authenticated but not hidden. */
static bool
batch_begin(EVP_CIPHER_CTX *context, const struct cpi_batch *header)
{
    uint8_t nonce[NONCE_BYTES] = {0};
    int used;

    for (unsigned i = 0; i < sizeof(header->sequence); i++)
        nonce[NONCE_BYTES - sizeof(header->sequence) + i] = (uint8_t)(header->sequence >> 8 * i);
    return EVP_CipherInit_ex(context, NULL, NULL, NULL, nonce, -1) == 1 &&
           EVP_CipherUpdate(context, NULL, &used, (const uint8_t *)header, sizeof(*header)) == 1;
}

int
seal_close(struct seal *seal, const struct cpi_batch *header, const struct iovec *runs,
           uint32_t count, uint8_t *out)
{
    int used = 0;

    if (!batch_begin(seal->out, header))
        return CPMP_ESYS;
    for (uint32_t i = 0; i < count; i++) {
        if (EVP_CipherUpdate(seal->out, out, &used, runs[i].iov_base, (int)runs[i].iov_len) != 1)
            return CPMP_ESYS;
        out += used;
    }
    if (EVP_CipherFinal_ex(seal->out, out, &used) != 1 ||
        EVP_CIPHER_CTX_ctrl(seal->out, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_BYTES, out) != 1)
        return CPMP_ESYS;
    return CPMP_OK;
}

int
seal_open(struct seal *seal, struct cpi_batch *batch)
{
    uint8_t *frames = (uint8_t *)(batch + 1);
    int used = 0;

    if (batch_begin(seal->in, batch) &&
        EVP_CipherUpdate(seal->in, frames, &used, frames, (int)batch->bytes) == 1 &&
        EVP_CIPHER_CTX_ctrl(seal->in, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_BYTES,
                            frames + batch->bytes) == 1 &&
        EVP_CipherFinal_ex(seal->in, frames + used, &used) == 1)
        return CPMP_OK;
    return CPMP_EPROTO;
}
