/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Zave's corrected Chord (Pamela Zave, "Reasoning about identifier spaces: how to make Chord
 * correct", IEEE TSE 43(12), 2017) for spin: join, stabilize, rectify and failure at N identifiers
 * with r = 2 successors. The second witness beside the simulator, which runs the real code: here
 * nothing of the code is run, but every order of events there is.
 *
 * One step of this model is one query with its answer, taken by the member that asks. That is fair
 * because of two rules of the protocol: who has such a query open answers others only afterwards,
 * so nobody sees it between answer and change; and what the answer says is used as it was when it
 * was given. A stabilization that finds a better successor is two steps (ask the successor, ask the
 * better one), a join too (ask the predecessor, ask the successor), and a notification is under way
 * for any time, or replaced by the sender's next; others act in between.
 *
 * Steps that change nothing are left out. So the steps end once churn does, unless the protocol
 * runs in a circle; and what is then left must be the ideal ring.
 *
 * Failures keep to the paper's assumption: no member loses its last live successor by one, and
 * r + 1 principals (members that no successor list skips) remain.
 *
 * Mutants that must be refuted, as proof that this model can fail:
 *   UNHEARD_JOIN     a joining peer takes its predecessor's list without asking the successor
 *   NO_RECTIFY_DEAD  a dead predecessor isn't replaced
 *   ANY_FAILURE      failures beyond the assumption
 */

#ifndef N
#define N 5        /* identifiers 0 .. N - 1 */
#endif
#ifndef MEMBERS
#define MEMBERS 4  /* of the first ring: 0 .. MEMBERS - 1; r + 1 at least */
#endif
#ifndef JOINS
#define JOINS 2
#endif
#ifndef FAILURES
#define FAILURES 2
#endif
#define NONE       N
#define PRINCIPALS 3  /* r + 1 */

bool member[N];
byte first[N];      /* successors */
byte second[N];     /* may be NONE */
byte before[N];     /* predecessor; may be NONE */
byte better[N];     /* stabilizing: the successor's predecessor, to be asked; joining: the successor
                       to be asked */
byte noted[N];      /* whom a notification of this peer is under way to */
byte joins = JOINS, failures = FAILURES;
bool churn_is_over;
bool bearable[N];   /* the peer may fail now: follows from the rest */

/* Scratch of the checks; no part of the state. */
hidden byte i, j, at, way, turn, count, good;
hidden byte in_ring[N];

/* x strictly between a and b, clockwise; with a = b all but a. */
#define BETWEEN(a, x, b) \
    (((x) != (a)) && ((x) != (b)) && \
     (((x) + N - (a)) % N < ((b) + N - (a)) % N || (a) == (b)))

#define LIVE(x)  ((x) != NONE && member[(x) % N])
#define NEXT(x)  (LIVE(first[x]) -> first[x] : second[x])  /* the first live successor */
#define SKIPS(x, p) \
    (BETWEEN(x, p, first[x]) || (second[x] != NONE && BETWEEN(first[x], p, second[x])))

/* good: every member has a live successor. */
inline check_live_successors()
{
    good = true;
    for (i : 0 .. N - 1) {
        good = good && (!member[i] || LIVE(first[i]) || LIVE(second[i]));
    }
}

/* good: enough members that nobody's list skips. */
inline check_principals()
{
    count = 0;
    for (i : 0 .. N - 1) {
        at = member[i];
        for (j : 0 .. N - 1) {
            at = at && !(member[j] && SKIPS(j, i));
        }
        count = count + at;
    }
    good = count >= PRINCIPALS;
}

