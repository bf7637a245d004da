/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SIM_END_H
#define SIM_END_H

/*
 * What has to hold after the last fault, in this order: within SIM_SETTLE_US the ring is ideal,
 * where islands of peers that don't know of any other are introduced by their users, at once and at
 * half time; it stays so while everybody looks up the same keys, and all find them; the store holds
 * what store.h says; nobody calls anybody dead who lives, and everybody those who don't; every
 * lookup that was ever asked has had its result.
 */

#include "scene.h"

#define SIM_SETTLE_US UINT64_C(90000000)

void sim_end_run(struct sim_scene *scene);

#endif
