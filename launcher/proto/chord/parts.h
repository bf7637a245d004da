/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_PROTO_CHORD_PARTS_H
#define CPI_PROTO_CHORD_PARTS_H

/* What the parts of a ring's peer offer to each other. Each has its timers and their deadline. */

#include "proto/chord/state.h"

/* --- ring.c: successors and predecessor --- */

void chord_ring_message(struct chord *chord, const struct chord_message *message);
void chord_ring_failed(struct chord *chord, uint32_t contact);
void chord_ring_timers(struct chord *chord);
uint64_t chord_ring_deadline_us(const struct chord *chord);
void chord_ring_leave(struct chord *chord);
void chord_ring_left(struct chord *chord, const struct chord_peer *peer);

/* A member has been heard from: it may be a better head or predecessor than we have. */
void chord_ring_heard(struct chord *chord, const struct chord_peer *peer);

/* Is a ring of one, or becomes it. */
void chord_ring_alone(struct chord *chord);

/* The successor list that follows from having heard `head` tell its own; and whether it changed. */
bool chord_ring_adopt(struct chord *chord, const struct chord_peer *head,
                      const struct chord_peer *list, size_t count);

void chord_ring_ask(struct chord *chord, enum chord_ask ask, const struct chord_peer *peer);
void chord_ring_resend(struct chord *chord);
void chord_ring_query_over(struct chord *chord);
void chord_ring_soon(struct chord *chord);

/* --- join.c --- */

void chord_join_start(struct chord *chord, const struct chord_event *event);
void chord_join_know(struct chord *chord, uint32_t contact);
void chord_join_message(struct chord *chord, const struct chord_message *message);
void chord_join_query_lost(struct chord *chord);  /* no answer, or none that helps: start over */
void chord_join_timers(struct chord *chord);
uint64_t chord_join_deadline_us(const struct chord *chord);

/* --- route.c: lookups and the way they go --- */

void chord_route_message(struct chord *chord, const struct chord_message *message);
void chord_route_failed(struct chord *chord, uint32_t contact);
void chord_route_timers(struct chord *chord);
uint64_t chord_route_deadline_us(const struct chord *chord);

/* Starts a lookup; false: too many. With `via` the first hop is that contact, else the best. */
bool chord_route_start(struct chord *chord, enum chord_purpose purpose, uint64_t user_token,
                       const struct chord_id *key, uint32_t via);

void chord_route_introduce(struct chord *chord, const struct chord_peer *peer);
void chord_route_end_all(struct chord *chord);
void chord_route_free_all(struct chord *chord);
bool chord_route_owns_surely(const struct chord *chord, const struct chord_id *key);

/* --- finger.c --- */

void chord_finger_pong(struct chord *chord, const struct chord_message *message);
void chord_finger_found(struct chord *chord, const struct chord_message *message);
void chord_finger_not_found(struct chord *chord);
void chord_finger_failed(struct chord *chord, uint32_t contact);
void chord_finger_distance(struct chord *chord, uint32_t contact, uint32_t rtt_us);
void chord_finger_timers(struct chord *chord);
uint64_t chord_finger_deadline_us(const struct chord *chord);
void chord_finger_reset(struct chord *chord);

/* --- search.c: iterative lookups over disjoint paths --- */

void chord_search_start(struct chord *chord, uint64_t user_token, const struct chord_id *key);
void chord_search_message(struct chord *chord, const struct chord_message *message);
void chord_search_step(struct chord *chord, const struct chord_message *message);
void chord_search_failed(struct chord *chord, uint32_t contact);
void chord_search_timers(struct chord *chord);
uint64_t chord_search_deadline_us(const struct chord *chord);
void chord_search_end_all(struct chord *chord);
void chord_search_free_all(struct chord *chord);
size_t chord_search_bytes(const struct chord *chord);
void chord_search_each_contact(const struct chord *chord, void (*each)(void *, uint32_t),
                               void *arg);

/* --- merge.c --- */

void chord_merge_remember(struct chord *chord, const struct chord_peer *peer);
void chord_merge_forget(struct chord *chord, uint32_t contact);
void chord_merge_met(struct chord *chord, const struct chord_peer *peer);
void chord_merge_message(struct chord *chord, const struct chord_message *message);
void chord_merge_found(struct chord *chord, const struct chord_message *message);
void chord_merge_adopted(struct chord *chord, const struct chord_peer *old_head);
void chord_merge_timers(struct chord *chord);
uint64_t chord_merge_deadline_us(const struct chord *chord);

#endif
