/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/warden.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
warden_init(struct warden *warden)
{
    memset(warden, 0, sizeof(*warden));
}

void
warden_check(const struct warden *warden)
{
    assert(!warden->quiet || warden->suspended);
    assert(!warden->suspended || warden->reason[0] != '\0');
    assert(warden->closed_since_us <= warden->now_us);
    assert(warden->above_since_us <= warden->now_us);
    assert(warden->suspended_since_us <= warden->now_us);
    assert(warden->quiet_since_us <= warden->now_us);
}

/* Keeps since when `flag` has been there. */
static void
since_keep(bool *there, uint64_t *since_us, bool flag, uint64_t now_us)
{
    if (flag && !*there)
        *since_us = now_us;
    else if (!flag)
        *since_us = 0;
    *there = flag;
}

/* What is against running right now, in words; NULL: nothing. *at_once_p: no need to wait whether
 * it lasts. */
static const char *
disturbance(const struct policy *policy, const struct warden_view *view, char *words,
            bool *at_once_p)
{
    *at_once_p = true;
    if (policy->idle_us > 0 && view->people_idle_us < policy->idle_us) {
        snprintf(words, WARDEN_WHY_BYTES,
                 "somebody used this machine %" PRIu64 " s ago; ranks run when that was %" PRIu64
                 " s ago", view->people_idle_us / 1000000, policy->idle_us / 1000000);
        return words;
    }
    if (view->on_battery && !policy->battery) {
        snprintf(words, WARDEN_WHY_BYTES, "this machine runs on battery");
        return words;
    }
    *at_once_p = false;
    if (view->others_permille > policy->others_percent * 10) {
        snprintf(words, WARDEN_WHY_BYTES,
                 "other programs take %u%% of this machine; ranks run below %" PRIu64 "%%",
                 view->others_permille / 10, policy->others_percent);
        return words;
    }
    return NULL;
}

static void
suspend(struct warden *warden, const char *reason)
{
    warden->suspended = true;
    warden->suspended_since_us = warden->now_us;
    snprintf(warden->reason, sizeof(warden->reason), "%s", reason);
}

static void
resume(struct warden *warden)
{
    warden->suspended = false;
    warden->suspended_since_us = 0;
    warden->reason[0] = '\0';
    since_keep(&warden->quiet, &warden->quiet_since_us, false, 0);
}

/* Whether ranks are suspended after this moment. `reason` is what disturbs in it, or NULL. */
static void
suspension_step(struct warden *warden, const struct policy *policy, const char *reason,
                bool at_once)
{
    uint64_t now_us = warden->now_us;

    since_keep(&warden->above, &warden->above_since_us, reason != NULL && !at_once, now_us);
    if (!warden->suspended) {
        if (reason != NULL &&
            (at_once || now_us - warden->above_since_us >= policy->suspend_after_us))
            suspend(warden, reason);
        return;
    }
    since_keep(&warden->quiet, &warden->quiet_since_us, reason == NULL, now_us);
    if (reason != NULL)
        snprintf(warden->reason, sizeof(warden->reason), "%s", reason);
    else if (now_us - warden->quiet_since_us >= policy->resume_after_us)
        resume(warden);
}

static void
running_judge(const struct warden *warden, const struct policy *policy,
              struct warden_verdict *verdict)
{
    char *why = verdict->running_why;

    verdict->running = WARDEN_LEAVE;
    if (!policy->share) {
        snprintf(why, WARDEN_WHY_BYTES, "its owner shares this machine no more");
    } else if (warden->closed &&
               warden->now_us - warden->closed_since_us >= policy->hours_grace_us) {
        snprintf(why, WARDEN_WHY_BYTES, "the hours in which this machine is shared are over");
    } else if (warden->suspended &&
               warden->now_us - warden->suspended_since_us >= policy->leave_after_us) {
        snprintf(why, WARDEN_WHY_BYTES, "suspended for %" PRIu64 " s: %.110s",
                 (warden->now_us - warden->suspended_since_us) / 1000000, warden->reason);
    } else if (warden->suspended) {
        verdict->running = WARDEN_SUSPEND;
        snprintf(why, WARDEN_WHY_BYTES, "%s", warden->reason);
    } else {
        verdict->running = WARDEN_RUN;
        why[0] = '\0';
    }
}

