#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='the native interface: messages, collectives, abort'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

build() { # program
    cpcc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -o "$1" "$CPMP_SRCDIR/tests/system/src/$1.c"
}

# Runs a program that says "all well" at its end and nothing else, and leaves nothing behind.
runs_well() { # program, options of cpexec...
    program=$1 && shift &&
    echo 'all well' >expected &&
    { job_run 0 "$@" "./$program" || { cat out && return 1; }; } &&
    test_cmp expected out && test_must_be_empty err
}

test_expect_success 'the programs compile' '
    build native_messages && build native_collectives && build mpi_grants &&
    build native_closes && build native_full_ring && build native_uneven && build native_last_words
'

test_expect_success 'a program alone is a job of one rank' '
    echo "all well" >expected &&
    ./native_messages >actual && test_cmp expected actual &&
    ./native_collectives >actual && test_cmp expected actual
'

for n in 1 2 5 16; do
    test_expect_success "messages, $n ranks" "runs_well native_messages -np $n"
    test_expect_success "collectives, $n ranks" "runs_well native_collectives -np $n"
done
for n in 2 5 16; do
    test_expect_success "messages, $n ranks on 3 peers" "runs_well native_messages --peers 3 -np $n"
    test_expect_success "collectives, $n ranks on 3 peers" \
        "runs_well native_collectives --peers 3 -np $n"
done

for options in "-np 1" "-np 16" "--peers 3 -np 5"; do
    test_expect_success "abort ends the job with its code and text: $options" '
        job_run 7 $options ./native_messages abort 7 && grep "exit code 7: no more apples" err
    '
done

test_expect_success 'a code that is none becomes 1' '
    job_run 1 -np 2 ./native_messages abort 0 && job_run 1 -np 2 ./native_messages abort 256
'

test_expect_success 'abort of a program alone' '
    test_expect_code 7 ./native_messages abort 7 2>err && grep "exit code 7: no more apples" err
'

test_expect_success 'messages without data hold up no grant' 'runs_well mpi_grants --peers 2 -np 2'

test_expect_success 'long messages while the ring to the agent is full' '
    runs_well native_full_ring --peers 2 -np 2
'

# From 90 ranks on the rings of a peer are smaller. (Where shares can't be enforced err says so.)
test_expect_success 'a peer of many ranks and one of few' '
    job_run 0 --peers 40:1 -np 100 ./native_uneven && has_lines 1 "all well" out
'

test_expect_success 'the text of an abort finds the ring to the agent full, and waits for room' '
    job_run 6 --peers 2 -np 2 ./native_last_words waits &&
    has_lines 1 "^Rank 0 ended the job with exit code 6: these are the last words\$" err &&
    grep "^That was rank 0 (peer 0" err
'

test_expect_success '… but not for ever: then the rank says it itself' '
    job_run 6 --peers 2 -np 2 ./native_last_words dies &&
    has_lines 1 "^rank 0 ended the job with exit code 6: these are the last words\$" err &&
    grep "^Rank 0 (peer 0, .* exited with code 6" err
'

test_expect_success 'a program that closes the descriptors of its library is told' '
    for how in only files; do
        job_run 1 --peers 2 -np 2 ./native_closes $how &&
        grep "^Rank [01]: this program closed descriptor 101 (CPMP_DOORBELL_FD)" err || return 1
    done &&
    find . -name "file.0.*" >files && has_lines 120 file files &&
    test -z "$(find . -name "file.*" -size +0)"
'

test_done
