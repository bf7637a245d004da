#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='jobs that are ended from outside: each with its code, and nothing left'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

# A rank that can't be talked into going, with a daemon in a session of its own.
stubborn='
    trap "" HUP INT QUIT TERM
    setsid sh -c "echo daemon; exec tail -f /dev/null" &
    echo rank $CPMP_RANK
    exec tail -f /dev/null
'

stubborn_start() { # options of cpexec...
    job_start "$@" -np 3 sh -c "$stubborn" && await has_lines 3 "^rank" out &&
    await has_lines 3 "^daemon" out
}

part_start() { # options of cpexec...
    job_start "$@" -np 3 ./part wait && await has_lines 3 "^rank" out
}

rank_pid() { # rank
    sed -n "s/^rank $1 is //p" out
}

agent_pids() {
    pgrep -P "$job" -x cpmp-agent
}

job_kill() { # signal
    kill -"$1" "$job"
}

test_expect_success 'the program compiles' '
    cpcc -Wall -Wextra -Werror -o part "$CPMP_SRCDIR/tests/system/src/job_part.c"
'

for signal in INT:130 TERM:143 QUIT:131 HUP:129; do
    name=${signal%:*} code=${signal#*:}
    test_expect_success "SIG$name to cpexec ends the ranks in a receive, exit code $code" '
        part_start && job_kill $name && job_ends $code &&
        grep "The job was ended by signal" err
    '
done

test_expect_success 'ranks get the signal first, and may end in their own way' '
    job_start -np 2 sh -c "
        trap \"echo over \$CPMP_RANK; exit 0\" TERM; echo up; tail -f /dev/null & wait" &&
    await has_lines 2 up out && job_kill TERM && job_ends 143 &&
    has_lines 2 "^over" out
'

test_expect_success 'those that ignore it are killed' '
    stubborn_start && job_kill TERM && job_ends 143 &&
    stubborn_start --peers 2 && job_kill INT && job_ends 130
'

test_expect_success 'a second Ctrl-C does not wait' '
    job_start -np 2 sh -c "trap \"echo no\" INT; trap \"\" TERM; echo up
        while :; do tail -f /dev/null & wait; done" &&
    await has_lines 2 up out && job_kill INT && await has_lines 2 no out &&
    job_kill INT && job_ends 130
'

test_expect_success 'a signal to the whole foreground group, before and after ranks are there' '
    rm -f out && { setsid env "$job_mark" cpexec -np 3 ./part wait >out 2>err & job=$!; } &&
    await has_lines 3 "^rank" out && env kill -INT -- -$job && job_ends 130 &&
    job_start -np 64 ./part wait && await pgrep -P $job && job_kill INT && job_ends 130
'

test_expect_success 'SIGUSR1 and SIGUSR2 go to the ranks' '
    job_start -np 2 sh -c "
        trap \"echo first\" USR1; trap \"echo second; exit 0\" USR2; echo up
        while :; do tail -f /dev/null & wait; done" &&
    await has_lines 2 up out && job_kill USR1 && await has_lines 2 first out &&
    job_kill USR2 && job_ends 0 && has_lines 2 second out &&
    job_start -np 1 sh -c "echo up; exec tail -f /dev/null" && await has_lines 1 up out &&
    job_kill USR1 && job_ends 138 && grep "no handler for it ends; cpexec passes it on" err
'

test_expect_success 'kill -9 of cpexec: agents end everything' '
    stubborn_start && job_kill KILL && { wait $job; test $? = 137; } && await job_is_gone &&
    stubborn_start --peers 3 && job_kill KILL && { wait $job; test $? = 137; } &&
    await job_is_gone
'

test_expect_success 'kill -9 of cpexec while ranks wait for each other' '
    part_start --peers 2 && job_kill KILL && { wait $job; test $? = 137; } && await job_is_gone
'

test_expect_success 'kill -9 of an agent is told, and what it leaves is ended' '
    stubborn_start && kill -9 $(agent_pids) && job_ends 1 &&
    grep "Peer 0 .* was lost.*killed by signal 9" err
'

test_expect_success '... one of two' '
    stubborn_start --peers 2 && kill -9 $(agent_pids | tail -n 1) && job_ends 1 &&
    grep "Peer 1 .* was lost.*killed by signal 9" err &&
    part_start --peers 2 && kill -9 $(agent_pids | head -n 1) && job_ends 1 &&
    grep "Peer 0 .* was lost.*killed by signal 9" err
'

test_expect_success 'kill -9 of a rank ends the others in their receive' '
    part_start && kill -9 $(rank_pid 1) && job_ends 137 &&
    grep "^Rank 1 .* was killed by signal 9" err &&
    part_start --peers 2 && kill -9 $(rank_pid 2) && job_ends 137 &&
    grep "^Rank 2 .* was killed by signal 9" err
'

test_expect_success 'SIGTERM to an agent ends the job' '
    part_start && kill -TERM $(agent_pids) && job_ends 1 && grep SIGTERM err
'

has_state() { # letter, pid...
    letter=$1 && shift &&
    test "$(ps -o state= -p "$(echo $* | tr " " ,)" | sort -u)" = "$letter"
}

test_expect_success 'Ctrl-Z stops the ranks and cpexec, and they go on' '
    mkfifo words && exec 8<>words &&
    job_start --stdin all -np 2 sh -c "echo \$\$; read -r line; echo over \$line" <words &&
    await has_lines 2 . out && ranks=$(cat out) && job_kill TSTP &&
    await has_state T $ranks $job && echo go >&8 && exec 8>&- && job_kill CONT &&
    job_ends 0 && has_lines 2 "over go" out
'

test_expect_success 'a stopped job ends by a signal too' '
    part_start && job_kill TSTP && await has_state T $(rank_pid 0) $job &&
    job_kill TERM && job_kill CONT && job_ends 143
'

test_expect_success 'a stopped job ends with its cpexec' '
    stubborn_start && job_kill TSTP && await has_state T $job && job_kill KILL &&
    { wait $job; test $? = 137; } && await job_is_gone
'

test_expect_success 'after --timeout ranks are ended, exit code 110' '
    job_run 110 --timeout 0.3 -np 3 sh -c "$stubborn" && grep "limit that --timeout" err &&
    grep "Still running then: [0-3] of 3 ranks" err
'

test_expect_success 'MPIEXEC_TIMEOUT is the same' '
    MPIEXEC_TIMEOUT=0.2 && export MPIEXEC_TIMEOUT && job_run 110 -np 2 ./part wait &&
    job_run 0 --timeout 0 -np 2 true && unset MPIEXEC_TIMEOUT
'

test_done
