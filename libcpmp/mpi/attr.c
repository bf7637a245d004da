/* SPDX-License-Identifier: BSD-3-Clause */
#include "mpi/attr.h"

#include <cpmp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#include "mpi/error.h"
#include "mpi/handles.h"

/* One shape for the functions of communicators and datatypes: both handles are pointers. */
typedef int copy_fn(void *object, int keyval, void *extra, void *value, void *new_value_p,
                    int *flag);
typedef int delete_fn(void *object, int keyval, void *value, void *extra);

enum attr_kind { ATTR_COMM, ATTR_TYPE };

struct key {
    int number;
    int references; /* values under it, and the user's own until freed */
    enum attr_kind kind;
    copy_fn *copy;
    delete_fn *erase;
    void *extra;
    bool freed; /* by the user; values under it live on */
};

struct attr {
    struct attr *older;
    struct key *key;
    void *value;
};

struct cpi_attrs {
    struct attr *newest;
};

#define FIRST_KEY (IMPI_HOST_COLOR + 1)

static struct key **keys;   /* [key_count], from FIRST_KEY on; NULL: gone */
static int key_count;

/* What the predefined keys give addresses of. */
static int tag_ub = CPMP_TAG_MAX, host = MPI_PROC_NULL, io = MPI_ANY_SOURCE, wtime_is_global,
           application, universe;
static bool application_known;

/* --- keys --- */

static struct key *
key_find(enum attr_kind kind, int number)
{
    if (number < FIRST_KEY || number >= FIRST_KEY + key_count)
        return NULL;
    struct key *key = keys[number - FIRST_KEY];
    return key != NULL && key->kind == kind && !key->freed ? key : NULL;
}

static void
key_put(struct key *key)
{
    if (--key->references > 0)
        return;
    keys[key->number - FIRST_KEY] = NULL;
    free(key);
}

static int
key_new(enum attr_kind kind, copy_fn *copy, delete_fn *erase, void *extra, int *number_p)
{
    struct key **grown = realloc(keys, sizeof(*grown) * (size_t)(key_count + 1));
    struct key *key = malloc(sizeof(*key));

    if (grown != NULL)
        keys = grown;
    if (grown == NULL || key == NULL) {
        free(key);
        return MPI_ERR_NO_MEM;
    }
    *key = (struct key){.number = FIRST_KEY + key_count, .references = 1, .kind = kind,
                        .copy = copy, .erase = erase, .extra = extra};
    keys[key_count++] = key;
    *number_p = key->number;
    return MPI_SUCCESS;
}

static int
key_release(enum attr_kind kind, int *number_p)
{
    struct key *key = number_p == NULL ? NULL : key_find(kind, *number_p);

    if (key == NULL)
        return MPI_ERR_KEYVAL;
    key->freed = true;
    key_put(key);
    *number_p = MPI_KEYVAL_INVALID;
    return MPI_SUCCESS;
}

void
cpi_attr_release(void)
{
    for (int i = 0; i < key_count; i++)
        free(keys[i]);
    free(keys);
    keys = NULL;
    key_count = 0;
}

/* --- values --- */

static struct attr *
attr_find(const struct cpi_attrs *attrs, const struct key *key)
{
    struct attr *attr = attrs == NULL ? NULL : attrs->newest;

    while (attr != NULL && attr->key != key)
        attr = attr->older;
    return attr;
}

/* The user's function may set and delete other values of the object, so where `attr` stands in the
 * list is looked for after it. */
static int
attr_erase(void *object, struct cpi_attrs *attrs, struct attr *attr)
{
    struct key *key = attr->key;
    struct attr **at = &attrs->newest;
    int error = key->erase == NULL ? MPI_SUCCESS
                                   : key->erase(object, key->number, attr->value, key->extra);

    if (error != MPI_SUCCESS)
        return error;
    while (*at != NULL && *at != attr)
        at = &(*at)->older;
    if (*at == NULL)
        return MPI_SUCCESS;  /* it deleted this very value */
    *at = attr->older;
    key_put(key);
    free(attr);
    return MPI_SUCCESS;
}

