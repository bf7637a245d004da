#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='agents that a fork server made on other hosts: streams in TLS, leases, losses'
. "$CPMP_SRCDIR/tests/system/sharness.d/pool.sh" && pool_begin "$0" "$@"
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"
pool_skip

build() { # program
    cpcc -O2 -std=gnu11 -Wall -Wextra -Werror -o "$1" "$CPMP_SRCDIR/tests/system/src/$1.c"
}

# A fork server on host 1 is fed by descriptor 5, that of host 2 by 6.
fork_server_start() { # host, name of the fork server, of the one whose state it has
    mkfifo "$2.in" && mkdir -p "${3:-$2}.state" &&
    { on "$1" "$CPMP_BUILDDIR/tests/system/spawner" "$CPMP_AGENT" "$PWD/${3:-$2}.state" \
        <"$2.in" >"$2.out" 2>"$2.err" 5>&- 6>&- & }
}

lines_are_more() { # file, of this name, than
    test "$(grep -c "^$2 " "$1")" -gt "$3"
}

# An agent; its line goes to the file "agents".
spawn() { # descriptor, server, name, address
    before=$(grep -c "^$3 " "$2.out"; :) && echo "$3 2 $4 7712 7713" >&"$1" &&
    await lines_are_more "$2.out" "$3" "$before" && grep "^$3 " "$2.out" | tail -n 1 >>agents
}

# Only the fork server and who feeds it.
only_the_fork_server_is_left() { # host
    test "$(host_pids "$1" | wc -l)" -le 2
}

# One fork server and who feeds it, of two.
spawner_is_gone() { # host
    test "$(pgrep --ns "$(host_pid "$1")" --nslist net -x spawner | wc -l)" = 1
}

nothing_is_left() {
    only_the_fork_server_is_left 1 && only_the_fork_server_is_left 2
}

two_agents() { # addresses
    await nothing_is_left && rm -f agents &&  # there are two ports, and agents need both
    spawn 5 one pc1 "${1:-10.78.0.1}" && spawn 6 two pc2 "${2:-10.78.0.2}"
}

job_start() { # name, program...
    name=$1 && shift &&
    { CPMP_AGENTS=agents cpexec --json -np 4 "$@" >"$name.out" 2>"$name.err" \
        5>&- 6>&- 9>&- & job=$!; }
}

ends_with() { # code, pid
    wait "$2"
    code=$?
    test "$code" = "$1" || { echo "ended with $code" && false; }
}

uptime_is_past() { # seconds
    test "$(cut -d. -f1 </proc/uptime)" -gt "$1"
}

test_expect_success 'two hosts, and a fork server on each' '
    hosts_make 2 && ip -6 addr add fd78::fe/64 dev br0 nodad &&
    build mpi_traffic && echo "all well" >well &&
    fork_server_start 1 one && exec 5>one.in && fork_server_start 2 two && exec 6>two.in
'

test_expect_success 'a job runs there, and agents end with it' '
    two_agents && CPMP_AGENTS=agents cpexec -np 4 ./mpi_traffic 3 >actual 9>&- &&
    test_cmp well actual && await nothing_is_left &&
    grep -q "10.78.0.1:771[23] " agents && grep -q "10.78.0.2:771[23] " agents
'

test_expect_success 'over IPv6 too' '
    two_agents fd78::1 fd78::2 &&
    CPMP_AGENTS=agents cpexec -np 4 ./mpi_traffic 3 >actual 9>&- && test_cmp well actual
'

# What an agent is forked from must have no thread and, but for its two sockets, no descriptor.
test_expect_success 'a fork server holds nothing that a fork would share' '
    server=$(on 1 pgrep -P $(pgrep --ns "$(host_pid 1)" --nslist net -x spawner)) &&
    ls /proc/$server/task >actual && echo $server >expected && test_cmp expected actual &&
    ls -l /proc/$server/fd >fds && test $(grep -c "[0-9] -> " fds) = 5 &&
    grep "socket:" fds && grep "signalfd" fds
'

stranger='
    use strict;
    use warnings;
    use IO::Socket::INET;
    my $socket = IO::Socket::INET->new(PeerAddr => $ARGV[0]) or die "$ARGV[0]: $@\n";
    $socket->print("GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n");
    $socket->flush;
    local $/;
    my $answer = <$socket>;
'
test_expect_success 'a stranger is dropped and counted' '
    two_agents && door=$(sed -n "s/^pc2 .* \([0-9.:]*\) #.*/\1/p" agents) &&
    "${PERL:-perl}" -e "$stranger" "$door" &&
    job_start stranger ./mpi_traffic 2 && ends_with 0 $job &&
    grep -o "\"strangers\":[0-9]*" stranger.out >actual &&
    printf "\"strangers\":0\n\"strangers\":1\n" >expected && test_cmp expected actual
'

test_expect_success 'who has another key is told so; the agent waits for the right one' '
    two_agents && sed "/^pc2/s/ [0-9a-f]\{8\}/ 00000000/" agents >wrong &&
    test_must_fail env CPMP_AGENTS=wrong cpexec -np 4 true 2>err </dev/null 9>&- &&
    grep "pc2.*10.78.0.2:771.*key" err &&
    sed -n /^pc2/p agents >right &&
    CPMP_AGENTS=right cpexec -np 2 true 9>&- && await nothing_is_left
'

test_expect_success 'an agent that is killed ends the job, named with its ranks' '
    two_agents && job_start killed ./mpi_traffic for-ever &&
    await grep -q "under way" killed.out &&
    kill -9 $(sed -n "s/^pc2 .* # //p" agents) && ends_with 1 $job &&
    grep "Peer 1 (pc2) was lost, with 2 ranks of this job (2-3)" killed.err &&
    await nothing_is_left
