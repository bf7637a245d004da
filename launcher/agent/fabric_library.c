/* SPDX-License-Identifier: BSD-3-Clause */
#include "agent/fabric_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>

#define FABRIC_SONAME "libfabric.so.1"
#define CRYPTO_SONAME "libcrypto.so.3"

void
fabric_signals_save(struct fabric_signals *signals)
{
    for (int number = 1; number < NSIG; number++)
        if (sigaction(number, NULL, &signals->actions[number]) != 0)
            signals->actions[number].sa_handler = SIG_ERR;  /* not ours to know: libc's own */
}

void
fabric_signals_restore(const struct fabric_signals *signals)
{
    for (int number = 1; number < NSIG; number++)
        if (signals->actions[number].sa_handler != SIG_ERR)
            sigaction(number, &signals->actions[number], NULL);
}

static void *
library_open(const char *soname, const char *package, char *why, size_t why_bytes)
{
    void *handle = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

    if (handle == NULL)
        snprintf(why, why_bytes, "cannot load %s: %s; a job on several peers needs it (Debian "
                 "package: %s)", soname, dlerror(), package);
    return handle;
}

/* dlsym gives an object pointer; POSIX promises that it can be stored in a function pointer so. */
static bool
symbol_set(void *handle, const char *name, void *function_p, char *why, size_t why_bytes)
{
    void *symbol = dlsym(handle, name);

    if (symbol == NULL)
        snprintf(why, why_bytes, "%s; libfabric 1.17 and OpenSSL 3.0 are needed at least",
                 dlerror());
    *(void **)function_p = symbol;
    return symbol != NULL;
}

static bool
library_load(struct fabric_library *library, char *why, size_t why_bytes)
{
    void *fabric = library_open(FABRIC_SONAME, "libfabric1", why, why_bytes);
    void *crypto = fabric ? library_open(CRYPTO_SONAME, "libssl3", why, why_bytes) : NULL;

    return crypto != NULL && symbol_set(fabric, "fi_getinfo", &library->getinfo, why, why_bytes) &&
           symbol_set(fabric, "fi_freeinfo", &library->freeinfo, why, why_bytes) &&
           symbol_set(fabric, "fi_dupinfo", &library->dupinfo, why, why_bytes) &&
           symbol_set(fabric, "fi_fabric", &library->fabric, why, why_bytes) &&
           symbol_set(fabric, "fi_strerror", &library->strerror, why, why_bytes) &&
           symbol_set(crypto, "EVP_Q_mac", &library->mac, why, why_bytes);
}

const struct fabric_library *
fabric_library_get(char *why, size_t why_bytes)
{
    static struct fabric_library library;
    static bool loaded;
    struct fabric_signals signals;

    if (!loaded) {
        fabric_signals_save(&signals);
        loaded = library_load(&library, why, why_bytes);
        fabric_signals_restore(&signals);
    }
    return loaded ? &library : NULL;
}
