/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_BASE_LIST_H
#define CPI_BASE_LIST_H

/*
 * Doubly linked list with the links inside the members (circular, with a head). A member that is in
 * no list has been unlinked by cpi_list_remove or set up by cpi_list_init.
 */

#include <stdbool.h>
#include <stddef.h>

struct cpi_list {
    struct cpi_list *next, *prev;
};

/* The struct that `link` is the member `member` of. */
#define CPI_CONTAINER(link, type, member) ((type *)((char *)(link) - offsetof(type, member)))

#define CPI_LIST_FOR(link, head) \
    for (struct cpi_list *link = (head)->next; link != (head); link = link->next)

/* As CPI_LIST_FOR, and the body may remove `link`. */
#define CPI_LIST_FOR_SAFE(link, head)                                                              \
    for (struct cpi_list *link = (head)->next, *link##_next = link->next; link != (head);          \
         link = link##_next, link##_next = link->next)

static inline void
cpi_list_init(struct cpi_list *list)
{
    list->next = list->prev = list;
}

static inline bool
cpi_list_empty(const struct cpi_list *list)
{
    return list->next == list;
}

static inline void
cpi_list_append(struct cpi_list *head, struct cpi_list *link)
{
    link->next = head;
    link->prev = head->prev;
    head->prev->next = link;
    head->prev = link;
}

static inline void
cpi_list_remove(struct cpi_list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = link->prev = link;
}

#endif