/* good: the first live successors make one ring, once around in order, that everybody leads to. */
inline check_one_ring()
{
    at = 0;
    do
    :: !member[at] -> at++
    :: else -> break
    od;
    for (i : 1 .. N) {
        at = NEXT(at);
    }
    for (i : 0 .. N - 1) {
        in_ring[i] = false;
    }
    way = at;
    turn = 0;
    do
    :: in_ring[at] -> break
    :: else ->
        in_ring[at] = true;
        turn = turn + (NEXT(at) + N - at - 1) % N + 1;
        at = NEXT(at)
    od;
    good = at == way && turn == N;
    for (i : 0 .. N - 1) {
        at = i;
        for (j : 1 .. N) {
            at = (member[i] -> NEXT(at) : way);
        }
        good = good && in_ring[at];
    }
}

/* good: each member points at the two next ones and the one before. */
inline check_ideal()
{
    good = true;
    for (i : 0 .. N - 1) {
        if
        :: member[i] ->
            at = (i + 1) % N;
            do
            :: !member[at] -> at = (at + 1) % N
            :: else -> break
            od;
            way = (at + 1) % N;
            do
            :: !member[way] -> way = (way + 1) % N
            :: else -> break
            od;
            good = good && first[i] == at && second[i] == way && before[at] == i
        :: else
        fi
    }
}

/* After each step. That r + 1 principals remain is no part of it: it is what failures respect. A
 * join between whose two questions others joined may make a principal less, and does the ring no
 * harm. */
inline check()
{
    check_live_successors();
    assert(good);
    check_one_ring();
    assert(good);
}

#define TAKES(y, x) \
    (before[y] == NONE || BETWEEN(before[y], x, y) || DEAD_BEFORE(y))
#ifdef NO_RECTIFY_DEAD
#define DEAD_BEFORE(y) false
#else
#define DEAD_BEFORE(y) (!LIVE(before[y]))
#endif

#define MAY_NOTIFY(x) (noted[x] != first[x] && LIVE(first[x]) && TAKES(first[x], x))
inline notify(x)
{
    if
    :: LIVE(first[x]) && TAKES(first[x], x) -> noted[x] = first[x]
    :: else
    fi
}

/* --- stabilize --- */

#define MAY_DROP(x) (member[x] && better[x] == NONE && !LIVE(first[x]))
inline drop(x)
{
    first[x] = second[x];
    second[x] = NONE;
}

#define IS_BETTER(x) \
    (before[first[x]] != NONE && BETWEEN(x, before[first[x]], first[x]))
#define MAY_ASK(x) \
    (member[x] && better[x] == NONE && LIVE(first[x]) && \
     (second[x] != first[first[x]] || (IS_BETTER(x) && LIVE(before[first[x]])) || MAY_NOTIFY(x)))
inline ask(x)
{
    second[x] = first[first[x]];
    if
    :: IS_BETTER(x) -> better[x] = before[first[x]]
    :: else -> notify(x)
    fi;
}

#define MAY_ASK_BETTER(x) (member[x] && better[x] != NONE)
inline ask_better(x)
{
    if
    :: LIVE(better[x]) -> first[x] = better[x]; second[x] = first[better[x]]
    :: else
    fi;
    better[x] = NONE;
    notify(x);
}

/* --- rectify --- */

#define MAY_RECTIFY(x) (noted[x] != NONE)
inline rectify(x)
{
    if
    :: LIVE(noted[x]) && TAKES(noted[x], x) -> before[noted[x]] = x
    :: else
    fi;
    noted[x] = NONE;
}

/* --- join and failure --- */

/* p is where a lookup of x may end: x lies between it and its first live successor. */
#define MAY_JOIN(x, p) \
    (!churn_is_over && joins > 0 && !member[x] && better[x] == NONE && member[p] && \
     BETWEEN(p, x, NEXT(p)))
inline join(x, p)
{
    joins--;
#ifdef UNHEARD_JOIN
    first[x] = first[p];
    second[x] = second[p];
    member[x] = true;
#else
    better[x] = NEXT(p);
#endif
}

