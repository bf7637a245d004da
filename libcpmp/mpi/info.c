/* SPDX-License-Identifier: BSD-3-Clause */
#include "mpi/info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "mpi/error.h"
#include "mpi/handles.h"

struct cpi_info {
    struct cpi_list live_link;
    struct cpi_list entries;
    int count;
};

struct entry {
    struct cpi_list link;
    char key[MPI_MAX_INFO_KEY];
    char value[MPI_MAX_INFO_VAL];
};

static struct cpi_list live = {&live, &live};
static struct cpi_info *env; /* behind MPI_INFO_ENV, whose handle is no such object */

static struct entry *
entry_find(const struct cpi_info *info, const char *key)
{
    CPI_LIST_FOR(link, &info->entries)
    {
        struct entry *entry = CPI_CONTAINER(link, struct entry, link);
        if (strcmp(entry->key, key) == 0)
            return entry;
    }
    return NULL;
}

static struct cpi_info *
info_new(void)
{
    struct cpi_info *info = calloc(1, sizeof(*info));

    if (info == NULL)
        return NULL;
    cpi_list_init(&info->entries);
    cpi_list_append(&live, &info->live_link);
    return info;
}

static void
entry_free(struct cpi_info *info, struct entry *entry)
{
    cpi_list_remove(&entry->link);
    free(entry);
    info->count--;
}

static void
info_free(struct cpi_info *info)
{
    while (!cpi_list_empty(&info->entries))
        entry_free(info, CPI_CONTAINER(info->entries.next, struct entry, link));
    cpi_list_remove(&info->live_link);
    free(info);
}

static int
info_set(struct cpi_info *info, const char *key, const char *value)
{
    struct entry *entry = entry_find(info, key);

    if (entry == NULL) {
        entry = calloc(1, sizeof(*entry));
        if (entry == NULL)
            return MPI_ERR_NO_MEM;
        snprintf(entry->key, sizeof(entry->key), "%s", key);
        cpi_list_append(&info->entries, &entry->link);
        info->count++;
    }
    snprintf(entry->value, sizeof(entry->value), "%s", value);
    return MPI_SUCCESS;
}

/* The live object that a handle names, or NULL. Few are alive at a time. */
static struct cpi_info *
info_find(MPI_Info handle)
{
    if (handle == MPI_INFO_ENV)
        return env;
    CPI_LIST_FOR(link, &live)
        if (CPI_CONTAINER(link, struct cpi_info, live_link) == cpi_info_of(handle))
            return cpi_info_of(handle);
    return NULL;
}

/* Shorter than the limit: users' buffers are often as long as it, without a byte for the 0. */
static bool
key_valid(const char *key)
{
    return key != NULL && key[0] != '\0' && strlen(key) < MPI_MAX_INFO_KEY;
}

bool
cpi_info_init(const char *thread_level)
{
    static const char *const from[][2] = {
        {"command", "_"}, {"maxprocs", "CPMP_SIZE"}, {"wdir", "PWD"}, {"host", "HOSTNAME"},
    };

    env = info_new();
    if (env == NULL)
        return false;
    for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
        const char *value = getenv(from[i][1]);
        if (value != NULL && info_set(env, from[i][0], value) != MPI_SUCCESS)
            return false;
    }
    return info_set(env, "thread_level", thread_level) == MPI_SUCCESS;
}

void
cpi_info_release(void)
{
    while (!cpi_list_empty(&live))
        info_free(CPI_CONTAINER(live.next, struct cpi_info, live_link));
    env = NULL;
}

CPI_ALIAS(Info_create)
int
PMPI_Info_create(MPI_Info *handle)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, handle != NULL, MPI_ERR_ARG);
    struct cpi_info *info = info_new();
    CPI_REQUIRE(MPI_COMM_NULL, info != NULL, MPI_ERR_NO_MEM);
    *handle = (MPI_Info)info;
    return MPI_SUCCESS;
}

CPI_ALIAS(Info_set)
int
PMPI_Info_set(MPI_Info handle, const char *key, const char *value)
{
    CPI_ENTER();
    struct cpi_info *info = info_find(handle);
    CPI_REQUIRE(MPI_COMM_NULL, info != NULL, MPI_ERR_INFO);
    CPI_REQUIRE(MPI_COMM_NULL, key_valid(key), MPI_ERR_INFO_KEY);
    CPI_REQUIRE(MPI_COMM_NULL, value != NULL && value[0] != '\0' &&
                strlen(value) < MPI_MAX_INFO_VAL, MPI_ERR_INFO_VALUE);
    CPI_RETURN(MPI_COMM_NULL, info_set(info, key, value));
}

