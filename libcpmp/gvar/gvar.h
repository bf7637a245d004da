/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_GVAR_GVAR_H
#define CPI_GVAR_GVAR_H

/*
 * Global variables, the ranks' side: each function is one call (an update: one a try) on the store
 * at the variable's home (wire/store.h), over the agent, and waits for its reply. cpmp.h documents
 * them.
 */

#include <stddef.h>
#include <stdint.h>

struct cpmp_var;

int cpi_gvar_init(void);
void cpi_gvar_end(void);

int cpi_gvar_open(const char *name, size_t bytes, const void *initial, struct cpmp_var **var_p);
void cpi_gvar_close(struct cpmp_var *var);
int cpi_gvar_read(struct cpmp_var *var, void *value, uint64_t *version_p);
int cpi_gvar_write(struct cpmp_var *var, const void *value, uint64_t *version_p);
int cpi_gvar_update(struct cpmp_var *var, int (*update)(void *, size_t, void *), void *arg,
                    void *value, uint64_t *version_p);
int cpi_gvar_compare_swap(struct cpmp_var *var, const void *expected, const void *desired,
                          void *seen, int *swapped_p);
int cpi_gvar_fetch_add(struct cpmp_var *var, int64_t add, int64_t *before_p);
int cpi_gvar_wait(struct cpmp_var *var, uint64_t newer_than, void *value, uint64_t *version_p);

#endif
