# SPDX-License-Identifier: BSD-3-Clause
# For tests with several peers: hosts 1 … N, network namespaces on one bridge, each with a state
# directory of its own. Nothing has a name outside, so all of it is gone with the script.
#
# The script begins with
#     . "$CPMP_SRCDIR/tests/system/sharness.d/pool.sh" && pool_begin "$0" "$@"
# before sharness, because it moves to a namespace of its own.

pool_begin() { # the script, its arguments...
    test -z "${CPMP_TEST_POOL:-}" || return 0
    CPMP_TEST_POOL=none && export CPMP_TEST_POOL
    PATH=$PATH:/usr/sbin:/sbin
    for how in -n -Urn; do
        if unshare "$how" sh -c 'ip -V' >/dev/null 2>&1; then
            CPMP_TEST_POOL=made
            exec unshare "$how" sh "$@"
        fi
    done
}

pool_skip() {
    if test "$CPMP_TEST_POOL" = none; then
        skip_all='this user may not make network namespaces, or the package iproute2 is missing'
        test_done
    fi
}

. "$CPMP_SRCDIR/tests/system/sharness.d/await.sh"

# Hosts hold a shell each that waits for the end of this script at a pipe.
hosts_make() { # count
    hosts=$1
    mkfifo stay && ip link set lo up && ip link add br0 type bridge && ip link set br0 up &&
    ip addr add 10.78.0.254/24 dev br0 || return 1
    exec 9<>stay
    for host in $(seq "$hosts"); do
        mkdir -p "h$host" && mkfifo say &&
        { unshare -n sh -c 'echo $$ && exec >&- && read -r end' <stay >say 9>&- & } &&
        read -r pid <say && rm say && echo "$pid" >"h$host/pid" &&
        ip link add "v$host" type veth peer name eth0 netns "$pid" &&
        ip link set "v$host" master br0 up && on "$host" ip link set lo up &&
        on "$host" ip addr add "10.78.0.$host/24" dev eth0 &&
        on "$host" ip -6 addr add "fd78::$host/64" dev eth0 nodad &&
        on "$host" ip link set eth0 up || return 1
    done
}

host_pid() { # host
    cat "h$1/pid"
}

# A command on a host, with the host's state directory.
on() { # host, command...
    on_host=$1 && shift &&
    CPMP_STATE="$PWD/h$on_host/state" nsenter -t "$(host_pid "$on_host")" -n "$@" 9>&-
}

# All processes of a host but the shell that holds it.
host_pids() { # host
    pgrep --ns "$(host_pid "$1")" --nslist net . | grep -vx "$(host_pid "$1")"
}

host_is_empty() { # host
    test -z "$(host_pids "$1")"
}

# The host's cable.
host_cut() { # host
    ip link set "v$1" down
}

host_mend() { # host
    ip link set "v$1" up
}

peer_pid() { # host
    cat "h$1/daemon"
}

# Starts the daemon of a host and waits until it is a peer of the pool.
peer_start() { # host, options of cpmpd...
    peer_host=$1 && shift
    { CPMP_STATE="$PWD/h$peer_host/state" nsenter -t "$(host_pid "$peer_host")" -n \
        cpmpd --name "pc$peer_host" "$@" >"h$peer_host/log" 2>&1 9>&- &
        echo $! >"h$peer_host/daemon"; }
    await peer_is_ready "$peer_host" || { cat "h$peer_host/log" && return 1; }
}

peer_is_ready() { # host
    grep -q ' is ready' "h$1/log" || ! kill -0 "$(peer_pid "$1")" 2>/dev/null
}

# A pool of hosts 1 … N, each let in by a token of its own.
pool_make() { # count, options of cpmpd...
    pool_count=$1 && shift &&
    peer_start 1 --create lab "$@" || return 1
    for peer in $(seq 2 "$pool_count"); do
        token=$(on 1 cpmp pool invite) && peer_start "$peer" --join "$token" "$@" || return 1
    done
}

peer_kill() { # host, signal
    kill "-${2:-KILL}" "$(peer_pid "$1")" && { wait "$(peer_pid "$1")" || :; }
}

# The host as a whole: daemon, agents, ranks.
host_kill() { # host
    for pid in $(host_pids "$1"); do
        kill -9 "$pid" 2>/dev/null
    done
    return 0
}

# What jobs have on a host: its processes but the daemon and its child, the fork server.
# (Ranks are in network namespaces of their own: they bear the mark of job.sh.)
host_work() { # host
    for pid in $(host_pids "$1"); do
        work_parent=$(sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$pid/stat" 2>/dev/null) || continue
        test "$pid" = "$(peer_pid "$1")" || test "$work_parent" = "$(peer_pid "$1")" || echo "$pid"
    done
}

# Nothing of a job is left on any host.
pool_is_clear() {
    test -z "$(job_pids)" || return 1
    for host in $(seq "$hosts"); do
        test -z "$(host_work "$host")" || return 1
    done
}

# cpexec on a host, in the background: $job, and what it prints in the files out and err.
job_on() { # host, arguments of cpexec...
    job_sweep
    rm -f out err
    job_host=$1 && shift
    { env "$job_mark" CPMP_STATE="$PWD/h$job_host/state" \
        nsenter -t "$(host_pid "$job_host")" -n cpexec "$@" >out 2>err </dev/null 9>&- &
        job=$!; }
}

# Waits for its end; nothing is left of it anywhere soon after.
job_over() { # code
    wait "$job"
    job_code=$?
    test "$job_code" = "$1" || { echo "cpexec ended with $job_code" && cat out err && return 1; }
    await pool_is_clear || { ps -ef --forest && return 1; }
}

# In the foreground.
job_on_over() { # code, host, arguments of cpexec...
    job_expected=$1 && shift && job_on "$@" && job_over "$job_expected"
}

now_ms() {
    echo $(($(date +%s%N) / 1000000))
}

# As many peers as that are seen from a host.
peers_seen() { # host, count
    test "$(on "$1" cpmp peers --json | jq '.peers | length')" = "$2"
}

# So many rows of a host's history are open: jobs that run there.
history_open() { # host, count
    on "$1" cpmp history --json >history &&
        test "$(jq '[.history[] | select(.ended == null)] | length' history)" = "$2"
}

# ... and from each of the hosts.
pool_sees() { # count, host...
    see_count=$1 && shift
    for see_host; do
        await peers_seen "$see_host" "$see_count" ||
            { on "$see_host" cpmp peers; cat "h$see_host/log"; return 1; }
    done
}

# A policy on all hosts of 1 ... N.
pool_policy() { # count, key=value...
    policy_count=$1 && shift
    for host in $(seq "$policy_count"); do
        on "$host" cpmp policy set "$@" >/dev/null || return 1
    done
}

# Each host of the first so many sees that all of them share: what they say has got round.
pool_shares() { # count
    for host in $(seq "$1"); do
        await pool_shares_seen "$host" "$1" || return 1
    done
}

pool_shares_seen() { # host, count
    on "$1" cpmp peers --json | jq -e "[.peers[] | select(.sharing)] | length == $2"
}

pool_end() {
    for host in $(seq "$hosts"); do
        host_kill "$host"
    done
    exec 9>&-
}
