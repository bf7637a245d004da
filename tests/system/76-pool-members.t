#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$CPMP_SRCDIR/tests/system/sharness.d/pool.sh" && pool_begin "$0" "$@"
test_description='who is in a pool: tokens, revoked peers, other pools, strangers, two halves'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"
pool_skip

counter() { # host, name
    on "$1" cpmp ring --json | jq ".counters[] | select(.name == \"$2\").value"
}

test_expect_success 'nine hosts, a pool of eight' '
    hosts_make 9 && pool_make 7 && used=$(on 1 cpmp pool invite) &&
    peer_start 8 --join "$used" && pool_sees 8 1 2 3 4 5 6 7 8
'

join_fails() { # token, expected exit code, words it says
    test_expect_code "$2" on 9 timeout 30 cpmpd --name pc9 --join "$1" 2>err &&
    grep -e "$3" err
}

test_expect_success 'a token of a pool whose first peer is down says who could not be reached' '
    token=$(on 1 cpmp pool invite) && peer_kill 1 && join_fails "$token" 1 "10.78.0.1" &&
    peer_start 1 && pool_sees 8 1 2
'

is_over() {
    test "$(date +%s)" -ge "$over_s"
}

test_expect_success 'tokens that were used, are damaged, or expired let nobody in' '
    short=$(on 1 cpmp pool invite --lifetime 1s) && over_s=$(($(date +%s) + 3)) &&
    join_fails "$used" 3 "used" &&
    join_fails "${short%?????}aaaaa" 1 "token" &&
    await is_over && join_fails "$short" 3 "expired"
'

test_expect_success 'another pool in the same network is another pool' '
    peer_start 9 --create other && pool_sees 1 9 && pool_sees 8 1 8
'

test_expect_success 'what strangers send changes nothing' '
    on 9 $PERL -MIO::Socket::INET -e "
        for my \$kind (0 .. 2) {
            for (1 .. 5) {
                my \$s = IO::Socket::INET->new(PeerAddr => q(10.78.0.2:7711)) or die;
                print \$s qq(GET / HTTP/1.0\r\n\r\n) if \$kind == 1;
                print \$s pack(q(N*), map { rand 4294967296 } 1 .. 500) if \$kind == 2;
                push @open, \$s if \$kind == 0;
            }
        }" && pool_sees 8 2 && test $(counter 2 connections) -ge 15 &&
    on 2 cpmp ring --count 100 --json | jq -e ".failed == 0"
'

# The ring of a host is whole: all others are its successors.
whole() { # host, peers
    test "$(on "$1" cpmp ring --json | jq ".successors | length")" = "$(($2 - 1))"
}

test_expect_success 'cut into two halves, each is a ring' '
    ip link add br1 type bridge && ip link set br1 up &&
    for host in 5 6 7 8; do ip link set v$host master br1 || return 1; done &&
    for host in 1 2 3 4 5 6 7 8; do await whole $host 4 || return 1; done &&
    pool_sees 4 1 8 &&
    for host in 1 8; do
        on $host cpmp ring --count 200 --json >lookups && jq -e ".failed == 0" lookups || return 1
    done
'

healed_ms=$(now_ms)
test_expect_success 'together again they are one ring, whose peers all see each other' '
    for host in 5 6 7 8; do ip link set v$host master br0 || return 1; done &&
    for host in 1 2 3 4 5 6 7 8; do await whole $host 8 || return 1; done &&
    pool_sees 8 1 2 3 4 5 6 7 8
'
echo "# two halves were one ring again after $(($(now_ms) - healed_ms)) ms"

# The owner of a key is the first id from it on, round the ring.
owners_right() { # the file of lookups
    on 1 cpmp peers --json | jq -r ".peers[].id" | sort >ids &&
    jq -e --rawfile ids ids '
        ($ids | split("\n") | map(select(. != "")) | sort) as $ids |
        .failed == 0 and all(.answers[]; . as $it |
            $it.owner == (([$ids[] | select(. >= $it.key)] | first) // $ids[0]))' "$1"
}

test_expect_success '1000 lookups name the right peers' '
    on 3 cpmp ring --count 1000 --json >lookups && owners_right lookups
'

test_expect_success '... and while peers leave and join none fails' '
    for host in 6 7; do
        on 3 cpmp ring --count 500 --json >lookups & asker=$!
        peer_kill $host TERM && wait $asker && jq -e ".failed == 0" lookups &&
        { on 4 cpmp ring --count 500 --json >lookups & asker=$!; } &&
        peer_start $host && wait $asker && jq -e ".failed == 0" lookups || return 1
    done
'

no_link_to() { # name, host
    test "$(on "$2" cpmp ring --json | jq "[.links[] | select(.name == \"$1\")] | length")" = 0
}

test_expect_success 'a peer that is shut out is out: it says so, and the others know' '
    on 1 cpmp pool revoke pc4 && await grep "shut out" h4/log && pool_sees 7 1 2 8 &&
    await no_link_to pc4 2
'

test_expect_success '... and does not come back' '
    { peer_kill 4 TERM || :; } 2>/dev/null
    test_expect_code 3 on 4 timeout 60 cpmpd 2>err && grep "shut out" err
'

pool_end
test_done
