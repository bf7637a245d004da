/* SPDX-License-Identifier: BSD-3-Clause */
#include "mpi/error.h"

#include <cpmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* X(class, text) */
#define CLASS_MAP(X)                                                                               \
    X(MPI_SUCCESS, "no errors")                                                                    \
    X(MPI_ERR_BUFFER, "invalid buffer pointer")                                                    \
    X(MPI_ERR_COUNT, "invalid count argument")                                                     \
    X(MPI_ERR_TYPE, "invalid datatype")                                                            \
    X(MPI_ERR_TAG, "invalid tag")                                                                  \
    X(MPI_ERR_COMM, "invalid communicator")                                                        \
    X(MPI_ERR_RANK, "invalid rank")                                                                \
    X(MPI_ERR_REQUEST, "invalid request")                                                          \
    X(MPI_ERR_ROOT, "invalid root")                                                                \
    X(MPI_ERR_GROUP, "invalid group")                                                              \
    X(MPI_ERR_OP, "invalid reduce operation")                                                      \
    X(MPI_ERR_TOPOLOGY, "invalid communicator topology")                                           \
    X(MPI_ERR_DIMS, "invalid topology dimension")                                                  \
    X(MPI_ERR_ARG, "invalid argument of some other kind")                                          \
    X(MPI_ERR_UNKNOWN, "unknown error")                                                            \
    X(MPI_ERR_TRUNCATE, "message truncated")                                                       \
    X(MPI_ERR_OTHER, "known error not in list")                                                    \
    X(MPI_ERR_INTERN, "internal error")                                                            \
    X(MPI_ERR_IN_STATUS, "error code in status")                                                   \
    X(MPI_ERR_PENDING, "pending request")                                                          \
    X(MPI_ERR_ACCESS, "permission denied")                                                         \
    X(MPI_ERR_AMODE, "invalid access mode of a file")                                              \
    X(MPI_ERR_ASSERT, "invalid assertion")                                                         \
    X(MPI_ERR_BAD_FILE, "invalid file name")                                                       \
    X(MPI_ERR_BASE, "invalid base address of a window")                                            \
    X(MPI_ERR_CONVERSION, "a conversion of data failed")                                           \
    X(MPI_ERR_DISP, "invalid displacement")                                                        \
    X(MPI_ERR_DUP_DATAREP, "this data representation is defined already")                          \
    X(MPI_ERR_FILE_EXISTS, "the file exists already")                                              \
    X(MPI_ERR_FILE_IN_USE, "the file is open elsewhere")                                           \
    X(MPI_ERR_FILE, "invalid file handle")                                                         \
    X(MPI_ERR_INFO_KEY, "invalid info key")                                                        \
    X(MPI_ERR_INFO_NOKEY, "no such info key")                                                      \
    X(MPI_ERR_INFO_VALUE, "invalid info value")                                                    \
    X(MPI_ERR_INFO, "invalid info object")                                                         \
    X(MPI_ERR_IO, "input or output failed")                                                        \
    X(MPI_ERR_KEYVAL, "invalid attribute key")                                                     \
    X(MPI_ERR_LOCKTYPE, "invalid lock type")                                                       \
    X(MPI_ERR_NAME, "no such service name")                                                        \
    X(MPI_ERR_NO_MEM, "out of memory")                                                             \
    X(MPI_ERR_NOT_SAME, "collective arguments differ between processes")                           \
    X(MPI_ERR_NO_SPACE, "no space left")                                                           \
    X(MPI_ERR_NO_SUCH_FILE, "no such file")                                                        \
    X(MPI_ERR_PORT, "invalid port")                                                                \
    X(MPI_ERR_QUOTA, "quota exceeded")                                                             \
    X(MPI_ERR_READ_ONLY, "the file or file system is read-only")                                   \
    X(MPI_ERR_RMA_CONFLICT, "conflicting accesses to a window")                                    \
    X(MPI_ERR_RMA_SYNC, "wrong synchronization of a window")                                       \
    X(MPI_ERR_SERVICE, "invalid service name")                                                     \
    X(MPI_ERR_SIZE, "invalid size")                                                                \
    X(MPI_ERR_SPAWN, "processes could not be started")                                             \
    X(MPI_ERR_UNSUPPORTED_DATAREP, "data representation not supported")                            \
    X(MPI_ERR_UNSUPPORTED_OPERATION, "operation not supported")                                    \
    X(MPI_ERR_WIN, "invalid window")                                                               \
    X(MPI_T_ERR_MEMORY, "out of memory")                                                           \
    X(MPI_T_ERR_NOT_INITIALIZED, "the tools interface is not initialized")                         \
    X(MPI_T_ERR_CANNOT_INIT, "the tools interface cannot be initialized")                          \
    X(MPI_T_ERR_INVALID_INDEX, "invalid index")                                                    \
    X(MPI_T_ERR_INVALID_ITEM, "invalid item")                                                      \
    X(MPI_T_ERR_INVALID_HANDLE, "invalid handle")                                                  \
    X(MPI_T_ERR_OUT_OF_HANDLES, "no more handles")                                                 \
    X(MPI_T_ERR_OUT_OF_SESSIONS, "no more sessions")                                               \
    X(MPI_T_ERR_INVALID_SESSION, "invalid session")                                                \
    X(MPI_T_ERR_CVAR_SET_NOT_NOW, "the variable cannot be set now")                                \
    X(MPI_T_ERR_CVAR_SET_NEVER, "the variable cannot be set")                                      \
    X(MPI_T_ERR_PVAR_NO_STARTSTOP, "the variable cannot be started or stopped")                    \
    X(MPI_T_ERR_PVAR_NO_WRITE, "the variable cannot be written")                                   \
    X(MPI_T_ERR_PVAR_NO_ATOMIC, "the variable cannot be read and written in one")                  \
    X(MPI_ERR_RMA_RANGE, "outside of the window")                                                  \
    X(MPI_ERR_RMA_ATTACH, "memory could not be attached")                                          \
    X(MPI_ERR_RMA_FLAVOR, "not for this kind of window")                                           \
    X(MPI_ERR_RMA_SHARED, "memory cannot be shared")                                               \
    X(MPI_T_ERR_INVALID, "invalid use of the tools interface")                                     \
    X(MPI_T_ERR_INVALID_NAME, "no variable or category of that name")                              \
    X(CPI_ERR_PROC_ABORTED, "a process has aborted")                                               \
    X(CPI_ERR_PROC_FAILED, "a process has failed")                                                 \
    X(CPI_ERR_PROC_FAILED_PENDING, "a process has failed that might still have sent")              \
    X(CPI_ERR_REVOKED, "the communicator was revoked")

