#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='a job on two hosts: traffic, strangers, a cut wire, killed agents'

# This script itself moves to a new network namespace, the first host; the second one belongs to a
# shell that waits on a pipe from here. Nothing has a name, so all of it is gone with this script.
if test -z "${CPMP_TEST_HOSTS:-}"; then
    CPMP_TEST_HOSTS=none && export CPMP_TEST_HOSTS
    PATH=$PATH:/usr/sbin:/sbin
    for how in -n -Urn; do
        if unshare "$how" sh -c 'ip -V && ss -V' >/dev/null 2>&1; then
            CPMP_TEST_HOSTS=two
            exec unshare "$how" sh "$0" "$@"
        fi
    done
fi
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

if test "$CPMP_TEST_HOSTS" = none; then
    skip_all='this user may not make network namespaces, or the package iproute2 is missing'
    test_done
fi

# A host is a shell in a namespace of its own that waits for the end of this script.
host_make() {
    mkfifo stay say &&
    { unshare -n sh -c 'echo $$ && exec >&- && read -r end' <stay >say & } &&
    exec 9>stay && read -r far <say && rm stay say
}

on_far() { # command...
    nsenter -t "$far" -n "$@" 9>&-
}

wire_up() {
    ip link set lo up && on_far ip link set lo up &&
    ip link add near0 type veth peer name far0 netns "$far" &&
    ip addr add 10.77.0.1/24 dev near0 && on_far ip addr add 10.77.0.2/24 dev far0 &&
    ip link set near0 up && on_far ip link set far0 up
}

build() { # program
    cpcc -O2 -std=gnu11 -Wall -Wextra -Werror -o "$1" "$CPMP_SRCDIR/tests/system/src/$1.c"
}

# Bytes that the first host has sent through an interface.
sent() { # interface
    sed -n "s/^ *$1://p" /proc/net/dev | awk '{ print $9 }'
}

far_pids() { # pgrep's choice
    pgrep --ns "$far" --nslist net "$@"
}

. "$CPMP_SRCDIR/tests/system/sharness.d/await.sh"

nothing_is_left_there() {
    test "$(far_pids .)" = "$far"
}

nothing_is_left_here() {
    ! pgrep --ns $$ --nslist net "cpmp|mpi_"
}

# Starts a job of four ranks; its pid to $job. Its output goes to NAME.out and NAME.err.
job_start() { # name, program...
    name=$1 && shift &&
    { cpexec --json --peers 2 -np 4 "$@" >"$name.out" 2>"$name.err" 9>&- & job=$!; }
}

ends_with() { # code, pid
    wait "$2"
    code=$?
    test "$code" = "$1" || { echo "ended with $code" && false; }
}

test_expect_success 'two hosts, a wire, and programs' '
    host_make && wire_up && build mpi_traffic && build mpi_collectives &&
    echo "all well" >well
'
CPMP_AGENT_PREFIX_1="nsenter -t $far -n"
CPMP_AGENT_ADDRESS_0=10.77.0.1
CPMP_AGENT_ADDRESS_1=10.77.0.2
export CPMP_AGENT_PREFIX_1 CPMP_AGENT_ADDRESS_0 CPMP_AGENT_ADDRESS_1

test_expect_success 'a program with cpmp.h runs across them' '
    before=$(sent near0) &&
    cpexec --peers 2 -np 4 "$CPMP_EXAMPLES/ring" 50 >actual &&
    test $(wc -l <actual) = 50 &&
    test $(sent near0) -gt $((before + 50 * 64))
'

test_expect_success 'messages of all sizes, and nothing over loopback' '
    cpexec --peers 2 -np 6 ./mpi_traffic 12 >actual && test_cmp well actual &&
    test $(sent near0) -gt 10000000 && test $(sent lo) = 0
'

test_expect_success 'encrypted messages of all sizes' '
    cpexec --encrypt --peers 2 -np 6 ./mpi_traffic 12 >actual && test_cmp well actual &&
    cpexec --encrypt --peers 2 -np 4 "$CPMP_EXAMPLES/ring" 50 >actual &&
    test $(wc -l <actual) = 50 && test $(sent lo) = 0
'

unshare -pf true 2>/dev/null && test_set_prereq PIDS

test_expect_success PIDS 'messages of ranks whose memory is out of reach for agents' '
    cpexec --peers 2 -np 4 unshare -pf ./mpi_traffic 12 >actual && test_cmp well actual &&
    cpexec --peers 2 -np 2 ./mpi_traffic 12 : -np 2 unshare -pf ./mpi_traffic 12 >actual &&
    test_cmp well actual
'

test_expect_success 'collectives' '
    cpexec --peers 2 -np 5 ./mpi_collectives >actual && test_cmp well actual
'

test_expect_success 'an address that is not its host'"'"'s is named' '
    test_expect_code 1 env CPMP_AGENT_ADDRESS_1=10.77.0.9 \
        cpexec --peers 2 -np 2 true 2>err </dev/null &&
    grep "10.77.0.9" err && nothing_is_left_there
'

# Comes while the job waits for a line, says what is no greeting, and is shown out.
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
test_expect_success 'a stranger is dropped and counted, and the job goes on' '
    mkfifo words &&
    { cpexec --json --peers 2 -np 4 sh -c "
        test \$CPMP_RANK != 0 || { echo waiting && read -r line; }
        exec ./mpi_traffic 2" <words >stranger.out 9>&- & } && job=$! &&
    exec 8>words && await grep -q waiting stranger.out &&
    door=$(on_far ss -Htln | grep -o "10\.77\.0\.2:[0-9]*") &&
    "${PERL:-perl}" -e "$stranger" "$door" 8>&- &&
    echo go >&8 && exec 8>&- && ends_with 0 $job &&
    grep "\"all well" stranger.out &&
    grep -o "\"strangers\":[0-9]*" stranger.out >actual &&
    printf "\"strangers\":0\n\"strangers\":1\n" >expected && test_cmp expected actual
'

test_expect_success 'an agent that is killed ends the job with an error, whichever it is' '
    job_start second ./mpi_traffic for-ever && await grep -q "under way" second.out &&
    kill -9 $(far_pids -x cpmp-agent) && ends_with 1 $job && grep -i "peer 1" second.err &&
    job_start first ./mpi_traffic for-ever && await grep -q "under way" first.out &&
    kill -9 $(pgrep -P $job --ns $$ --nslist net -x cpmp-agent) &&
    ends_with 1 $job && grep -i "peer 0" first.err &&
    await nothing_is_left_there
'

test_expect_success 'when the launcher is killed, nothing is left on the other host' '
    job_start launcher ./mpi_traffic for-ever && await grep -q "under way" launcher.out &&
    kill -9 $job && { ends_with 137 $job; } &&
    await nothing_is_left_there && await nothing_is_left_here
'

# The last one: the wire is not mended.
test_expect_success 'a cut wire ends busy jobs and idle ones, each with the reason' '
    job_start busy ./mpi_traffic for-ever && busy=$job &&
    job_start idle ./mpi_traffic then-wait && idle=$job &&
    await grep -q "under way" busy.out && await grep -q "under way" idle.out &&
    on_far ip link set far0 down &&
    ends_with 1 $busy && ends_with 1 $idle &&
    grep "has not answered for" busy.err && grep "has not answered for" idle.err &&
    await nothing_is_left_there
'

exec 9>&-
wait
test_done