#define MAY_JOIN_AT(x) (!member[x] && better[x] != NONE)
inline join_at(x)
{
    if
    :: LIVE(better[x]) ->
        first[x] = better[x];
        second[x] = first[better[x]];
        member[x] = true
    :: else
    fi;
    better[x] = NONE;
}

inline forget(x)
{
    member[x] = false;
    first[x] = NONE;
    second[x] = NONE;
    before[x] = NONE;
    better[x] = NONE;
}

#define MAY_FAIL(x) (!churn_is_over && failures > 0 && member[x] && bearable[x])

/* Which failures the paper's assumption lets happen now. */
inline find_bearable()
{
#ifdef ANY_FAILURE
    for (i : 0 .. N - 1) {
        bearable[i] = true;
    }
#else
    for (turn : 0 .. N - 1) {
        bearable[turn] = false;
        if
        :: member[turn] && failures > 0 && !churn_is_over ->
            member[turn] = false;
            check_live_successors();
            bearable[turn] = good;
            check_principals();
            bearable[turn] = bearable[turn] && good;
            member[turn] = true
        :: else
        fi
    }
#endif
}

/* What happens, for the trail that a violation leaves (pan -r). */
mtype = { does_drop, does_ask, does_ask_better, does_rectify, does_join, does_join_at, does_fail }
#define SAY(what, x) \
    printf("%d: %e, had %d %d, before it %d\n", x, what, first[x], second[x], before[x])

#define STEPS_OF(x) \
    :: MAY_DROP(x) -> SAY(does_drop, x); drop(x) \
    :: MAY_ASK(x) -> SAY(does_ask, x); ask(x) \
    :: MAY_ASK_BETTER(x) -> SAY(does_ask_better, x); ask_better(x) \
    :: MAY_RECTIFY(x) -> SAY(does_rectify, x); rectify(x) \
    :: MAY_JOIN_AT(x) -> SAY(does_join_at, x); join_at(x) \
    :: MAY_FAIL(x) -> SAY(does_fail, x); failures--; forget(x) \
    :: MAY_JOIN(x, 0) -> SAY(does_join, x); join(x, 0) \
    :: MAY_JOIN(x, 1) -> SAY(does_join, x); join(x, 1) \
    :: MAY_JOIN(x, 2) -> SAY(does_join, x); join(x, 2) \
    :: MAY_JOIN(x, 3) -> SAY(does_join, x); join(x, 3) \
    JOIN_THROUGH_4(x)

#if N > 4
#define JOIN_THROUGH_4(x) :: MAY_JOIN(x, 4) -> SAY(does_join, x); join(x, 4) JOIN_THROUGH_5(x)
#define STEPS_OF_4 STEPS_OF(4) STEPS_OF_5
#else
#define JOIN_THROUGH_4(x)
#define STEPS_OF_4
#endif
#if N > 5
#define JOIN_THROUGH_5(x) :: MAY_JOIN(x, 5) -> SAY(does_join, x); join(x, 5)
#define STEPS_OF_5 STEPS_OF(5)
#else
#define JOIN_THROUGH_5(x)
#define STEPS_OF_5
#endif

active proctype chord()
{
    d_step {
        for (i : 0 .. N - 1) {
            forget(i);
            noted[i] = NONE;
        }
        for (i : 0 .. MEMBERS - 1) {
            member[i] = true;
            first[i] = (i + 1) % MEMBERS;
            second[i] = (i + 2) % MEMBERS;
            before[i] = (i + MEMBERS - 1) % MEMBERS;
        }
        find_bearable();
        i = 0
    }
    do
    :: atomic {
        if
        STEPS_OF(0)
        STEPS_OF(1)
        STEPS_OF(2)
        STEPS_OF(3)
        STEPS_OF_4
        :: !churn_is_over -> churn_is_over = true; joins = 0; failures = 0
        :: else -> break
        fi;
        check();
        find_bearable()
    }
    od;
    atomic {
        check_ideal();
        assert(good)
    }
}
