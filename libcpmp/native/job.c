/* SPDX-License-Identifier: BSD-3-Clause */
#include "native/native.h"

#include <cpmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "event/event.h"
#include "gvar/gvar.h"
#include "p2p/engine.h"
#include "plat/plat.h"

static int members;
static bool ended;  /* a process joins its job once */
static bool native_active;
static struct cpi_comm native;

int
cpi_job_begin(void)
{
    if (members > 0) {
        members++;
        return CPMP_OK;
    }
    if (ended)
        return CPMP_ESTATE;
    int error = cpi_engine_init();
    if (error != CPMP_OK)
        return error;
    error = cpi_event_init();
    if (error == CPMP_OK)
        error = cpi_gvar_init();
    if (error != CPMP_OK)
        return error;
    /* The launcher reads pipes: without this, lines would wait in a buffer until the rank ends. */
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    members = 1;
    return CPMP_OK;
}

void
cpi_job_end(void)
{
    if (--members > 0)
        return;
    ended = true;
    fflush(NULL);
    cpi_engine_end();
    cpi_gvar_end();
    cpi_event_end();
}

bool
cpi_job_active(void)
{
    return members > 0;
}

struct cpi_comm *
cpi_native_comm(void)
{
    return &native;
}

int
cpmp_init(void)
{
    if (native_active)
        return CPMP_ESTATE;
    int error = cpi_job_begin();
    if (error != CPMP_OK)
        return error;
    error = cpi_comm_init_native(&native);
    if (error != CPMP_OK) {
        cpi_job_end();
        return error;
    }
    native_active = true;
    return CPMP_OK;
}

int
cpmp_end(void)
{
    if (!native_active)
        return CPMP_ESTATE;
    native_active = false;
    cpi_comm_release(&native);
    cpi_job_end();
    return CPMP_OK;
}

int
cpmp_rank(void)
{
    return native_active ? cpi_engine.rank : CPMP_ESTATE;
}

int
cpmp_size(void)
{
    return native_active ? cpi_engine.size : CPMP_ESTATE;
}

int
cpmp_peer(void)
{
    return native_active ? (int)cpi_engine.segment.header->peer : CPMP_ESTATE;
}

int
cpmp_peers(void)
{
    return native_active ? (int)cpi_engine.segment.header->peers : CPMP_ESTATE;
}

double
cpmp_capacity(void)
{
    return native_active ? (double)cpi_engine.segment.header->capacity_millicores / 1000.0
                         : CPMP_ESTATE;
}

double
cpmp_time(void)
{
    return (double)cpi_clock_ns() / 1e9;
}

void
cpmp_abort(int exit_code, const char *message)
{
    char text[1024];

    if (exit_code < 1 || exit_code > 255)
        exit_code = 1;
    snprintf(text, sizeof(text), "rank %d ended the job with exit code %d%s%s",
             cpi_engine_rank_told(), exit_code, message == NULL ? "" : ": ",
             message == NULL ? "" : message);
    fflush(NULL);
    cpi_engine_abort(exit_code, text);
}

int
cpmp_poll(void)
{
    if (!native_active)
        return CPMP_ESTATE;
    cpi_engine_progress();
    return CPMP_OK;
}

/* --- partial results --- */

int
cpmp_emit(const char *topic, const void *data, size_t bytes)
{
    if (!native_active)
        return CPMP_ESTATE;
    if (topic == NULL || (data == NULL && bytes > 0))
        return CPMP_EINVAL;
    return cpi_event_emit(topic, data, bytes, false);
}

int
cpmp_emit_text(const char *topic, const char *format, ...)
{
    char text[4096];
    va_list args;

    if (!native_active)
        return CPMP_ESTATE;
    if (topic == NULL || format == NULL)
        return CPMP_EINVAL;
    va_start(args, format);
    int length = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (length < 0)
        return CPMP_EINVAL;
    if ((size_t)length >= sizeof(text))
        return CPMP_ELIMIT;
    return cpi_event_emit(topic, text, (size_t)length, true);
}

int
cpmp_subscribe(const char *topic, cpmp_event_fn *callback, void *arg)
{
    return native_active ? cpi_event_subscribe(topic, callback, arg) : CPMP_ESTATE;
}

int
cpmp_progress(uint64_t done, uint64_t total)
{
    if (!native_active)
        return CPMP_ESTATE;
    cpi_event_progress(done, total);
    return CPMP_OK;
}

/* --- global variables --- */

int
cpmp_var_open(const char *name, size_t bytes, const void *initial, cpmp_var **var_p)
{
    if (!native_active)
        return CPMP_ESTATE;
    if (name == NULL || var_p == NULL)
        return CPMP_EINVAL;
    return cpi_gvar_open(name, bytes, initial, var_p);
}

void
cpmp_var_close(cpmp_var *var)
{
    cpi_gvar_close(var);
}

/* Every call on an open variable needs the job and the variable. */
#define VAR_CALL(var, call) \
    (!native_active ? (int)CPMP_ESTATE : (var) == NULL ? (int)CPMP_EINVAL : (call))

int
cpmp_var_read(cpmp_var *var, void *value, uint64_t *version_p)
{
    return VAR_CALL(var, cpi_gvar_read(var, value, version_p));
}

int
cpmp_var_write(cpmp_var *var, const void *value, uint64_t *version_p)
{
    if (value == NULL)
        return CPMP_EINVAL;
    return VAR_CALL(var, cpi_gvar_write(var, value, version_p));
}

int
cpmp_var_update(cpmp_var *var, cpmp_update_fn *update, void *arg, void *value, uint64_t *version_p)
{
    if (update == NULL)
        return CPMP_EINVAL;
    return VAR_CALL(var, cpi_gvar_update(var, update, arg, value, version_p));
}

int
cpmp_var_compare_swap(cpmp_var *var, const void *expected, const void *desired, void *seen,
                      int *swapped_p)
{
    if (expected == NULL || desired == NULL || swapped_p == NULL)
        return CPMP_EINVAL;
    return VAR_CALL(var, cpi_gvar_compare_swap(var, expected, desired, seen, swapped_p));
}

int
cpmp_var_fetch_add(cpmp_var *var, int64_t add, int64_t *before_p)
{
    return VAR_CALL(var, cpi_gvar_fetch_add(var, add, before_p));
}

int
cpmp_var_wait(cpmp_var *var, uint64_t newer_than, void *value, uint64_t *version_p)
{
    return VAR_CALL(var, cpi_gvar_wait(var, newer_than, value, version_p));
}
