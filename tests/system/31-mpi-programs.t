#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='MPI programs: messages, communicators, datatypes, collectives'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

build() { # program
    cpcc -std=gnu11 -Wall -Wextra -Werror -o "$1" "$CPMP_SRCDIR/tests/system/src/$1.c"
}

# Runs a program that says "all well" at its end and nothing else.
runs_well() { # program, options of cpexec...
    program=$1 && shift &&
    echo 'all well' >expected &&
    cpexec "$@" "./$program" >actual &&
    test_cmp expected actual
}

test_expect_success 'the programs compile' '
    build mpi_messages && build mpi_comms && build mpi_types && build mpi_collectives &&
    build mpi_requests && build mpi_async && build mpi_reductions && build mpi_old &&
    build mpi_native
'

test_expect_success 'messages between two ranks in every mode' 'runs_well mpi_messages -np 2'
test_expect_success '… among others' 'runs_well mpi_messages -np 5'
test_expect_success '… between two peers' 'runs_well mpi_messages --peers 2 -np 2'

test_expect_success 'a program alone is a job of one rank' '
    echo "all well" >expected &&
    ./mpi_comms >actual && test_cmp expected actual &&
    ./mpi_types >actual && test_cmp expected actual &&
    ./mpi_requests >actual && test_cmp expected actual &&
    ./mpi_async >actual && test_cmp expected actual &&
    ./mpi_collectives >actual && test_cmp expected actual
'

test_expect_success 'requests, 1 rank' 'runs_well mpi_requests -np 1'
test_expect_success 'requests, 4 ranks' 'runs_well mpi_requests -np 4'
test_expect_success 'requests, 3 ranks on 3 peers' 'runs_well mpi_requests --peers 3 -np 3'
test_expect_success 'requests, 5 ranks on unequal peers' '
    runs_well mpi_requests --peers 3:2:1 -np 5
'

test_expect_success 'communicators, 1 rank' 'runs_well mpi_comms -np 1'
test_expect_success 'communicators, 2 ranks' 'runs_well mpi_comms -np 2'
test_expect_success 'communicators, 5 ranks' 'runs_well mpi_comms -np 5'
test_expect_success 'communicators, 7 ranks on 3 peers' 'runs_well mpi_comms --peers 3 -np 7'

test_expect_success 'names of MPI-1' 'runs_well mpi_old -np 2'

for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do
    test_expect_success "collectives, $n ranks" "runs_well mpi_collectives -np $n"
done
test_expect_success 'collectives, 5 ranks on 3 peers' 'runs_well mpi_collectives --peers 3 -np 5'
test_expect_success 'collectives, 8 ranks on 2 peers' 'runs_well mpi_collectives --peers 2 -np 8'
test_expect_success 'collectives, 17 ranks on unequal peers' '
    runs_well mpi_collectives --peers 3:2:1 -np 17
'

for n in 1 3 8; do
    test_expect_success "many collectives at once, $n ranks" "runs_well mpi_async -np $n"
done
test_expect_success '… 5 ranks on 3 peers' 'runs_well mpi_async --peers 3 -np 5'
test_expect_success '… 9 ranks on unequal peers' 'runs_well mpi_async --peers 3:2:1 -np 9'

for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do
    test_expect_success "reductions to the bit, $n ranks" "runs_well mpi_reductions -np $n"
done
for n in 2 5 8 13 17; do
    test_expect_success "… on 3 peers, $n ranks" "runs_well mpi_reductions --peers 3:2:1 -np $n"
done

test_expect_success 'mpi.h and cpmp.h in one program' '
    echo "1 2" >expected &&
    cpexec -np 2 ./mpi_native >actual && test_cmp expected actual &&
    cpexec -np 2 ./mpi_native native-first >actual && test_cmp expected actual
'

test_done
