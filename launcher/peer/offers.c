/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer/offers.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <cpmp.h>

#include "system/clock.h"
#include "text/memory.h"

static void on_timer(uv_timer_t *timer);

void
offers_ring_key(const char *what, const void *bytes, size_t count, struct chord_id *key_p)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    if (context == NULL || !EVP_DigestInit_ex(context, EVP_sha256(), NULL) ||
        !EVP_DigestUpdate(context, "cpmp ", 5) ||
        !EVP_DigestUpdate(context, what, strlen(what) + 1) ||
        !EVP_DigestUpdate(context, bytes, count) || !EVP_DigestFinal_ex(context, digest, &length))
        memory_none();
    EVP_MD_CTX_free(context);
    memcpy(key_p->bytes, digest, CHORD_ID_BYTES);
}

static void
key_numbered(uint8_t number, struct chord_id *key_p)
{
    offers_ring_key("offers", &number, 1, key_p);
}

void
offers_init(struct offers *offers, uv_loop_t *loop, struct overlay *overlay,
            const uint8_t id[SELLER_ID_BYTES], const uint8_t *pool, EVP_PKEY *key,
            const struct offers_hooks *hooks, void *arg)
{
    memset(offers, 0, sizeof(*offers));
    offers->overlay = overlay;
    offers->pool = pool;
    offers->key = key;
    offers->hooks = hooks;
    offers->arg = arg;
    memcpy(offers->self, id, SELLER_ID_BYTES);
    uv_timer_init(loop, &offers->timer);
    offers->timer.data = offers;
}

void
offers_close(struct offers *offers)
{
    uv_close((uv_handle_t *)&offers->timer, NULL);
}

void
offers_release(struct offers *offers)
{
    free(offers->list);
    free(offers->waiters);
}

/* --- publishing --- */

static void
on_published(void *arg, const struct kv_result *result)
{
    struct offers *offers = arg;
    bool good = result->why == KV_DONE;

    offers->publishing = false;
    uv_timer_start(&offers->timer, on_timer,
                   offers->again || !good ? OFFERS_CHANGE_MS : OFFERS_RENEW_MS, 0);
    offers->again = false;
}

static void
publish(struct offers *offers)
{
    struct offer offer = {.issued_us = clock_wall_us(), .valid_us = OFFERS_LIFETIME_US};
    struct text bytes = {0}, why = {0};
    struct chord_id key;

    memcpy(offer.pool, offers->pool, OFFER_POOL_BYTES);
    offer.sequence = offer.issued_us;
    offers->hooks->state(offers->arg, &offer);
    key_numbered(offers->self[0] >> 4, &key);
    if (offer_sign(&offer, offers->key, &bytes, &why) == CPMP_OK) {
        offers->publishing = true;
        overlay_put(offers->overlay, &key, bytes.bytes, bytes.used, OFFERS_LIFETIME_US,
                    on_published, offers);
    } else {
        uv_timer_start(&offers->timer, on_timer, OFFERS_RENEW_MS, 0);
    }
    text_release(&bytes);
    text_release(&why);
}

static void
on_timer(uv_timer_t *timer)
{
    publish(timer->data);
}

void
offers_changed(struct offers *offers, bool now)
{
    uint64_t wait_ms = now ? 0 : OFFERS_CHANGE_MS;

    offers->gathered_us = 0;
    if (offers->publishing)
        offers->again = true;
    else if (!uv_is_active((uv_handle_t *)&offers->timer) ||
             uv_timer_get_due_in(&offers->timer) > wait_ms)
        uv_timer_start(&offers->timer, on_timer, wait_ms, 0);
}

void
offers_withdraw(struct offers *offers)
{
    struct chord_id key;

    uv_timer_stop(&offers->timer);
    key_numbered(offers->self[0] >> 4, &key);
    overlay_put(offers->overlay, &key, NULL, 0, 0, NULL, NULL);
}

/* --- gathering --- */

static void
waiters_call(struct offers *offers)
{
    struct offers_waiter *waiters = offers->waiters;
    size_t count = offers->waiter_count;

    offers->waiters = NULL;
    offers->waiter_count = 0;
    for (size_t i = 0; i < count; i++)
        waiters[i].done(waiters[i].arg, offers->list, offers->count, offers->unanswered);
    free(waiters);
}

/* What somebody keeps on the ring is believed when its signature, its place and its pool are
 * right. */
static bool
record_open(const struct offers *offers, const struct kv_record *record, struct offer *offer)
{
    struct text why = {0};
    bool good = offer_open(record->value, record->bytes, offer, &why) == CPMP_OK &&
                memcmp(offer->seller.id, record->publisher.bytes, SELLER_ID_BYTES) == 0 &&
                memcmp(offer->pool, offers->pool, OFFER_POOL_BYTES) == 0 &&
                offer_is_fresh(offer, clock_wall_us());

    text_release(&why);
    return good;
}

/* An offer that lies under other keys, too, counts once. */
static bool
is_its_place(const struct chord_id *key, const struct offer *offer)
{
    struct chord_id own;

    key_numbered(offer->seller.id[0] >> 4, &own);
    return chord_id_equal(key, &own);
}

static void
on_records(void *arg, const struct kv_result *result)
{
    struct offers *offers = arg;

    if (result->why != KV_DONE)
        offers->unanswered++;
    for (size_t i = 0; result->why == KV_DONE && i < result->record_count; i++) {
        if (offers->count == offers->capacity) {
            offers->capacity = offers->capacity ? 2 * offers->capacity : 16;
            offers->list = memory_grow(offers->list, offers->capacity, sizeof(*offers->list));
        }
        if (!record_open(offers, &result->records[i], &offers->list[offers->count]) ||
            !is_its_place(&result->key, &offers->list[offers->count]) ||
            offers->count == OFFERS_TOLD_MAX)
            continue;
        offers->hooks->met(offers->arg, &offers->list[offers->count]);
        offers->count++;
    }
    if (--offers->open > 0)
        return;
    offers->gathered_us = clock_wall_us();
    waiters_call(offers);
}

void
offers_gather(struct offers *offers, offers_fn *done, void *arg)
{
    uint64_t age_us = clock_wall_us() - offers->gathered_us;

    if (offers->open == 0 && offers->unanswered == 0 && age_us < OFFERS_FRESH_US) {
        done(arg, offers->list, offers->count, 0);
        return;
    }
    offers->waiters = memory_grow(offers->waiters, offers->waiter_count + 1,
                                  sizeof(*offers->waiters));
    offers->waiters[offers->waiter_count++] = (struct offers_waiter){.done = done, .arg = arg};
    if (offers->open > 0)
        return;
    offers->count = 0;
    offers->unanswered = 0;
    offers->open = OFFERS_KEYS;
    for (uint8_t number = 0; number < OFFERS_KEYS; number++) {
        struct chord_id key;
        key_numbered(number, &key);
        overlay_get(offers->overlay, &key, on_records, offers);
    }
}
