/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_MUTANT_H
#define SIM_MUTANT_H

/*
 * Peers that do wrong on purpose: the proof that the checks can fail. A mutant's modules are the
 * same objects as everybody's; what they hear and say is bent on its way to them, so that together
 * they act as a peer with that mistake in its code would. All peers of a run are mutants, or none.
 */

#include <stdbool.h>
#include <stdint.h>

/*      mutant     name         configuration  what a peer does wrong */
#define SIM_MUTANT_MAP(X)                                                                         \
    X(NONE,      "none",      "joins",    "nothing")                                              \
    X(UNHEARD,   "unheard",   "crashes",  "adopts a successor that it was told of, unasked")      \
    X(IMPATIENT, "impatient", "crashes",  "finds no member at once and makes a ring of its own")  \
    X(FORGETFUL, "forgetful", "restarts", "keeps one successor of those it is told of")           \
    X(LIAR,      "liar",      "joins",    "says that keys of its own are its successor's")        \
    X(MUTE,      "mute",      "joins",    "answers no ping, and keeps whom it suspects to itself")\
    X(TRUSTING,  "trusting",  "restarts", "takes silence for life")                               \
    X(SELFISH,   "selfish",   "joins",    "keeps no copies of what others own")                   \
    X(SECRETIVE, "secretive", "joins",    "tells nobody what it keeps")

enum sim_mutant {
#define SIM_MUTANT_ENUM(mutant, name, config, help) SIM_MUTANT_##mutant,
    SIM_MUTANT_MAP(SIM_MUTANT_ENUM)
#undef SIM_MUTANT_ENUM
    SIM_MUTANTS
};

struct sim_world;
struct sim_message;

const char *sim_mutant_name(enum sim_mutant mutant);
const char *sim_mutant_config(enum sim_mutant mutant);
const char *sim_mutant_help(enum sim_mutant mutant);

/* SIM_MUTANTS: there is none of that name. */
enum sim_mutant sim_mutant_find(const char *name);

/* Bends what a peer is about to send. False: it is not sent. */
bool sim_mutant_sends(struct sim_world *world, uint32_t peer, uint32_t to,
                      struct sim_message *message);

/* Bends what a peer is about to hear. False: it doesn't. */
bool sim_mutant_hears(struct sim_world *world, uint32_t peer, struct sim_message *message);

#endif