static int
attr_add(struct cpi_attrs **attrs_p, struct key *key, void *value)
{
    struct attr *attr = malloc(sizeof(*attr));

    if (attr != NULL && *attrs_p == NULL)
        *attrs_p = calloc(1, sizeof(**attrs_p));
    if (attr == NULL || *attrs_p == NULL) {
        free(attr);
        return MPI_ERR_NO_MEM;
    }
    *attr = (struct attr){.older = (*attrs_p)->newest, .key = key, .value = value};
    (*attrs_p)->newest = attr;
    key->references++;
    return MPI_SUCCESS;
}

static int
attr_set(enum attr_kind kind, void *object, struct cpi_attrs **attrs_p, int number, void *value)
{
    struct key *key = key_find(kind, number);

    if (key == NULL)
        return MPI_ERR_KEYVAL;
    struct attr *attr = attr_find(*attrs_p, key);
    if (attr == NULL)
        return attr_add(attrs_p, key, value);
    /* The old value is deleted first; the new one is then the one set last. */
    int error = attr_erase(object, *attrs_p, attr);
    return error != MPI_SUCCESS ? error : attr_add(attrs_p, key, value);
}

static int
attr_get(enum attr_kind kind, struct cpi_attrs *attrs, int number, void *value_p, int *flag)
{
    struct key *key = key_find(kind, number);

    if (key == NULL)
        return MPI_ERR_KEYVAL;
    const struct attr *attr = attr_find(attrs, key);
    *flag = attr != NULL;
    if (attr != NULL)
        *(void **)value_p = attr->value;
    return MPI_SUCCESS;
}

static int
attr_delete(enum attr_kind kind, void *object, struct cpi_attrs *attrs, int number)
{
    struct key *key = key_find(kind, number);
    struct attr *attr = key == NULL ? NULL : attr_find(attrs, key);

    return attr == NULL ? MPI_ERR_KEYVAL : attr_erase(object, attrs, attr);
}

/* Copies `attr` and those older than it, these first. */
static int
attr_copy(void *object, const struct attr *attr, struct cpi_attrs **to_p)
{
    void *value = NULL;
    int flag = 0;

    if (attr == NULL)
        return MPI_SUCCESS;
    int error = attr_copy(object, attr->older, to_p);
    if (error != MPI_SUCCESS || attr->key->copy == NULL)
        return error;
    error = attr->key->copy(object, attr->key->number, attr->key->extra, attr->value, &value,
                            &flag);
    if (error != MPI_SUCCESS || !flag)
        return error;
    return attr_add(to_p, attr->key, value);
}

int
cpi_attr_copy_all(void *object, struct cpi_attrs *from, struct cpi_attrs **to_p, void *new_object)
{
    if (from == NULL)
        return MPI_SUCCESS;
    int error = attr_copy(object, from->newest, to_p);
    if (error != MPI_SUCCESS)
        cpi_attr_delete_all(new_object, to_p);
    return error;
}

int
cpi_attr_delete_all(void *object, struct cpi_attrs **attrs_p)
{
    struct cpi_attrs *attrs = *attrs_p;

    while (attrs != NULL && attrs->newest != NULL) {
        int error = attr_erase(object, attrs, attrs->newest);
        if (error != MPI_SUCCESS)
            return error;
    }
    free(attrs);
    *attrs_p = NULL;
    return MPI_SUCCESS;
}

/* --- the keys that are there from the start --- */

void
cpi_attr_init(int universe_size, int appnum)
{
    universe = universe_size;
    application = appnum;
    application_known = appnum >= 0;
}

/* The value of a predefined key, NULL when there is none; false when `number` is no such key. */
static bool
predefined_get(int number, int **value_p)
{
    switch (number) {
    case MPI_TAG_UB: *value_p = &tag_ub; return true;
    case MPI_HOST: *value_p = &host; return true;
    case MPI_IO: *value_p = &io; return true;
    case MPI_WTIME_IS_GLOBAL: *value_p = &wtime_is_global; return true;
    case MPI_APPNUM: *value_p = application_known ? &application : NULL; return true;
    case MPI_LASTUSEDCODE: *value_p = cpi_error_last_used(); return true;
    case MPI_UNIVERSE_SIZE: *value_p = universe > 0 ? &universe : NULL; return true;
    case IMPI_CLIENT_SIZE:
    case IMPI_CLIENT_COLOR:
    case IMPI_HOST_SIZE:
    case IMPI_HOST_COLOR: *value_p = NULL; return true;
    default: return false;
    }
}

