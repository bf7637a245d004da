/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/chord/params.h"

#include <string.h>

struct chord_params
chord_params_default(void)
{
    return (struct chord_params){
#define CHORD_PARAM_DEFAULT(name, value, why) .name = (value),
        CHORD_PARAMS(CHORD_PARAM_DEFAULT)
#undef CHORD_PARAM_DEFAULT
    };
}

static int
params_name_is_time(const char *name)
{
    size_t length = strlen(name);

    return length > 3 && strcmp(name + length - 3, "_us") == 0;
}

static uint64_t
params_scaled(uint64_t value, uint32_t numerator, uint32_t denominator)
{
    uint64_t scaled = value * numerator / denominator;

    return scaled ? scaled : 1;
}

void
chord_params_scale(struct chord_params *params, uint32_t numerator, uint32_t denominator)
{
#define CHORD_PARAM_SCALE(name, value, why)                                                        \
    if (params_name_is_time(#name))                                                                \
        params->name = params_scaled(params->name, numerator, denominator);
    CHORD_PARAMS(CHORD_PARAM_SCALE)
#undef CHORD_PARAM_SCALE
}

const char *
chord_params_wrong(const struct chord_params *params)
{
#define CHORD_PARAM_WRONG(name, value, why)                                                        \
    if (params_name_is_time(#name) && params->name == 0)                                           \
        return #name " must be more than 0";
    CHORD_PARAMS(CHORD_PARAM_WRONG)
#undef CHORD_PARAM_WRONG
    if (params->successors < 1 || params->successors > CHORD_SUCCESSORS_MAX)
        return "successors must be 1 to 32";
    if (params->tick_min_us > params->tick_max_us)
        return "tick_min_us must not be above tick_max_us";
    if (params->timeout_min_us > params->timeout_max_us)
        return "timeout_min_us must not be above timeout_max_us";
    if (params->attempts < 1 || params->attempts > 100)
        return "attempts must be 1 to 100";
    if (params->lookup_attempts < 1 || params->lookup_attempts > 100)
        return "lookup_attempts must be 1 to 100";
    if (params->fingers_per_tick > 160)
        return "fingers_per_tick must be 0 to 160";
    if (params->finger_probes > CHORD_PROBES_MAX)
        return "finger_probes must be 0 to 12";
    if (params->paths < 1 || params->paths > CHORD_PATHS_MAX)
        return "paths must be 1 to 4";
    return NULL;
}
