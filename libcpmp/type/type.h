/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_TYPE_TYPE_H
#define CPI_TYPE_TYPE_H

/*
 * Datatypes: where the bytes of an element lie in memory, in the order in which they travel.
 *
 * A datatype's layout is a list of pieces. A piece is `count` equal things at a stride: blocks of
 * contiguous bytes, or elements of another datatype (the child). Constructors build the pieces of
 * the new datatype from those of the old one and join what lies adjacent or at an even stride, so a
 * vector of doubles is one piece however it was described, and a datatype of a million elements of
 * a struct costs as much memory as one of two. Hence there is nothing left for commit to do but to
 * remember that it was called. The packed form is never materialised: `start` of each piece is its
 * place in the packed bytes, so packing may begin and end at any byte.
 *
 * Bounds are MPI-3.1's (4.1): without explicit bounds lb and ub are those of the data, the extent
 * rounded up to the alignment of the strictest primitive; MPI_LB, MPI_UB and resized make a bound
 * explicit, and then only explicit bounds count in what is built from it.
 *
 * Lifetime: a derived datatype is made with one reference. It holds a reference on each datatype it
 * was built from, so pieces may point into those. Predefined ones are never freed. Everything but
 * the reference count, name, flag COMMITTED, `attributes` and `fortran` is immutable after
 * construction.
 *
 * struct cpi_type is the object behind MPI_Datatype: the handle is its address, and its size is
 * part of the binary interface.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "type/prim.h"

#define CPI_TYPE_NAME_MAX  64
#define CPI_TYPE_ABI_BYTES 512
#define CPI_TYPE_UNDEFINED ((size_t)-1)

enum cpi_type_flag {
    CPI_TYPE_PREDEFINED = 1 << 0,
    CPI_TYPE_COMMITTED = 1 << 1,
    CPI_TYPE_EXPLICIT_LB = 1 << 2,
    CPI_TYPE_EXPLICIT_UB = 1 << 3,
    CPI_TYPE_CONTIGUOUS = 1 << 4, /* one element is one block of bytes, or none */
    CPI_TYPE_DENSE = 1 << 5,      /* so is any number of elements: extent == size */
    CPI_TYPE_FLAT = 1 << 6        /* no piece has a child */
};

/* How it was made. The numbers are those of MPI_COMBINER_* in mpi.h. */
enum cpi_combiner {
    CPI_COMBINER_NAMED = 0,
    CPI_COMBINER_DUP = 1,
    CPI_COMBINER_CONTIGUOUS = 2,
    CPI_COMBINER_VECTOR = 3,
    CPI_COMBINER_HVECTOR = 5,
    CPI_COMBINER_INDEXED = 6,
    CPI_COMBINER_HINDEXED = 8,
    CPI_COMBINER_INDEXED_BLOCK = 9,
    CPI_COMBINER_STRUCT = 11,
    CPI_COMBINER_SUBARRAY = 12,
    CPI_COMBINER_RESIZED = 17,
    CPI_COMBINER_HINDEXED_BLOCK = 18
};

/* Order of the dimensions of an array, for subarray; MPI_ORDER_*. */
enum cpi_type_order { CPI_TYPE_ORDER_C = 0, CPI_TYPE_ORDER_FORTRAN = 1 };

struct cpi_type;

struct cpi_type_piece {
    ptrdiff_t offset; /* of the first, from the element's origin */
    size_t count;     /* 1 or more */
    ptrdiff_t stride; /* from one to the next, in bytes */
    size_t block;     /* packed bytes of one; 1 or more */
    size_t start;     /* place of the first in the packed element */
    const struct cpi_type *child; /* NULL: the block is contiguous bytes */
};

struct cpi_type {
    _Atomic uint32_t references;
    uint16_t flags;
    uint8_t prim;     /* enum cpi_prim; NONE when derived */
    uint8_t combiner; /* enum cpi_combiner */
    size_t size;      /* bytes of data in one element */
    ptrdiff_t lb, ub;
    ptrdiff_t true_lb, true_ub;
    size_t alignment; /* of the strictest primitive; 1 at least */
    size_t elements;  /* primitive elements in one, a pair counted as two */