'

test_expect_success 'when the launcher is killed, nothing is left' '
    two_agents && job_start launcher ./mpi_traffic for-ever &&
    await grep -q "under way" launcher.out && kill -9 $job && { ends_with 137 $job; } &&
    await nothing_is_left
'

test_expect_success 'an agent that stands still is given up, and ends itself when it wakes' '
    two_agents && job_start still ./mpi_traffic for-ever &&
    await grep -q "under way" still.out && agent=$(sed -n "s/^pc2 .* # //p" agents) &&
    kill -STOP $agent && ends_with 1 $job &&
    grep "Peer 1 (pc2) was lost.*it is silent for 3 s" still.err &&
    kill -CONT $agent && await nothing_is_left
'

test_expect_success 'a job waits for a launcher that was stopped by Ctrl-Z' '
    two_agents && job_start stopped ./mpi_traffic for-ever &&
    await grep -q "under way" stopped.out && kill -TSTP $job &&
    await grep -q "^State:.T" /proc/$job/status &&
    since=$(cut -d. -f1 </proc/uptime) && await uptime_is_past $((since + 5)) &&
    kill -CONT $job && kill -TERM $job && ends_with 143 $job &&
    grep "ended by signal 15" stopped.err && await nothing_is_left
'

test_expect_success 'an owner suspends a peer; it is not taken for dead, and goes on' '
    two_agents && job_start suspended ./mpi_traffic for-ever &&
    await grep -q "under way" suspended.out && await grep -q "^agent running" two.out &&
    echo "suspend somebody works here" >&6 &&
    await grep -q "peer 1 (pc2) suspends its ranks: somebody works here" suspended.err &&
    await grep -q "^agent suspended" two.out &&
    rank=$(pgrep --ns "$(host_pid 2)" --nslist net -x mpi_traffic | head -n 1) &&
    await grep -q "^State:.T" /proc/$rank/status &&
    since=$(cut -d. -f1 </proc/uptime) && await uptime_is_past $((since + 4)) &&
    echo resume >&6 && await grep -q "peer 1 (pc2) goes on with its ranks" suspended.err &&
    ! grep -q "^State:.T" /proc/$rank/status && kill -TERM $job && ends_with 143 $job
'

test_expect_success 'an owner takes a peer back, and the job is told' '
    two_agents && job_start taken ./mpi_traffic for-ever &&
    await grep -q "under way" taken.out &&
    echo "leave the machine is needed" >&6 && ends_with 1 $job &&
    grep "Peer 1 (pc2), with 2 ranks of this job (2-3), was taken away.*machine is needed" \
        taken.err && await nothing_is_left && await grep -q "^agent taken away" two.out
'

test_expect_success 'agents survive their fork server and its daemon, and find the next one' '
    rm -f agents && fork_server_start 1 three && exec 7>three.in && spawn 7 three pc1 10.78.0.1 &&
    spawn 6 two pc2 10.78.0.2 && mkfifo words &&
    { CPMP_AGENTS=agents cpexec -np 4 sh -c "
        test \$CPMP_RANK != 0 || { echo waiting && read -r line; }
        exec ./mpi_traffic 2" <words >orphan.out 5>&- 6>&- 7>&- 9>&- & } && job=$! &&
    exec 8>words && await grep -q waiting orphan.out &&
    exec 7>&- && await spawner_is_gone 1 &&
    fork_server_start 1 next three && exec 7>next.in && await grep -q "^agent running" next.out &&
    exec 7>&- && await spawner_is_gone 1 &&
    echo go >&8 && exec 8>&- && ends_with 0 $job && grep "all well" orphan.out &&
    await nothing_is_left
'

test "$(id -u)" = 0 && test_set_prereq ROOT
test_expect_success ROOT 'as root, agents and ranks run as another user' '
    SPAWNER_NOBODY=1 fork_server_start 1 four && exec 7>four.in && rm -f agents &&
    spawn 7 four pc1 10.78.0.1 && exec 7>&- && echo nobody >expected &&
    CPMP_AGENTS=agents cpexec -np 1 -wdir / id -un >actual 9>&- && test_cmp expected actual
'

cpexec --sandbox -np 1 true 2>/dev/null && test_set_prereq CAGE
test_expect_success CAGE 'ranks are caged when the owner says so, and suspended there' '
    SPAWNER_CAGE="$PWD" SPAWNER_ACCEPTS= fork_server_start 1 five &&
    exec 7>five.in && rm -f agents &&
    spawn 7 five pc1 10.78.0.1 &&
    { CPMP_AGENTS=agents cpexec -np 1 sh -c "echo begun \$\$; while :; do :; done" >caged.out \
        2>caged.err 5>&- 6>&- 7>&- 9>&- & } && job=$! && await grep -q "begun" caged.out &&
    test $(sed -n "s/begun //p" caged.out) -lt 100 &&
    echo "suspend wait" >&7 && await grep -q "suspends its ranks: wait" caged.err &&
    echo resume >&7 && await grep -q "goes on with its ranks" caged.err &&
    kill -TERM $job && ends_with 143 $job && exec 7>&-
'

# The last one: the cable is not mended before.
test_expect_success 'a cut cable ends the job in time, and the lost host is clean when it is back' '
    two_agents && job_start cut ./mpi_traffic for-ever &&
    await grep -q "under way" cut.out && host_cut 2 &&
    ends_with 1 $job && grep "Peer 1 (pc2) was lost.*it is silent for 3 s" cut.err &&
    await nothing_is_left && host_mend 2
'

exec 5>&- 6>&-
pool_end
wait
test_done
