#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='the native interface: partial results'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

# Of each rank, the sequence numbers of topic "count" in the order of the file.
in_order() { # ranks
    for rank in $(seq 0 $(($1 - 1))); do
        grep "\"rank\": *$rank[,}]" events | grep "\"topic\": *\"count\"" |
            sed "s/.*\"sequence\": *\([0-9]*\).*/\1/" >sequence &&
        test $(wc -l <sequence) = 3000 && sort -n -c sequence || return 1
    done
}

test_expect_success 'the program compiles' '
    cpcc -std=gnu11 -Wall -Wextra -Werror -o native_events \
        "$CPMP_SRCDIR/tests/system/src/native_events.c"
'

test_expect_success 'a program alone is its own subscriber' '
    ./native_events >actual && grep "^all well" actual
'

test_expect_success '4 ranks: each event once and in order' '
    cpexec -np 4 --events events ./native_events >actual &&
    grep "^all well" actual && in_order 4
'

test_expect_success '5 ranks on 3 peers' '
    cpexec --peers 3 -np 5 --events events ./native_events >actual &&
    grep "^all well" actual && in_order 5
'

test_expect_success 'text is shown, or kept' '
    test $(grep -c "\"text\": *\"rank [0-4] of 5\"" events) = 5 &&
    cpexec -np 2 ./native_events >actual &&
    test $(grep -c "done: rank [01] of 2" actual) = 2
'

test_done
