#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='small real MPI programs: what they compute is what one process computes'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

src=$CPMP_SRCDIR/tests/system/src

if ! mpicc.openmpi -showme:version 2>/dev/null | grep -q 'Open MPI 4\.'; then
    echo '# no mpicc.openmpi here, so no program built for Open MPI is run'
elif test -n "$SANITIZER_CFLAGS"; then
    echo '# a sanitized library cannot stand in for the one a program was linked with'
else
    test_set_prereq OPENMPI
fi

# Each program ends with a line that says whether what came out is what it should be.
came_out_right() { # file
    test "$(tail -n 1 "$1")" = 'as without ranks' || { cat "$1" && return 1; }
}

test_expect_success 'the programs compile' '
    for program in heat cg sort; do
        cpcc -std=gnu11 -Wall -Wextra -Werror -O2 -o $program "$src/mpi_$program.c" -lm || return 1
    done
'

test_expect_success OPENMPI 'mpicc.openmpi compiles them too' '
    for program in heat cg sort; do
        mpicc.openmpi -std=gnu11 -O2 -o $program.openmpi "$src/mpi_$program.c" -lm || return 1
    done
'

# Runs a program, and its double built for Open MPI: nothing that they say may differ.
try() { # title, options of cpexec, program and its arguments
    test_expect_success "$1" "
        cpexec $2 ./$3 >output && came_out_right output
    "
    test_expect_success OPENMPI '… built by mpicc.openmpi' "
        cpexec $2 ./${3%% *}.openmpi ${3#* } >output.openmpi &&
        test_cmp output output.openmpi
    "
}

try 'heat in a plate, 1 rank' '-np 1' 'heat 150 230 200'
try 'heat in a plate, 4 ranks' '-np 4' 'heat 150 230 200'
try 'heat in a plate, 6 ranks, long columns' '-np 6' 'heat 2500 40 100'
try 'heat in a plate, 7 ranks on 3 peers' '--peers 3 -np 7' 'heat 150 230 200'
try 'heat in a plate, 4 ranks on 2 peers, long columns' '--peers 2 -np 4' 'heat 20000 30 20'

try 'conjugate gradients, 1 rank' '-np 1' 'cg 4001'
try 'conjugate gradients, 5 ranks' '-np 5' 'cg 4001'
try 'conjugate gradients, 6 ranks on 3 peers' '--peers 3 -np 6' 'cg 4001'
try 'conjugate gradients, 3 ranks on 3 peers, long vectors' '--peers 3 -np 3' 'cg 50000'

try 'sample sort, 1 rank' '-np 1' 'sort 200001'
try 'sample sort, 8 ranks' '-np 8' 'sort 200001'
try 'sample sort, few different keys, so that some ranks get none' '-np 6' 'sort 100000 3'
try 'sample sort, fewer keys than ranks' '-np 5' 'sort 3'
try 'sample sort, 7 ranks on 3 unequal peers' '--peers 3:2:1 -np 7' 'sort 200001'

# What a program prints depends on nothing but its arguments and the number of ranks.
test_expect_success 'the same ranks on other peers compute the same, to the bit' '
    cpexec -np 6 ./cg >one && cpexec --peers 2 -np 6 ./cg >two && test_cmp one two &&
    cpexec -np 6 ./heat >one && cpexec --peers 3 -np 6 ./heat >two && test_cmp one two
'

test_done
