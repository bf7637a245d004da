#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='ranks that fail or leave something behind'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

test_expect_success 'the program compiles' '
    cpcc -Wall -Wextra -Werror -o part "$CPMP_SRCDIR/tests/system/src/job_part.c"
'

test_expect_success 'any program is a rank' '
    job_run 0 -np 4 hostname && has_lines 4 "^$(hostname)\$" out && test_must_be_empty err
'

test_expect_success 'a rank that exits with a code ends the job with it' '
    job_run 7 -np 3 sh -c "test \$CPMP_RANK != 1 || exit 7; exec tail -f /dev/null" &&
    grep "^Rank 1 .*exited with code 7\.\$" err && grep "^Program: sh -c" err &&
    job_run 7 --peers 3 -np 3 sh -c "test \$CPMP_RANK != 2 || exit 7; exec tail -f /dev/null" &&
    grep "^Rank 2 .*exited with code 7\.\$" err
'

test_expect_success 'of many that fail one is told and the others counted' '
    mkfifo gate && exec 8<>gate &&
    job_start -np 20 sh -c "trap \"\" TERM; echo up; read -r line <gate
        test \$CPMP_RANK = 0 || exit 3" &&
    await has_lines 20 up out && yes | head -n 20 >&8 && job_ends 3 && exec 8>&- &&
    has_lines 1 "exited with code 3" err && grep "(and 18 more ranks failed)" err
'

test_expect_success 'a code that all ranks exit with is told in one line, without alarm' '
    exec 8<>gate &&
    job_start -np 3 sh -c "trap \"\" TERM; echo up; read -r line <gate; exit 3" &&
    await has_lines 3 up out && yes | head -n 3 >&8 && job_ends 3 && exec 8>&- &&
    grep "^cpexec: all 3 ranks exited with code 3: sh -c" err && ! grep -e "---" err &&
    job_run 3 -np 1 sh -c "exit 3" && echo "cpexec: rank 0 exited with code 3: sh -c exit 3" \
        >expected && test_cmp expected err &&
    job_run 3 -np 4 "$CPMP_EXAMPLES/tsp_ga/tsp_ga" --target 1 --generations 2 \
        "$CPMP_TSPLIB/berlin52.tsp" &&
    has_lines 1 "^cpexec: all 4 ranks exited with code 3: " err && ! grep -e "---" err
'

test_expect_success 'the exit code is that of the lowest rank that failed' '
    exec 8<>gate &&
    job_start -np 3 sh -c "
        trap \"\" TERM; echo up; read -r line <gate
        test \$CPMP_RANK = 0 || exit \$((CPMP_RANK + 4))" &&
    await has_lines 3 up out && yes | head -n 3 >&8 && job_ends 5 && exec 8>&-
'

test_expect_success 'a code that comes after leaving the job leaves the others time to leave' '
    job_run 5 -np 4 ./part code 5 && has_lines 1 "exited with code 5" err &&
    grep "(and 2 more ranks failed)" err
'

test_expect_success 'a crash is 128 + n, named, with advice' '
    job_run 139 -np 3 ./part crash && grep "^Rank 1 .* was killed by signal 11 (Seg" err &&
    grep debugger err &&
    job_run 139 --peers 2 -np 3 ./part crash && grep "^Rank 1 .* was killed by signal 11" err
'

test_expect_success 'a rank that goes without cpmp_end fails, also with code 0' '
    job_run 1 -np 2 ./part leave 0 && grep "^Rank 0 .*exited without leaving the job" err &&
    grep "MPI_Finalize or cpmp_end" err &&
    job_run 6 -np 2 ./part leave 6 && grep "^Rank 0 .*exited with code 6" err
'

test_expect_success 'cpmp_abort: its text and its code' '
    job_run 12 -np 3 ./part abort 12 && grep "no more apples" err &&
    grep "^That was rank 1 (peer 0, .*); cpexec exits with 12\.\$" err &&
    job_run 12 --peers 2 -np 3 ./part abort 12 && grep "no more apples" err &&
    job_run 1 -np 3 ./part abort 0 && grep "no more apples" err
'

test_expect_success 'cpmp_abort before cpmp_init: the rank says its own number' '
    job_run 5 --peers 2 -np 3 sh -c "
        test \$CPMP_RANK = 2 || exec tail -f /dev/null
        exec ./part abort-early 5" &&
    grep "^rank 2 ended the job with exit code 5: no apples at all\$" err &&
    test_expect_code 5 ./part abort-early 5 2>err && grep "^rank 0 ended the job" err
'