/* --- communicators --- */

static struct cpi_attrs **
comm_attrs(MPI_Comm comm)
{
    return (struct cpi_attrs **)&cpi_comm_of(comm)->attributes;
}

CPI_ALIAS(Comm_create_keyval)
int
PMPI_Comm_create_keyval(MPI_Comm_copy_attr_function *copy, MPI_Comm_delete_attr_function *erase,
                        int *keyval, void *extra)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, copy != NULL && erase != NULL && keyval != NULL, MPI_ERR_ARG);
    CPI_RETURN(MPI_COMM_NULL,
               key_new(ATTR_COMM, (copy_fn *)copy, (delete_fn *)erase, extra, keyval));
}

CPI_ALIAS(Comm_free_keyval)
int
PMPI_Comm_free_keyval(int *keyval)
{
    CPI_ENTER();
    CPI_RETURN(MPI_COMM_NULL, key_release(ATTR_COMM, keyval));
}

CPI_ALIAS(Comm_set_attr)
int
PMPI_Comm_set_attr(MPI_Comm comm, int keyval, void *value)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_RETURN(comm, attr_set(ATTR_COMM, comm, comm_attrs(comm), keyval, value));
}

CPI_ALIAS(Comm_get_attr)
int
PMPI_Comm_get_attr(MPI_Comm comm, int keyval, void *value_p, int *flag)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_REQUIRE(comm, value_p != NULL && flag != NULL, MPI_ERR_ARG);
    int *value;
    if (predefined_get(keyval, &value)) {
        *flag = value != NULL;
        if (value != NULL)
            *(void **)value_p = value;
        return MPI_SUCCESS;
    }
    CPI_RETURN(comm, attr_get(ATTR_COMM, *comm_attrs(comm), keyval, value_p, flag));
}

CPI_ALIAS(Comm_delete_attr)
int
PMPI_Comm_delete_attr(MPI_Comm comm, int keyval)
{
    CPI_ENTER();
    CPI_REQUIRE(comm, cpi_comm_valid(comm), MPI_ERR_COMM);
    CPI_RETURN(comm, attr_delete(ATTR_COMM, comm, *comm_attrs(comm), keyval));
}

/* --- datatypes --- */

static struct cpi_attrs **
type_attrs(MPI_Datatype type)
{
    return (struct cpi_attrs **)&cpi_type_of(type)->attributes;
}

CPI_ALIAS(Type_create_keyval)
int
PMPI_Type_create_keyval(MPI_Type_copy_attr_function *copy, MPI_Type_delete_attr_function *erase,
                        int *keyval, void *extra)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, copy != NULL && erase != NULL && keyval != NULL, MPI_ERR_ARG);
    CPI_RETURN(MPI_COMM_NULL,
               key_new(ATTR_TYPE, (copy_fn *)copy, (delete_fn *)erase, extra, keyval));
}

CPI_ALIAS(Type_free_keyval)
int
PMPI_Type_free_keyval(int *keyval)
{
    CPI_ENTER();
    CPI_RETURN(MPI_COMM_NULL, key_release(ATTR_TYPE, keyval));
}

CPI_ALIAS(Type_set_attr)
int
PMPI_Type_set_attr(MPI_Datatype type, int keyval, void *value)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, cpi_type_valid(type), MPI_ERR_TYPE);
    CPI_RETURN(MPI_COMM_NULL, attr_set(ATTR_TYPE, type, type_attrs(type), keyval, value));
}

