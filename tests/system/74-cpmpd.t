#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='cpmpd starts, says what is wrong, and comes back as who it was'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

unset CPMP_STATE CPMP_POOL NOTIFY_SOCKET

here='--listen 127.0.0.1:0 --data-ports 7712-7811'

# Until the command says yes, with a limit.
await() { # command...
    for await_try in $(seq 3000); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.01
    done
    echo "waited in vain for: $*"
    return 1
}

# Starts one with the state directory and options, and waits until it is ready.
start() { # state directory, options...
    start_state=$1
    shift
    rm -f "$start_state.log"
    # shellcheck disable=SC2086
    cpmpd --state "$start_state" $here "$@" >"$start_state.log" 2>&1 &
    echo $! >"$start_state.pid"
    await grep 'is ready at' "$start_state.log"
}

# Ends it, and expects that exit code.
stop() { # state directory, signal, code
    kill "-$2" "$(cat "$1.pid")" && {
        wait "$(cat "$1.pid")"
        stop_code=$?
        test "$stop_code" = "$3" || { echo "exit code $stop_code" && cat "$1.log" && false; }
    }
}

# Doesn't start: with that code and those words.
refuse() { # code, words, options...
    refuse_code=$1
    refuse_words=$2
    shift 2
    timeout 20 cpmpd "$@" >said 2>&1
    test $? = "$refuse_code" && grep "$refuse_words" said && return 0
    cat said
    return 1
}

identity() { # state directory
    cpmp --state "$1" info --json | tr ',' '\n' | grep -A1 '"id"'
}

cleanup 'for pid in *.pid; do kill -9 "$(cat "$pid")"; done 2>/dev/null'

test_expect_success 'what keeps it from starting is said, with what to do' '
    refuse 2 "in no pool yet: found one by cpmpd --create" --state "$PWD/none" &&
    refuse 2 "exclude each other" --create a --join b &&
    refuse 1 "an address of this machine is wanted" --state "$PWD/e1" --create lab --listen 1.2.3 &&
    refuse 1 "is no address of this machine" --state "$PWD/e2" --create lab \
        --listen 192.0.2.77:7999 &&
    refuse 1 "be used" --state /proc/nowhere --create lab &&
    refuse 1 "a pool can.t be named" --state "$PWD/e3" --create "a b" &&
    test ! -e e3/identity.crt
'

test_expect_success 'one that was killed comes back as who it was, and leaves nothing in the way' '
    start a --create lab --name pc1 && identity a >before &&
    refuse 1 "another cpmpd runs in" --state "$PWD/a" &&
    stop a KILL 137 && test -S a/socket && start a && identity a >after &&
    test_cmp before after && test -s before
'

test_expect_success 'its port is its own' '
    address=$(sed -n "s/.* is ready at //p" a.log) &&
    refuse 1 "address already in use; stop the other program" --state "$PWD/e4" --create other \
        --listen "$address"
'

test_expect_success 'another pool takes another state directory' '
    start b --create other --name pc2 && stop b TERM 0 &&
    refuse 1 "belongs to a peer of pool other" --state "$PWD/b" --create lab &&
    refuse 1 "belongs to a peer of pool other" --state "$PWD/b" \
        --join "$(cpmp --state a pool invite)" &&
    start b --create other && stop b INT 0
'

test_expect_success 'its incarnation rises, also when the clock went back' '
    first=$(cat a/incarnation) && stop a TERM 0 && test ! -e a/socket && start a &&
    second=$(cat a/incarnation) && test "$second" -gt "$first" && stop a TERM 0 &&
    echo 2000000000000000000 >a/incarnation && start a &&
    test "$(cat a/incarnation)" = 2000000000000000001
'

test_expect_success 'policy.conf is read anew, or the line is named and the old one stays' '
    echo "cores = 1" >a/policy.conf && kill -HUP "$(cat a.pid)" &&
    await grep "policy.conf is read anew" a.log &&
    cpmp --state a policy | grep "cores  *1  *all" &&
    echo "cores = many" >a/policy.conf && kill -HUP "$(cat a.pid)" &&
    await grep "the policy stays as it was: .*policy.conf:1:" a.log &&
    cpmp --state a policy | grep "cores  *1  *all" && rm a/policy.conf
'

test_expect_success 'who can not be reached is told what to open' '
    start c --join "$(cpmp --state a pool invite)" --name pc3 --advertise 127.0.0.1:1 &&
    await grep "WARNING: pc1 can.t reach this peer at 127.0.0.1:1 (.*open TCP port" c.log &&
    grep "7712-7811 for jobs" c.log
'

test_expect_success 'the peers that it knows are kept, so it finds the ring again' '
    stop c TERM 0 && test -s c/peers && start c && await grep "link to pc1\|is ready" c.log &&
    both() { cpmp --state c peers | grep pc1 && cpmp --state a peers | grep pc3; } && await both
'

test_expect_success 'whom the founder shut out does not start again' '
    cpmp --state a pool revoke pc3 && await grep "shut out of pool lab" c.log &&
    { wait "$(cat c.pid)"; test $? = 3; } &&
    refuse 3 "was shut out of pool lab" --state "$PWD/c" --listen 127.0.0.1:0
'

test_expect_success 'an open pool warns at each start' '
    start d --create wide --open && grep "WARNING: pool wide is open" d.log && stop d TERM 0 &&
    start d && grep "WARNING: pool wide is open" d.log && stop d TERM 0
'

test_expect_success 'what is damaged is named' '
    stop a TERM 0 &&
    for file in identity.key identity.crt pool/authority.crt pool/revoked pool/members; do
        cp -a a damaged && echo "junk junk" >"damaged/$file" &&
        refuse 1 "$file" --state "$PWD/damaged" --listen 127.0.0.1:0 && rm -r damaged || return 1
    done &&
    rm -f a/peers && echo junk >a/peers && echo junk >a/history.db && echo junk >a/incarnation &&
    start a && grep "history.db is damaged" a.log
'

cat >manager.pl <<'END'
use strict;
use Socket;
socket(my $heard, AF_UNIX, SOCK_DGRAM, 0) or die $!;
bind($heard, pack_sockaddr_un($ARGV[0])) or die $!;
open(my $ready, '>', 'manager.ready') or die $!;
close($ready);
$| = 1;
alarm 60;
while (1) {
    recv($heard, my $said, 4096, 0) // die $!;
    print $said;
    exit 0 if $said =~ /STOPPING=1/;
}
END

test_expect_success 'the manager of services hears that it is ready, and that it stops' '
    { perl manager.pl "$PWD/notify" >manager.out & } && await test -e manager.ready &&
    stop a TERM 0 && NOTIFY_SOCKET=$PWD/notify && export NOTIFY_SOCKET && start a &&
    await grep READY=1 manager.out &&
    grep "^STATUS=Peer pc1 of pool lab, at 127.0.0.1" manager.out &&
    stop a TERM 0 && unset NOTIFY_SOCKET && await grep STOPPING=1 manager.out && wait
'

test_expect_success 'a full disk does not stop it' '
    if mkdir full && mount -t tmpfs -o size=64k tmpfs full 2>/dev/null; then
        start full/state --create small; code=$?
        grep "the disk is full" full/state.log && stop full/state TERM 0 && test "$code" = 0
        code=$?; umount full && return "$code"
    fi
'

test_done