test_expect_success '-v tells of agents, ranks and times, a line each' '
    job_run 0 -v --peers 2 -np 3 "$CPMP_EXAMPLES/hello" && has_lines 9 "^cpexec: [0-9.]* s: " err &&
    test $(wc -l <err) = 9 && has_lines 3 "" out &&
    for peer in 0 1; do
        has_lines 1 "the agent of peer $peer (.*, pid [0-9]*) is ready: [0-9.]* cores, " err ||
            return 1
    done &&
    for rank in 0 1 2; do
        has_lines 1 "rank $rank (peer .*, pid [0-9]*) has started\$" err &&
        has_lines 1 "rank $rank (.*) exited with code 0 after [0-9.]* s, " err || return 1
    done &&
    tail -n 1 err | grep "start-up took [0-9.]* s, the run [0-9.]* s, the end [0-9.]* s\$" &&
    job_run 139 --verbose -np 2 ./part crash && grep "rank 1 (.*) was killed by signal 11 " err &&
    job_run 0 -np 3 "$CPMP_EXAMPLES/hello" && test_must_be_empty err
'

test_expect_success 'of many that abort one is told' '
    job_run 4 -np 8 ./part abort-all 4 && has_lines 1 "no more apples" err &&
    has_lines 1 "cpexec exits with 4" err
'

test_expect_success 'a rank that is killed while it starts others' '
    job_run 137 -np 2 sh -c "
        test \$CPMP_RANK = 1 || exec tail -f /dev/null
        (setsid tail -f /dev/null & setsid tail -f /dev/null) & kill -9 \$\$"
'

daemon='
    echo "$(setsid sh -c "trap \"\" TERM HUP; exec tail -f /dev/null" >/dev/null 2>&1 & echo $!)"
'
test_expect_success 'daemons of ranks end with the job' '
    job_run 0 -np 3 sh -c "$daemon" && has_lines 3 "^[0-9]" out &&
    job_run 0 --peers 2 -np 3 sh -c "$daemon"
'

test_expect_success 'so do those that hold its output, or left by a double fork' '
    job_run 0 -np 2 sh -c "setsid tail -f /dev/null & echo done" && has_lines 2 done out &&
    job_run 0 -np 2 sh -c "( ( exec tail -f /dev/null ) & ) ; echo done" && has_lines 2 done out
'

test_expect_success 'the last words of a rank are not lost' '
    job_run 0 -np 2 sh -c "seq 20000; echo last >&2" &&
    test $(wc -l <out) = 40000 && has_lines 2 "^last\$" err &&
    job_run 3 -np 1 sh -c "seq 20000; echo last >&2; exit 3" &&
    test $(wc -l <out) = 20000 && has_lines 1 "^last\$" err &&
    job_run 137 -np 1 sh -c "seq 20000; kill -9 \$\$" && test $(wc -l <out) = 20000
'

test_expect_success 'ranks that are stopped or say nothing are no failure' '
    job_start -np 2 sh -c "echo \$\$; kill -STOP \$\$; echo on" && await has_lines 2 "^[0-9]" out &&
    for pid in $(cat out); do
        await sh -c "ps -o state= -p $pid | grep T" && kill -CONT $pid
    done && job_ends 0 && has_lines 2 on out
'

test_expect_success 'many more ranks than cores' '
    job_run 0 -np 200 sh -c "echo \$CPMP_RANK" && sort -n out >actual && seq 0 199 >expected &&
    test_cmp expected actual &&
    job_run 0 --oversubscribe -np 100 "$CPMP_EXAMPLES/hello" && test $(wc -l <out) = 100
'

limited() { # limit of descriptors, arguments of cpexec...
    env "$job_mark" sh -c "ulimit \$1 && shift && exec cpexec \"\$@\"" sh "$@" >out 2>err
}

test_expect_success 'too low a limit of descriptors is said before anything starts' '
    test_expect_code 1 limited "-n 200" -np 300 hostname && test_must_be_empty out &&
    has_lines 1 "needs 940 file descriptors .*hard limit is 200; raise it .*--peers K" err &&
    test_expect_code 1 limited "-n 90" -np 60 hostname &&
    has_lines 1 "needs 220 file descriptors .*hard limit is 90" err &&
    test_expect_code 1 limited "-n 90" -np 1 hostname &&
    has_lines 1 "needs 114 file descriptors .*hard limit is 90" err && job_is_gone
'

test_expect_success 'what is said to be enough is enough, and the soft limit does not matter' '
    test_expect_code 0 limited "-n 114" -np 20 "$CPMP_EXAMPLES/hello" &&
    test_expect_code 0 limited "-n 340" -np 100 "$CPMP_EXAMPLES/hello" &&
    test_expect_code 0 limited "-n 202" --peers 2 -np 100 "$CPMP_EXAMPLES/hello" &&
    test_expect_code 0 limited "-Sn 30" --peers 16 -np 16 sh -c "ulimit -Sn" &&
    test_must_be_empty err && has_lines 16 "^30\$" out && job_is_gone
'

test_done