CPI_ALIAS(Type_get_attr)
int
PMPI_Type_get_attr(MPI_Datatype type, int keyval, void *value_p, int *flag)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, cpi_type_valid(type), MPI_ERR_TYPE);
    CPI_REQUIRE(MPI_COMM_NULL, value_p != NULL && flag != NULL, MPI_ERR_ARG);
    CPI_RETURN(MPI_COMM_NULL, attr_get(ATTR_TYPE, *type_attrs(type), keyval, value_p, flag));
}

CPI_ALIAS(Type_delete_attr)
int
PMPI_Type_delete_attr(MPI_Datatype type, int keyval)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, cpi_type_valid(type), MPI_ERR_TYPE);
    CPI_RETURN(MPI_COMM_NULL, attr_delete(ATTR_TYPE, type, *type_attrs(type), keyval));
}

/* --- MPI-1's names --- */

CPI_ALIAS(Keyval_create)
int
PMPI_Keyval_create(MPI_Copy_function *copy, MPI_Delete_function *erase, int *keyval, void *extra)
{
    return PMPI_Comm_create_keyval(copy, erase, keyval, extra);
}

CPI_ALIAS(Keyval_free)
int
PMPI_Keyval_free(int *keyval)
{
    return PMPI_Comm_free_keyval(keyval);
}

CPI_ALIAS(Attr_put)
int
PMPI_Attr_put(MPI_Comm comm, int keyval, void *value)
{
    return PMPI_Comm_set_attr(comm, keyval, value);
}

CPI_ALIAS(Attr_get)
int
PMPI_Attr_get(MPI_Comm comm, int keyval, void *value_p, int *flag)
{
    return PMPI_Comm_get_attr(comm, keyval, value_p, flag);
}

CPI_ALIAS(Attr_delete)
int
PMPI_Attr_delete(MPI_Comm comm, int keyval)
{
    return PMPI_Comm_delete_attr(comm, keyval);
}

/* --- the predefined functions: copy nothing, copy the pointer, delete nothing --- */

#define NULL_COPY(name, handle)                                                                    \
    int name(handle object, int keyval, void *extra, void *value, void *new_value, int *flag)      \
    {                                                                                              \
        (void)object, (void)keyval, (void)extra, (void)value, (void)new_value;                     \
        *flag = 0;                                                                                 \
        return MPI_SUCCESS;                                                                        \
    }
#define DUP_COPY(name, handle)                                                                     \
    int name(handle object, int keyval, void *extra, void *value, void *new_value, int *flag)      \
    {                                                                                              \
        (void)object, (void)keyval, (void)extra;                                                   \
        *(void **)new_value = value;                                                               \
        *flag = 1;                                                                                 \
        return MPI_SUCCESS;                                                                        \
    }
#define NULL_DELETE(name, handle)                                                                  \
    int name(handle object, int keyval, void *value, void *extra)                                  \
    {                                                                                              \
        (void)object, (void)keyval, (void)value, (void)extra;                                      \
        return MPI_SUCCESS;                                                                        \
    }

NULL_COPY(OMPI_C_MPI_NULL_COPY_FN, MPI_Comm)
NULL_COPY(OMPI_C_MPI_COMM_NULL_COPY_FN, MPI_Comm)
NULL_COPY(OMPI_C_MPI_TYPE_NULL_COPY_FN, MPI_Datatype)
NULL_COPY(OMPI_C_MPI_WIN_NULL_COPY_FN, MPI_Win)
DUP_COPY(OMPI_C_MPI_DUP_FN, MPI_Comm)
DUP_COPY(OMPI_C_MPI_COMM_DUP_FN, MPI_Comm)
DUP_COPY(OMPI_C_MPI_TYPE_DUP_FN, MPI_Datatype)
DUP_COPY(OMPI_C_MPI_WIN_DUP_FN, MPI_Win)
NULL_DELETE(OMPI_C_MPI_NULL_DELETE_FN, MPI_Comm)
NULL_DELETE(OMPI_C_MPI_COMM_NULL_DELETE_FN, MPI_Comm)
NULL_DELETE(OMPI_C_MPI_TYPE_NULL_DELETE_FN, MPI_Datatype)
NULL_DELETE(OMPI_C_MPI_WIN_NULL_DELETE_FN, MPI_Win)