static uint64_t
less(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* The ceilings, and what is free below them. Half a core of others' load costs no rank: nearly
 * every machine has a little of it, and ranks give way. */
static void
capacity_judge(const struct policy *policy, const struct warden_view *view,
               struct warden_verdict *verdict)
{
    uint64_t whole = (uint64_t)view->cores * 1000;
    uint64_t others = whole * view->others_permille / 1000;
    uint64_t max = whole * policy->cpu_percent / 100;
    uint64_t unused = minus(view->jobs_memory_bytes, view->jobs_resident_bytes);

    if (policy->cores != 0)
        max = less(max, policy->cores * 1000);
    verdict->millicores_max = (uint32_t)max;
    verdict->ranks_max = (uint32_t)((max + 999) / 1000);
    verdict->memory_max_bytes = policy_amount_bytes(&policy->memory, view->memory_bytes);

    verdict->millicores_free =
        (uint32_t)minus(less(max, minus(whole, others)), view->jobs_millicores);
    verdict->ranks_free = (uint32_t)minus(
        less(verdict->ranks_max, minus(view->cores, (others + 500) / 1000)), view->jobs_ranks);
    verdict->memory_free_bytes =
        less(minus(verdict->memory_max_bytes, view->jobs_memory_bytes),
             minus(view->available_bytes, unused));
}

/* `reason` is what disturbs in this moment, or NULL. */
static void
new_judge(const struct warden *warden, const struct policy *policy,
          const struct warden_view *view, const char *reason, struct warden_verdict *verdict)
{
    char *why = verdict->new_why;

    verdict->takes_new = verdict->only_busy = false;
    capacity_judge(policy, view, verdict);
    if (!policy->share)
        snprintf(why, WARDEN_WHY_BYTES, "its owner doesn't share this machine");
    else if (warden->closed)
        snprintf(why, WARDEN_WHY_BYTES, "this machine is shared in other hours: %.100s",
                 policy->hours.text);
    else if (reason != NULL || warden->suspended)
        snprintf(why, WARDEN_WHY_BYTES, "%s", reason != NULL ? reason : warden->reason);
    else if (verdict->memory_free_bytes == 0)
        snprintf(why, WARDEN_WHY_BYTES, "no memory is free for jobs");
    else if ((verdict->only_busy = verdict->ranks_free == 0))
        snprintf(why, WARDEN_WHY_BYTES, "no core is free: %u ranks run here, other programs take "
                 "%u%%", view->jobs_ranks, view->others_permille / 10);
    else
        verdict->takes_new = true;
    if (verdict->takes_new) {
        why[0] = '\0';
    } else {
        verdict->ranks_free = 0;
        verdict->millicores_free = 0;
        if (!verdict->only_busy)
            verdict->memory_free_bytes = 0;
    }
}

void
warden_step(struct warden *warden, const struct policy *policy, const struct warden_view *view,
            struct warden_verdict *verdict)
{
    char words[WARDEN_WHY_BYTES];
    bool at_once;
    const char *reason = disturbance(policy, view, words, &at_once);

    assert(view->cores > 0);
    if (view->now_us > warden->now_us)
        warden->now_us = view->now_us;
    since_keep(&warden->closed, &warden->closed_since_us,
               !hours_contain(&policy->hours, view->week_minute), warden->now_us);
    suspension_step(warden, policy, reason, at_once);
    running_judge(warden, policy, verdict);
    new_judge(warden, policy, view, reason, verdict);
    warden_check(warden);
    assert(verdict->takes_new == (verdict->new_why[0] == '\0'));
    assert(!verdict->takes_new || verdict->running == WARDEN_RUN);
}
