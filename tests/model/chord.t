#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='the ring keeps together in every order of events (a model, by spin)'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

model=$CPMP_SRCDIR/tests/model/chord.pml

# model_build SAFETY_OR_NP [-Dname=value...]: ./pan searches the whole model
model_build() {
    kind=$1
    shift
    rm -f pan* chord.pml.trail
    cp "$model" . &&
    "$SPIN" "$@" -a chord.pml >spin.out 2>&1 &&
    $CC -O1 -w -D"$kind" -DNOFAIR -DMEMLIM=1024 -o pan pan.c
}

# model_holds [PAN_OPTION...]: the search is complete and finds nothing
model_holds() {
    ./pan -m50000 -w20 "$@" >pan.out 2>&1
    cat pan.out
    grep -q 'errors: 0$' pan.out && ! grep -q 'max search depth too small' pan.out &&
        ! grep -q 'reached -DMEMLIM' pan.out
}

# model_fails -Dname...: the search finds a violated assertion
model_fails() {
    model_build SAFETY "$@" &&
    ./pan -m50000 -w20 >pan.out 2>&1
    grep 'assertion violated' pan.out
}

test_expect_success 'five identifiers, three joins, two failures: always one ring, then ideal' '
    model_build SAFETY -DJOINS=3 -DFAILURES=2 && model_holds
'

test_expect_success 'six identifiers, two joins, one failure: the same' '
    model_build SAFETY -DN=6 -DJOINS=2 -DFAILURES=1 && model_holds
'

test_expect_success 'repairs come to an end: they never run in a circle' '
    model_build NP && model_holds -l
'

test_expect_success 'refuted: joining with pointers that nobody was heard from' '
    model_fails -DUNHEARD_JOIN
'

test_expect_success 'refuted: keeping a dead predecessor' '
    model_fails -DNO_RECTIFY_DEAD
'

test_expect_success 'refuted: failures that leave a member without a live successor' '
    model_fails -DANY_FAILURE
'

test_done
