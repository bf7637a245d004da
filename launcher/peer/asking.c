/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/asking.h"

#include <stdlib.h>

#include "text/memory.h"

bool
asking_add(struct asking *asking, const struct asking_one *one)
{
    if (asking->count == ASKING_MAX)
        return false;
    asking->list = memory_grow(asking->list, asking->count + 1, sizeof(*asking->list));
    asking->list[asking->count++] = *one;
    return true;
}

static void
take_at(struct asking *asking, size_t index, struct asking_one *one_p)
{
    if (one_p != NULL)
        *one_p = asking->list[index];
    asking->list[index] = asking->list[--asking->count];
}

struct asking_one *
asking_find(struct asking *asking, uint32_t contact, uint64_t nonce)
{
    for (size_t i = 0; i < asking->count; i++)
        if (asking->list[i].contact == contact && asking->list[i].nonce == nonce)
            return &asking->list[i];
    return NULL;
}

bool
asking_take(struct asking *asking, uint32_t contact, uint64_t nonce, struct asking_one *one_p)
{
    struct asking_one *one = asking_find(asking, contact, nonce);

    if (one != NULL)
        take_at(asking, (size_t)(one - asking->list), one_p);
    return one != NULL;
}

bool
asking_take_session(struct asking *asking, uint64_t session, struct asking_one *one_p)
{
    for (size_t i = 0; i < asking->count; i++) {
        if (asking->list[i].session != session)
            continue;
        take_at(asking, i, one_p);
        return true;
    }
    return false;
}

bool
asking_take_any(struct asking *asking, uint32_t contact, struct asking_one *one_p)
{
    for (size_t i = 0; i < asking->count; i++) {
        if (asking->list[i].contact != contact || asking->list[i].answered)
            continue;
        take_at(asking, i, one_p);
        return true;
    }
    return false;
}

void
asking_release(struct asking *asking)
{
    free(asking->list);
}
