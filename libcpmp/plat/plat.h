/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PLAT_PLAT_H
#define CPI_PLAT_PLAT_H

/*
 * The system calls that libcpmp makes, all of them. A rank holds no socket, starts no thread and
 * opens no file; what is here is memory, futexes, the clock and a bell.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t cpi_clock_ns(void);

/* A sealed memfd (neither shrinks nor grows) of `bytes` zeros, close-on-exec. The caller owns the
 * fd; -1 with errno set when it can't be made. */
int cpi_memfd_make(const char *label, size_t bytes);

/* Maps `bytes` of `fd` shared for reading and writing; NULL with errno set. */
void *cpi_memfd_map(int fd, size_t bytes);

void cpi_memory_unmap(void *start, size_t bytes);

/* Size of the file behind `fd` when it is a memfd sealed against shrinking and growing, else 0. */
size_t cpi_memfd_sealed_bytes(int fd);

/* Sleep while *word == expected; returns when woken, when the word differs or on a signal. */
void cpi_futex_wait(const _Atomic uint32_t *word, uint32_t expected);

/* The same for two words: sleeps while both are as expected. Where the kernel has no futex_waitv
 * this returns at once with false, and the caller must do with one word. */
bool cpi_futex_wait_two(const _Atomic uint32_t *first, uint32_t first_expected,
                        const _Atomic uint32_t *second, uint32_t second_expected);

/* Wake up to `count` sleepers on `word`. */
void cpi_futex_wake(const _Atomic uint32_t *word, int count);

/* A memory barrier that one process makes for several: cpi_barrier_all is a full barrier in all
 * running threads of all processes that have joined. Join may fail (an old kernel, a sandbox). */
bool cpi_barrier_join(void);
void cpi_barrier_all(void);

/* Add one to the eventfd `fd`: wakes an agent in epoll. -1 when `fd` is closed or another thing. */
int cpi_bell_ring(int fd);

/* The core that this process is on, -1 when the system doesn't tell. Takes nanoseconds. */
int cpi_core(void);

/* Let another runnable process have the core. */
void cpi_yield(void);

/* Sleep so long, or until a signal. */
void cpi_nap_us(unsigned us);

/* A few nanoseconds of politeness in a spin loop. */
static inline void
cpi_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* This process may run on so many cores. */
int cpi_cores_usable(void);

/* Copy from another process's memory in one go (process_vm_readv). 0, or -1 with errno set. */
int cpi_process_read(int pid, uint64_t address, void *out, size_t bytes);

/* The other way (process_vm_writev). */
int cpi_process_write(int pid, uint64_t address, const void *in, size_t bytes);

/* Allow any process of this user to read this one's memory (prctl PR_SET_PTRACER, for Yama). */
void cpi_process_allow_read(void);

/* This process's id. */
int cpi_process_id(void);

/* Keep `fd` from programs this one starts. */
void cpi_fd_close_on_exec(int fd);

void cpi_fd_close(int fd);

/* A line of text to standard error. */
void cpi_text_print(const char *text);

/* The end of this process with `code`, without exit handlers. */
_Noreturn void cpi_process_end(int code);

#endif
