#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='memory stays within the bounds that ARCHITECTURE.md states'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

if test -n "$SANITIZER_CFLAGS"; then
    skip_all='sanitizers keep memory of their own, and what was freed'
    test_done
fi

# Runs a case of native_memory with these options of cpexec, up to "--".
bounded() {
    options='' &&
    while [ "$1" != -- ]; do options="$options $1" && shift; done && shift &&
    { job_run 0 $options ./native_memory "$@" || { cat out err && return 1; }; } &&
    echo 'all well' >expected && test_cmp expected out && test_must_be_empty err
}

test_expect_success 'the program compiles' '
    cpcc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -o native_memory \
        "$CPMP_SRCDIR/tests/system/src/native_memory.c"
'

for ranks in 2 5; do
    for message in "16 200000" "1000 60000" "8192 8000" "32768 2000" "1048576 64"; do
        test_expect_success "unread messages of $ranks ranks: bytes and number $message" '
            bounded -np $ranks -- unread $message &&
            bounded --peers 2 -np $ranks -- unread $message
        '
    done
done

test_expect_success 'agents hold little between a sender and a receiver that computes' '
    bounded --peers 2 -np 2 -- apart && bounded --peers 2 -np 8 -- apart
'

test_expect_success 'the job segment is sparse, and small while ranks are idle' '
    bounded -np 2 -- segment && bounded -np 16 -- segment && bounded -np 100 -- segment
'

test_done
