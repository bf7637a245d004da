/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_MPI_ERROR_H
#define CPI_MPI_ERROR_H

/*
 * How the binding's functions begin, check their arguments and fail.
 *
 * A function reports by the handler of the communicator it works on, of MPI_COMM_WORLD where there
 * is none: MPI_ERRORS_ARE_FATAL ends the job with a text, MPI_ERRORS_RETURN and users' handlers
 * make the function return the error.
 */

#include <cpmp.h>
#include <mpi.h>
#include <stdbool.h>

struct cpi_comm;

/* Failures of peers: not in Open MPI 4.1's mpi.h, but with numbers reserved in its interface. */
#define CPI_ERR_PROC_ABORTED        74
#define CPI_ERR_PROC_FAILED         75
#define CPI_ERR_PROC_FAILED_PENDING 76
#define CPI_ERR_REVOKED             77

/* The MPI function this stands in, as its user knows it. */
#define CPI_FUNCTION (__func__ + 1)

/* PMPI_name is the function; a program may define MPI_name itself. */
#define CPI_ALIAS(name)                                                                            \
    extern __typeof__(PMPI_##name) MPI_##name __attribute__((weak, alias("PMPI_" #name)));

/* First in each function that needs a job. */
#define CPI_ENTER()                                                                                \
    do {                                                                                           \
        if (__builtin_expect(!cpi_mpi_inside, 0))                                                  \
            cpi_error_outside(CPI_FUNCTION);                                                       \
    } while (0)

/* Fails with `class` unless `condition` holds. */
#define CPI_REQUIRE(comm, condition, class)                                                        \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            return cpi_error_raise(comm, class, CPI_FUNCTION);                                     \
    } while (0)

/* Last in a function that has an MPI error or success. */
#define CPI_RETURN(comm, class)                                                                    \
    do {                                                                                           \
        int return_class = (class);                                                                \
        return __builtin_expect(return_class == MPI_SUCCESS, 1)                                    \
                   ? MPI_SUCCESS                                                                   \
                   : cpi_error_raise(comm, return_class, CPI_FUNCTION);                            \
    } while (0)

/* Between MPI_Init and MPI_Finalize. */
extern bool cpi_mpi_inside;

/* Lets the handler of `comm` (an invalid one: of MPI_COMM_WORLD) deal with `code`, and returns
 * it when the handler did. */
int cpi_error_raise(MPI_Comm comm, int code, const char *function) __attribute__((cold));

/* Ends the job: `function` was called before MPI_Init or after MPI_Finalize. */
_Noreturn void cpi_error_outside(const char *function) __attribute__((cold));

int cpi_error_class_of(int error) __attribute__((cold));

/* The MPI class of an error of the library's insides. */
static inline int
cpi_error_class(int error)
{
    return __builtin_expect(error == CPMP_OK, 1) ? MPI_SUCCESS : cpi_error_class_of(error);
}

/* "name: text" of a class or of a user's code; NULL for what is neither. */
const char *cpi_error_text(int code);

/* The last class or code in use: MPI_LASTUSEDCODE. */
int *cpi_error_last_used(void);

/* Forgets users' classes and codes. */
void cpi_error_release(void);

#endif
