#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='the small examples do what their head comments say'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

# The output of a command, sorted: ranks print as they come.
sorted() {
    "$@" >unsorted && sort -n unsorted
}

test_expect_success 'hello: each rank says hello once' '
    sorted cpexec -np 4 "$CPMP_EXAMPLES/hello" >actual &&
    for rank in 0 1 2 3; do
        echo "hello from rank $rank of 4 on peer 0 of 1"
    done >expected &&
    test_cmp expected actual
'

test_expect_success 'hello: alone it is a job of one rank' '
    "$CPMP_EXAMPLES/hello" >actual &&
    echo "hello from rank 0 of 1 on peer 0 of 1" >expected &&
    test_cmp expected actual
'

test_expect_success 'hello: ranks know their peer' '
    sorted cpexec -np 4 --peers 2 "$CPMP_EXAMPLES/hello" >actual &&
    test $(wc -l <actual) = 4 &&
    test $(grep -c "on peer 0 of 2" actual) = 2 &&
    test $(grep -c "on peer 1 of 2" actual) = 2
'

test_expect_success 'ring: the token carries the sum of all ranks, lap for lap' '
    cpexec -np 5 "$CPMP_EXAMPLES/ring" 3 >actual &&
    for lap in 1 2 3; do
        echo "lap $lap: the token carries 10"
    done >expected &&
    test_cmp expected actual
'

test_expect_success 'ring: over two peers, and with one rank' '
    cpexec -np 5 --peers 2 "$CPMP_EXAMPLES/ring" >actual &&
    echo "lap 1: the token carries 10" >expected &&
    test_cmp expected actual &&
    cpexec -np 1 "$CPMP_EXAMPLES/ring" >actual &&
    echo "lap 1: the token carries 0" >expected &&
    test_cmp expected actual
'

test_expect_success 'pi: every dart is counted, and pi is near' '
    cpexec -np 4 --events events "$CPMP_EXAMPLES/pi" 4000000 >actual &&
    grep "^pi is about 3\.14[0-9]* (off by 0\.00[0-9]*) after 4000000 darts of 4 ranks$" actual
'

test_expect_success 'pi: rank 0 emits a partial result after each of its ten rounds' '
    test $(grep -c "\"topic\": *\"pi\"" events) = 10
'

test_expect_success 'mpi_hello: each rank says hello once' '
    cpexec -np 3 "$CPMP_EXAMPLES/mpi_hello" >actual &&
    for rank in 0 1 2; do
        grep -c "^hello from rank $rank of 3 on " actual
    done >counts &&
    printf "1\n1\n1\n" >expected &&
    test_cmp expected counts
'

test_expect_success 'mpi_pi: the integral is pi, however many ranks add it up' '
    for ranks in 1 2 7; do
        cpexec -np $ranks "$CPMP_EXAMPLES/mpi_pi" 1000000 >actual &&
        grep "^pi is about 3\.14159265359" actual || return 1
    done
'

test_expect_success 'each builds with cpcc as its head comment tells' '
    cp "$CPMP_SRCDIR"/examples/*.c . &&
    for name in hello ring pi mpi_hello mpi_pi; do
        command=$(sed -n "s/^ \*     \(cpcc .*\)/\1/p" $name.c) &&
        test -n "$command" &&
        eval "$command" &&
        cpexec -np 2 ./$name 100000 >/dev/null || return 1
    done
'

test_done
