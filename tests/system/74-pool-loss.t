#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$CPMP_SRCDIR/tests/system/sharness.d/pool.sh" && pool_begin "$0" "$@"
test_description='a pool in which daemons, agents, hosts and cables are lost'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"
pool_skip

spread="--oversubscribe --map-by node"

# Ranks that say that they run, and go on until a signal ends them well.
runner="trap 'exit 0' USR1; echo up; while :; do sleep 0.05; done"

runs_on() { # host, ranks, options of cpexec...
    runs_host=$1 && runs_ranks=$2 && shift 2 &&
    job_on "$runs_host" $spread -np "$runs_ranks" "$@" sh -c "$runner" &&
    await has_lines "$runs_ranks" "^up" out || { cat out err && return 1; }
}

some_work() { # host...
    for host; do
        test -n "$(host_work "$host")" || return 1
    done
}

id_of() { # host
    on "$1" cpmp pool --json | jq -r .id
}

# All ranks are there.
job_works() { # ranks
    kill -0 "$job" && test "$(rank_pids | wc -l)" = "$1"
}

rank_pids() {
    for pid in $(job_pids); do
        case $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") in "sh -c trap"*) echo "$pid" ;; esac
    done
}

# The ranks end by themselves, and so does the job.
job_finish() {
    kill -USR1 $(rank_pids) && job_over 0
}

# Waits for the end of a job that lost something, and tells how long that took.
lost_over() { # code, since
    job_over "$1" && echo "$(($(now_ms) - $2))" >took
}
# Of 16 ranks on eight peers, map by node, those with this remainder are a peer's.
lost_told() { # host
    told_peer=$(sed -n "s/^Peer \([0-7]\) (pc$1) was lost, .*/\1/p" err) &&
    grep "(pc$1) was lost, with 2 ranks of this job ($told_peer,$((told_peer + 8)))" err
}
lost_took() { # what was lost
    echo "# $1: the job was over, with a report, after $(cat took) ms"
}

# The processes of a host and all below them, wherever their namespaces are.
host_tree() { # host
    tree_pids=$(host_pids "$1")
    while test -n "$tree_pids"; do
        echo "$tree_pids"
        tree_pids=$(for pid in $tree_pids; do
            cat "/proc/$pid/task/$pid/children" 2>/dev/null
        done | tr ' ' '\n' | grep . | while read -r pid; do
            host_pids "$1" | grep -qx "$pid" || echo "$pid"
        done)
    done
}

host_lose() { # host
    kill -9 $(host_tree "$1")
    wait "$(peer_pid "$1")"
    await host_is_empty "$1"
}

test_expect_success 'a pool of eight' '
    hosts_make 8 && pool_make 8 && pool_sees 8 1 2 3 4 5 6 7 8 && pool_policy 8 cpu-others=100%
'

test_expect_success 'the daemon of a peer is killed while ranks run there: the job goes on' '
    runs_on 1 16 && id=$(id_of 4) && peer_kill 4 && pool_sees 7 1 && job_works 16
'

test_expect_success '... it comes back under its old id and shows its agent again' '
    peer_start 4 && test "$(id_of 4)" = "$id" && await grep "taken up again (2 ranks)" h4/log &&
    job_works 16 && pool_sees 8 1 4 && history_open 4 1
'

test_expect_success '... the job ends well, and the history of that host is closed' '
    job_finish && await history_open 4 0 &&
    jq -e ".history[0] | .program == \"sh\" and .ranks == 2 and .peer == \"pc1\" and .cpu_s > 0" \
        history
'

test_expect_success 'the daemon that the job was started with is killed: the job goes on' '
    runs_on 2 16 && peer_kill 2 && job_works 16 && job_finish && peer_start 2 && pool_sees 8 2 1
'

test_expect_success 'the first peer, which made the pool, is killed: the others find each other' '
    id=$(id_of 1) && host_lose 1 &&
    pool_sees 7 2 5 8 &&
    on 3 cpmp ring --count 200 --json >lookups && jq -e ".failed == 0" lookups
'

test_expect_success '... and run jobs' '
    job_on_over 0 3 $spread -np 14 "$CPMP_EXAMPLES/.libs/ring" 2 && grep "lap 2" out
'

test_expect_success '... back with its state it is who it was, and lets others in' '
    peer_start 1 && test "$(id_of 1)" = "$id" && pool_sees 8 1 2 8 &&
    on 1 cpmp pool invite
'

test_expect_success 'a host is lost with all that ran there: a report names peer and ranks' '
    runs_on 2 16 && begun=$(now_ms) && host_lose 6 && lost_over 1 "$begun" && lost_told 6
'
lost_took 'a host killed'

test_expect_success '... it comes back, and gets ranks again' '
    peer_start 6 && pool_sees 8 6 1 && on 6 cpmp policy set cpu-others=100% &&
    job_on_over 0 6 $spread -np 16 "$CPMP_EXAMPLES/.libs/hello" && test $(wc -l <out) = 16
'

test_expect_success 'the cable of a host is cut: the same' '
    runs_on 3 16 && begun=$(now_ms) && host_cut 7 &&
    { wait "$job"; test $? = 1; } && echo "$(($(now_ms) - begun))" >took &&
    lost_told 7
'
lost_took 'a cable cut'

test_expect_success '... the host that was cut off ends what it ran, by itself' '
    await pool_is_clear
'

test_expect_success '... and with its cable it is in the pool again' '
    host_mend 7 && pool_sees 8 1 7 && job_on_over 0 7 $spread -np 16 "$CPMP_EXAMPLES/.libs/hello"
'

test_expect_success 'cpexec is killed: its ranks end everywhere' '
    runs_on 4 16 && kill -9 "$job" && job_over 137
'

test_expect_success 'the host that cpexec runs on is cut off: its ranks end everywhere' '
    runs_on 5 16 && host_cut 5 && { wait "$job"; test $? = 1; } && await pool_is_clear &&
    host_mend 5 && pool_sees 8 5 1
'

test_expect_success 'Ctrl-C while ranks run' '
    runs_on 5 16 && kill -INT "$job" && job_over 130
'

test_expect_success 'Ctrl-C while it waits for room' '
    job_on 5 -np 1000 --wait=3600 sleep 1000 && await grep "cpexec: waiting: " err &&
    kill -INT "$job" && job_over 130 && test_must_be_empty out
'

# It is in the middle of it when the others are enlisted and one host doesn't answer any more.
test_expect_success 'Ctrl-C while it enrols' '
    host_cut 8 && job_on 5 $spread -np 16 "$CPMP_EXAMPLES/.libs/hello" &&
    await some_work 1 2 3 4 6 7 && kill -INT "$job" && job_over 130 &&
    host_mend 8 && pool_sees 8 8 1
'

pool_end
test_done