    uint32_t piece_count;
    uint32_t piece_room;
    struct cpi_type_piece *pieces; /* NULL: `only` */
    struct cpi_type_piece only;

    /* The arguments it was made with, as MPI_Type_get_contents gives them; one allocation. */
    uint32_t integer_count, address_count, type_count;
    int *integers;
    ptrdiff_t *addresses;
    struct cpi_type **types;
    struct cpi_type *hidden; /* made on the way, pointed to by pieces; a reference, or NULL */

    void *attributes; /* the binding's */
    int fortran;      /* the binding's: its Fortran handle */
    char name[CPI_TYPE_NAME_MAX];
};

_Static_assert(sizeof(struct cpi_type) <= CPI_TYPE_ABI_BYTES, "programs hold copies of this size");

static inline const struct cpi_type_piece *
cpi_type_pieces(const struct cpi_type *type)
{
    return type->pieces ? type->pieces : &type->only;
}

static inline ptrdiff_t
cpi_type_extent(const struct cpi_type *type)
{
    return type->ub - type->lb;
}

/* Makes *type the predefined datatype of kind `prim`; `name` is cut to CPI_TYPE_NAME_MAX. */
void cpi_type_predefine(struct cpi_type *type, enum cpi_prim prim, const char *name);

/* The library's own datatype of a kind, for use without the MPI binding. Made at first use. */
struct cpi_type *cpi_type_of_prim(enum cpi_prim prim);

/* One more reference; returns `type`. */
struct cpi_type *cpi_type_get(struct cpi_type *type);

/* One reference less; the last one frees. NULL is allowed. */
void cpi_type_put(struct cpi_type *type);

void cpi_type_commit(struct cpi_type *type);

/* How many primitive elements are in the first `bytes` packed bytes of a run of elements;
 * CPI_TYPE_UNDEFINED when they end within a primitive. */
size_t cpi_type_elements(const struct cpi_type *type, size_t bytes);

/* Asserts the invariants of the layout; for tests and on demand. */
void cpi_type_check(const struct cpi_type *type);

/* --- constructors: MPI-3.1, 4.1.2 and 4.1.7 ------------------------------------------------------
 * Counts and lengths are MPI's. CPMP_EINVAL for a negative one, CPMP_ELIMIT when the datatype would
 * be larger than an address can tell, CPMP_ENOMEM. */

int cpi_type_contiguous(int count, struct cpi_type *old, struct cpi_type **type_p);
int cpi_type_vector(int count, int length, int stride, struct cpi_type *old,
                    struct cpi_type **type_p);
int cpi_type_hvector(int count, int length, ptrdiff_t stride_bytes, struct cpi_type *old,
                     struct cpi_type **type_p);
int cpi_type_indexed(int count, const int lengths[], const int displacements[],
                     struct cpi_type *old, struct cpi_type **type_p);
int cpi_type_hindexed(int count, const int lengths[], const ptrdiff_t displacements_bytes[],
                      struct cpi_type *old, struct cpi_type **type_p);
int cpi_type_indexed_block(int count, int length, const int displacements[], struct cpi_type *old,
                           struct cpi_type **type_p);
int cpi_type_hindexed_block(int count, int length, const ptrdiff_t displacements_bytes[],
                            struct cpi_type *old, struct cpi_type **type_p);
int cpi_type_struct(int count, const int lengths[], const ptrdiff_t displacements_bytes[],
                    struct cpi_type *const olds[], struct cpi_type **type_p);
int cpi_type_subarray(int dimensions, const int sizes[], const int subsizes[], const int starts[],
                      enum cpi_type_order order, struct cpi_type *old, struct cpi_type **type_p);
int cpi_type_resized(struct cpi_type *old, ptrdiff_t lb, ptrdiff_t extent,
                     struct cpi_type **type_p);
int cpi_type_dup(struct cpi_type *old, struct cpi_type **type_p);

#endif