static const char *const class_texts[MPI_ERR_LASTCODE + 1] = {
#define CLASS_TEXT(class, text) [class] = #class ": " text,
    CLASS_MAP(CLASS_TEXT)
#undef CLASS_TEXT
};

/* Users' classes and codes, numbered from MPI_ERR_LASTCODE + 1 on. */
struct user_error {
    int class;
    char text[MPI_MAX_ERROR_STRING];
};

static struct user_error *user_errors;
static int last_used = MPI_ERR_LASTCODE;

static struct user_error *
user_error_of(int code)
{
    return code > MPI_ERR_LASTCODE && code <= last_used ? &user_errors[code - MPI_ERR_LASTCODE - 1]
                                                        : NULL;
}

/* `class` 0: a class of its own. */
static int
user_error_add(int class, int *code_p)
{
    size_t count = (size_t)(last_used - MPI_ERR_LASTCODE);
    struct user_error *grown = realloc(user_errors, (count + 1) * sizeof(*grown));

    if (grown == NULL)
        return MPI_ERR_NO_MEM;
    user_errors = grown;
    last_used++;
    grown[count].class = class != 0 ? class : last_used;
    grown[count].text[0] = '\0';
    *code_p = last_used;
    return MPI_SUCCESS;
}

int *
cpi_error_last_used(void)
{
    return &last_used;
}

void
cpi_error_release(void)
{
    free(user_errors);
    user_errors = NULL;
    last_used = MPI_ERR_LASTCODE;
}

const char *
cpi_error_text(int code)
{
    struct user_error *user = user_error_of(code);

    if (user != NULL)
        return user->text;
    return code >= 0 && code <= MPI_ERR_LASTCODE ? class_texts[code] : NULL;
}

int
cpi_error_class_of(int error)
{
    switch (error) {
    case CPMP_OK: return MPI_SUCCESS;
    case CPMP_EINVAL: return MPI_ERR_ARG;
    case CPMP_ENOMEM: return MPI_ERR_NO_MEM;
    case CPMP_ERANK: return MPI_ERR_RANK;
    case CPMP_ETAG: return MPI_ERR_TAG;
    case CPMP_ETRUNC: return MPI_ERR_TRUNCATE;
    case CPMP_ESIZE: return MPI_ERR_NOT_SAME;
    case CPMP_EPEER: return CPI_ERR_PROC_FAILED;
    case CPMP_ENOSUP: return MPI_ERR_UNSUPPORTED_OPERATION;
    case CPMP_ENOSPC: return MPI_ERR_NO_SPACE;
    case CPMP_EPROTO: return MPI_ERR_INTERN;
    default: return MPI_ERR_OTHER;
    }
}

CPI_ALIAS(Error_class)
int
PMPI_Error_class(int code, int *class)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, class != NULL && cpi_error_text(code) != NULL, MPI_ERR_ARG);
    struct user_error *user = user_error_of(code);
    *class = user != NULL ? user->class : code;
    return MPI_SUCCESS;
}

CPI_ALIAS(Error_string)
int
PMPI_Error_string(int code, char *string, int *length)
{
    CPI_ENTER();
    const char *text = cpi_error_text(code);
    CPI_REQUIRE(MPI_COMM_NULL, string != NULL && length != NULL && text != NULL, MPI_ERR_ARG);
    *length = snprintf(string, MPI_MAX_ERROR_STRING, "%s", text);
    return MPI_SUCCESS;
}

CPI_ALIAS(Add_error_class)
int
PMPI_Add_error_class(int *class)
{
    CPI_ENTER();
    CPI_REQUIRE(MPI_COMM_NULL, class != NULL, MPI_ERR_ARG);
    CPI_RETURN(MPI_COMM_NULL, user_error_add(0, class));
}

CPI_ALIAS(Add_error_code)
int
PMPI_Add_error_code(int class, int *code)
{
    CPI_ENTER();
    struct user_error *user = user_error_of(class);
    CPI_REQUIRE(MPI_COMM_NULL, code != NULL && cpi_error_text(class) != NULL, MPI_ERR_ARG);
    CPI_REQUIRE(MPI_COMM_NULL, user == NULL || user->class == class, MPI_ERR_ARG);
    CPI_RETURN(MPI_COMM_NULL, user_error_add(class, code));
}

CPI_ALIAS(Add_error_string)
int
PMPI_Add_error_string(int code, const char *string)
{
    CPI_ENTER();
    struct user_error *user = user_error_of(code);
    CPI_REQUIRE(MPI_COMM_NULL, user != NULL && string != NULL &&
                strlen(string) < MPI_MAX_ERROR_STRING, MPI_ERR_ARG);
    snprintf(user->text, sizeof(user->text), "%s", string);
    return MPI_SUCCESS;
}
