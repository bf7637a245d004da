/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_MPI_ATTR_H
#define CPI_MPI_ATTR_H

/*
 * Attributes: values that users hang on communicators and datatypes under keys of their own,
 * copied when the object is duplicated and deleted with it, by functions that belong to the key.
 *
 * The functions below return an MPI error; it comes from a user's function where that failed.
 */

/* The values of one object; NULL: none. Lies in its `attributes`. */
struct cpi_attrs;

/* Runs the keys' copy functions on `from`'s values, in the order they were set, for the new
 * object. On an error *to_p is empty again. */
int cpi_attr_copy_all(void *object, struct cpi_attrs *from, struct cpi_attrs **to_p,
                      void *new_object);

/* Runs the keys' delete functions, the value set last first, and empties *attrs_p. On an error
 * what is left stays. */
int cpi_attr_delete_all(void *object, struct cpi_attrs **attrs_p);

/* Sets what the predefined keys of MPI_COMM_WORLD say. */
void cpi_attr_init(int universe_size, int appnum);

/* Forgets keys that users did not free. */
void cpi_attr_release(void);

#endif
