#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='the native interface: global variables'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

build() { # program
    cpcc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -o "$1" \
        "$CPMP_SRCDIR/tests/system/src/$1.c"
}

# Runs a program that says "all well" at its end and nothing else, and leaves nothing behind.
runs_well() { # program, options of cpexec...
    program=$1 && shift &&
    echo 'all well' >expected &&
    { job_run 0 "$@" "./$program" || { cat out && return 1; }; } &&
    test_cmp expected out && test_must_be_empty err
}

test_expect_success 'the programs compile' 'build native_variables && build native_history'

test_expect_success 'a program alone has variables of its own' '
    echo "all well" >expected &&
    ./native_variables >actual && test_cmp expected actual &&
    ./native_history >actual && test_cmp expected actual
'

for options in "-np 1" "-np 2" "-np 5" "-np 16" "--peers 3 -np 3" "--peers 3 -np 16"; do
    test_expect_success "what each call does: $options" 'runs_well native_variables $options'
    test_expect_success "linearizable: $options" 'runs_well native_history $options'
done

for options in "-np 3" "--peers 3 -np 3"; do
    test_expect_success "a rank killed in its update leaves no trace of it: $options" '
        job_run 137 $options ./native_variables die && grep -x "the old value, and no lock" out
    '
done

test_expect_success 'there is a bound for all variables of a peer together' '
    job_run 0 -np 1 ./native_variables limit && grep -x "all well" out &&
    ./native_variables limit
'

test_done