CPI_ALIAS(Info_delete)
int
PMPI_Info_delete(MPI_Info handle, const char *key)
{
    CPI_ENTER();
    struct cpi_info *info = info_find(handle);
    CPI_REQUIRE(MPI_COMM_NULL, info != NULL, MPI_ERR_INFO);
    CPI_REQUIRE(MPI_COMM_NULL, key_valid(key), MPI_ERR_INFO_KEY);
    struct entry *entry = entry_find(info, key);
    CPI_REQUIRE(MPI_COMM_NULL, entry != NULL, MPI_ERR_INFO_NOKEY);
    entry_free(info, entry);
    return MPI_SUCCESS;
}

CPI_ALIAS(Info_get)
int
PMPI_Info_get(MPI_Info handle, const char *key, int value_length, char *value, int *flag)
{
    CPI_ENTER();
    struct cpi_info *info = info_find(handle);
    CPI_REQUIRE(MPI_COMM_NULL, info != NULL, MPI_ERR_INFO);
    CPI_REQUIRE(MPI_COMM_NULL, key_valid(key), MPI_ERR_INFO_KEY);
    CPI_REQUIRE(MPI_COMM_NULL, value_length >= 0 && value != NULL, MPI_ERR_INFO_VALUE);
    CPI_REQUIRE(MPI_COMM_NULL, flag != NULL, MPI_ERR_ARG);
    const struct entry *entry = entry_find(info, key);
    *flag = entry != NULL;
    /* MPI's length is without the 0 byte. */
    if (entry != NULL)
        snprintf(value, (size_t)value_length + 1, "%s", entry->value);
    return MPI_SUCCESS;
}

CPI_ALIAS(Info_get_valuelen)
int
PMPI_Info_get_valuelen(MPI_Info handle, const char *key, int *value_length, int *flag)
{
    CPI_ENTER();
    struct cpi_info *info = info_find(handle);
    CPI_REQUIRE(MPI_COMM_NULL, info != NULL, MPI_ERR_INFO);
    CPI_REQUIRE(MPI_COMM_NULL, key_valid(key), MPI_ERR_INFO_KEY);
    CPI_REQUIRE(MPI_COMM_NULL, value_length != NULL && flag != NULL, MPI_ERR_ARG);
    const struct entry *entry = entry_find(info, key);
    *flag = entry != NULL;
    if (entry != NULL)
        *value_length = (int)strlen(entry->value);
    return MPI_SUCCESS;
}

CPI_ALIAS(Info_get_nkeys)
int
PMPI_Info_get_nkeys(MPI_Info handle, int *count)
{
    CPI_ENTER();
    struct cpi_info *info = info_find(handle);
    CPI_REQUIRE(MPI_COMM_NULL, info != NULL, MPI_ERR_INFO);
    CPI_REQUIRE(MPI_COMM_NULL, count != NULL, MPI_ERR_ARG);
    *count = info->count;
    return MPI_SUCCESS;
}

CPI_ALIAS(Info_get_nthkey)
int
PMPI_Info_get_nthkey(MPI_Info handle, int n, char *key)
{
    CPI_ENTER();
    struct cpi_info *info = info_find(handle);
    CPI_REQUIRE(MPI_COMM_NULL, info != NULL, MPI_ERR_INFO);
    CPI_REQUIRE(MPI_COMM_NULL, key != NULL && n >= 0 && n < info->count, MPI_ERR_ARG);
    CPI_LIST_FOR(link, &info->entries)
    {
        if (n-- == 0) {
            const struct entry *entry = CPI_CONTAINER(link, struct entry, link);
            snprintf(key, MPI_MAX_INFO_KEY, "%s", entry->key);
            break;
        }
    }
    return MPI_SUCCESS;
}

CPI_ALIAS(Info_dup)
int
PMPI_Info_dup(MPI_Info handle, MPI_Info *newinfo)
{
    CPI_ENTER();
    struct cpi_info *info = info_find(handle);
    CPI_REQUIRE(MPI_COMM_NULL, info != NULL, MPI_ERR_INFO);
    CPI_REQUIRE(MPI_COMM_NULL, newinfo != NULL, MPI_ERR_ARG);
    struct cpi_info *copy = info_new();
    CPI_REQUIRE(MPI_COMM_NULL, copy != NULL, MPI_ERR_NO_MEM);
    CPI_LIST_FOR(link, &info->entries)
    {
        const struct entry *entry = CPI_CONTAINER(link, struct entry, link);
        if (info_set(copy, entry->key, entry->value) != MPI_SUCCESS) {
            info_free(copy);
            return cpi_error_raise(MPI_COMM_NULL, MPI_ERR_NO_MEM, CPI_FUNCTION);
        }
    }
    *newinfo = (MPI_Info)copy;
    return MPI_SUCCESS;
}

CPI_ALIAS(Info_free)
int
PMPI_Info_free(MPI_Info *handle)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, handle != NULL, MPI_ERR_ARG);
    struct cpi_info *info = info_find(*handle);
    CPI_REQUIRE(MPI_COMM_NULL, info != NULL && info != env, MPI_ERR_INFO);
    info_free(info);
    *handle = MPI_INFO_NULL;
    return MPI_SUCCESS;
}
