#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='MPI programs that go wrong: texts and exit codes as with Open MPI'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

test_expect_success 'the program compiles' '
    cpcc -Wall -Wextra -Werror -o errors "$CPMP_SRCDIR/tests/system/src/mpi_errors.c"
'

test_expect_success 'MPI_Abort: the code is the exit code, the text says who' '
    test_expect_code 7 cpexec -np 3 ./errors abort 2>err &&
    grep "MPI_ABORT was invoked on rank 1 in communicator the copy with errorcode 7" err
'

test_expect_success 'MPI_Abort with a code that would mean success fails the job' '
    test_expect_code 1 cpexec -np 2 ./errors abort 0 2>err &&
    test_expect_code 1 cpexec -np 2 ./errors abort 256 2>err &&
    grep "errorcode 256" err &&
    grep "code 256 is not within 1 to 255, so cpexec exits with 1" err &&
    test_expect_code 44 cpexec -np 2 ./errors abort 300 2>err && grep "cpexec exits with 44" err &&
    test_expect_code 255 cpexec -np 2 ./errors abort -1 2>err && grep "code -1 is.* with 255" err
'

test_expect_success 'an error is fatal by default: the text names function, communicator, class' '
    test_expect_code 6 cpexec -np 2 ./errors rank 2>err &&
    grep "\*\*\* An error occurred in MPI_Send\$" err &&
    grep "\*\*\* reported by rank 1\$" err &&
    grep "\*\*\* on communicator the copy\$" err &&
    grep "\*\*\* MPI_ERR_RANK: invalid rank\$" err &&
    grep "\*\*\* MPI_ERRORS_ARE_FATAL" err
'

test_expect_success 'an error in a request names what it is' '
    test_expect_code 15 cpexec -np 2 ./errors truncate 2>err &&
    grep "\*\*\* An error occurred in MPI_Waitall\$" err &&
    grep "\*\*\* MPI_ERR_TRUNCATE: message truncated\$" err
'

test_expect_success 'a function before MPI_Init is named' '
    test_expect_code 1 cpexec -np 2 ./errors early 2>err &&
    grep "The MPI_Comm_rank() function was called before MPI_INIT was invoked" err &&
    test_expect_code 1 ./errors early 2>err &&
    grep "The MPI_Comm_rank() function was called before MPI_INIT was invoked" err
'

test_expect_success 'a function after MPI_Finalize is named' '
    test_expect_code 1 cpexec -np 1 ./errors late 2>err &&
    grep "The MPI_Barrier() function was called after MPI_FINALIZE was invoked" err
'

test_expect_success 'MPI_Init twice is an error' '
    test_expect_code 16 cpexec -np 1 ./errors twice 2>err &&
    grep "\*\*\* An error occurred in MPI_Init\$" err
'

test_expect_success 'alone, too, the text is said and the code returned' '
    test_expect_code 16 ./errors twice 2>err &&
    grep "\*\*\* An error occurred in MPI_Init\$" err &&
    test_expect_code 7 ./errors abort 7 2>err && grep "errorcode 7" err &&
    test_expect_code 1 ./errors abort 256 2>err && grep "errorcode 256" err
'

test_expect_success 'who was there before, and who closed descriptors, is named' '
    hello=$CPMP_EXAMPLES/mpi_hello &&
    test_expect_code 1 cpexec -np 1 sh -c "$hello; $hello" 2>err &&
    grep "MPI_Init: .*another process is, or was, this rank" err &&
    test_expect_code 1 cpexec -np 1 "$PERL" -MPOSIX \
        -e "POSIX::close(\$ENV{CPMP_SEGMENT_FD}); exec @ARGV" "$hello" 2>err &&
    grep "MPI_Init: .*closed the descriptor CPMP_SEGMENT_FD" err
'

test_done
