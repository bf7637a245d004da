#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='cpexec on a pool: two peers on this machine, each with a daemon'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

hello=$CPMP_BUILDDIR/examples/.libs/hello
unset CPMP_POOL

daemon_up() { # name, options of cpmpd...
    daemon=$1 && shift
    rm -f "$daemon.log"
    cpmpd --state "$PWD/$daemon" --listen 127.0.0.1:0 "$@" >"$daemon.log" 2>&1 </dev/null &
    echo $! >"$daemon.pid"
    await grep -q ' is ready' "$daemon.log"
}

# It listens where it did: the other one knows that.
daemon_again() { # name
    daemon=$1
    at=$(sed -n 's/.* is ready at //p' "$daemon.log" | sed 's/,.*//')
    rm -f "$daemon.log"
    cpmpd --state "$PWD/$daemon" --listen "$at" >"$daemon.log" 2>&1 </dev/null &
    echo $! >"$daemon.pid"
    await grep -q ' is ready' "$daemon.log"
}

daemon_signal() { # name, signal
    kill "-$2" "$(cat "$1.pid")"
}

daemon_kill() { # name
    daemon_signal "$1" KILL && { wait "$(cat "$1.pid")" || :; }
}

with() { # name, words of cpmp...
    with=$1 && shift
    CPMP_STATE=$PWD/$with cpmp "$@"
}

# Agents are the children of fork servers, and these of daemons. A fork server at rest has none.
agents_are_gone() {
    for name in pc1 pc2; do
        for fork server in $(pgrep -P "$(cat $name.pid)" -f cpmp-agent); do
            test -z "$(pgrep -P "$server")" || return 1
        done
    done
}

# However busy this machine is with other tests.
on_pool() { # expected exit code, arguments of cpexec...
    pool_code=$1 && shift && job_run "$pool_code" --oversubscribe "$@"
}

sees_jobs() { # name, count
    test "$(with "$1" jobs --json | jq "$jobs_of")" = "$2"
}
jobs_of='if type == "array" then length else .jobs | length end'

# It has a loop and, in it, a connection.
job_asks() {
    ls -l "/proc/$job/fd" >fds && grep -q eventpoll fds && grep -q "socket:" fds
}

both_are_seen() {
    for name in pc1 pc2; do
        with "$name" peers --json | grep -q '"name": *"pc1"' &&
            with "$name" peers --json | grep -q '"name": *"pc2"' || return 1
    done
}

both_share() {
    for name in pc1 pc2; do
        with "$name" peers >rows && ! grep "doesn.t share" rows || return 1
    done
}

if ! cpexec --pool none --sandbox -np 1 true >out 2>err; then
    skip_all="no sandbox here: $(tr '\n' ' ' <err | cut -c 1-300)"
    test_done
fi

test_expect_success 'a pool of two' '
    daemon_up pc1 --name pc1 --create lab &&
    daemon_up pc2 --name pc2 --join "$(with pc1 pool invite)" &&
    for name in pc1 pc2; do
        with $name policy set cpu-others=100% >out || return 1
    done &&
    await both_are_seen && await both_share
'
CPMP_STATE=$PWD/pc1
export CPMP_STATE

test_expect_success 'ranks run on both, and the map says where' '
    on_pool 0 -np 4 -N 2 --display-map "$hello" &&
    grep "^Map of job [0-9a-f]*: 4 ranks, 2 peers" out &&
    grep "pc1, .* cores, this machine: 2 ranks" out && grep "pc2, .*: 2 ranks" out &&
    test $(grep -c "hello from rank" out) = 4
'

test_expect_success 'JSON names peers in map and report' '
    on_pool 0 -np 2 -N 1 --json "$hello" &&
    jq -es ".[0].type == \"map\" and ([.[0].peers[].name] | sort == [\"pc1\", \"pc2\"]) and
        ([.[0].peers[] | select(.name == \"pc1\")][0].distance_us == 0) and
        ([.[0].peers[].id | length] == [40, 40]) and .[-1].type == \"report\" and
        ([.[-1].peers[].name] | sort == [\"pc1\", \"pc2\"])" out
'

test_expect_success 'without launching: a map, and nothing is kept' '
    on_pool 0 -np 4 -N 2 --do-not-launch "$hello" && grep "not launched: 4 ranks, 2 peers" out &&
    ! grep hello.from out && await agents_are_gone
'

test_expect_success '--host, --hostfile, and how many ranks they stand for' '
    on_pool 0 --host pc2 hostname && test $(wc -l <out) = 1 &&
    on_pool 0 --host pc1:2,pc2 --display-map true && grep "3 ranks, 2 peers" out &&
    on_pool 0 --host pc1,pc2 -N 2 --display-map true && grep "4 ranks, 2 peers" out &&
    on_pool 0 --host "pc*" -np 2 --map-by node --display-map true && grep "2 ranks" out &&
    printf "# two\npc2 slots=2 max_slots=4\npc1:1\n" >hosts &&
    on_pool 0 --hostfile hosts --display-map true && grep "3 ranks, 2 peers" out &&
    on_pool 0 --pool lab --host localhost -np 1 --display-map true &&
    grep "pc1, .*this machine" out
'

test_expect_success '--host localhost alone is this machine, and no pool' '
    on_pool 0 --host localhost -np 2 --display-map true && ! grep pc1 out
'

test_expect_success 'what travels: programs, scripts, links, arguments, private libraries' '
    echo content >in.txt && ln -sf in.txt link.txt && mkdir -p sub &&
    printf "#!/bin/sh\ncat \"\$1\" && pwd\n" >show.sh && chmod +x show.sh && ln -sf show.sh show &&
    on_pool 0 --host pc2 ./show link.txt && printf "content\n%s\n" "$PWD" >expected &&
    test_cmp expected out &&
    on_pool 0 --host pc2 sub/../show.sh "$PWD/in.txt" && test_cmp expected out &&
    on_pool 0 --host pc2 --preload-files in.txt,show.sh sh -c "cat in.txt; ls" &&
    printf "content\nin.txt\nshow.sh\n" >expected && test_cmp expected out &&
    echo "int f(void) { return 0; }" >f.c &&
    echo "int f(void); int main(void) { return f(); }" >m.c &&
    $CC -shared -fPIC -o libf77.so f.c && $CC -o uses m.c -L. -lf77 -Wl,-rpath,"$PWD" &&
    on_pool 0 --host pc2 ./uses
'

test_expect_success 'what does not travel is said' '
    on_pool 0 --host pc2 echo sub &&
    grep "the directory sub isn.t sent along; name its files by --preload-files" err &&
    truncate -s 65M large && on_pool 0 --host pc2 sh -c "test ! -e large" large &&
    grep "large isn.t sent along: it has 65 MiB, .* up to 64 MiB; send it by --preload-files" err &&
    on_pool 1 --host pc2 --preload-files sub true &&
    grep "sub can.t be sent along: it is a directory" err &&
    on_pool 1 --host pc2 --preload-files nothing true && grep "nothing: No such file" err
'

test_expect_success 'several programs, standard input, -x; the rest of the environment stays' '
    on_pool 0 --host pc1,pc2 -np 1 echo one : -np 1 ./show.sh in.txt &&
    grep one out && grep content out &&
    seq 50000 >words && on_pool 0 --host pc2,pc1 --map-by node -np 2 \
        sh -c "test \$CPMP_RANK = 1 || cat" <words && test_cmp words out &&
    TOKEN=secret FOO=bar && export TOKEN FOO &&
    on_pool 0 --host pc2 -x FOO env && grep "^FOO=bar$" out && ! grep -i secret out &&
    grep "^PATH=/usr/local/bin:/usr/bin:/bin$" out && unset TOKEN FOO
'

test_expect_success 'a working directory that peers do not have; it is empty there' '
    mkdir -p elsewhere && : >elsewhere/file &&
    on_pool 0 --host pc2 -wdir "$PWD/elsewhere" sh -c "pwd && ls && : >new" &&
    echo "$PWD/elsewhere" >expected && test_cmp expected out && test ! -e elsewhere/new &&
    on_pool 1 -np 1 -wdir "$PWD/elsewhere" true : -np 1 -wdir "$PWD/sub" true &&
    grep "share one working directory" err
'

test_expect_success 'errors say what to do' '
    on_pool 1 --pool other -np 1 true &&
    grep "^cpexec: --pool other: this machine.s cpmpd is in pool lab" err &&
    job_run 1 -np 3000 true && grep "of 3000 ranks: .* wait for more with --wait" err &&
    on_pool 1 --host pc9 -np 1 true && grep "not among --host" err &&
    on_pool 1 --require "memory>=900T" -np 1 true && grep "memory" err &&
    on_pool 1 -N 2 true && grep "N 2 says .*-np" err &&
    on_pool 1 --host "pc*" true && grep "np N is missing" err &&
    on_pool 1 --host pc1:x true && grep "number of ranks" err &&
    on_pool 1 --host pc2 --stdin 7 true && grep "stdin 7: the ranks of this job are 0 to 0" err &&
    (CPMP_STATE=$PWD/none && job_run 1 --pool lab -np 1 true) && grep "no cpmpd answers in" err &&
    (CPMP_STATE=$PWD/none && job_run 0 -np 1 true) && grep "runs on this machine alone" err
'

test_expect_success 'a library that no peer has' '
    rm libf77.so && on_pool 1 --host pc2 ./uses &&
    grep "pc2: refused: uses can.t run there: it lacks libf77.so" err
'

test_expect_success 'the owner of a peer refuses; others take its ranks' '
    with pc2 policy set share=no >out && on_pool 1 --host pc2 true && grep "pc2: .*owner" err &&
    on_pool 0 --display-map -np 4 -N 4 true && grep "4 ranks, 1 peer" out && grep "pc1, " out &&
    with pc2 policy set share=yes >out && await on_pool 0 --host pc2 true
'

test_expect_success 'jobs are seen in the whole pool while they run' '
    mkfifo go && exec 8<>go &&
    job_start --oversubscribe -np 2 -N 1 --stdin all sh -c "echo begun; read -r line" <&8 &&
    await has_lines 2 begun out && await sees_jobs pc2 1 &&
    id=$(with pc2 jobs | sed -n "2s/ .*//p") && with pc2 job "$id" >shown &&
    grep "^state *running" shown && grep "^from *pc1" shown && grep "^pc1 *running" shown &&
    grep "^pc2 *running" shown &&
    echo >&8 && exec 8>&- && job_ends 0 && await sees_jobs pc2 0
'

test_expect_success 'the daemon of the launcher is killed: the job goes on, and is seen again' '
    exec 8<>go &&
    job_start --oversubscribe -np 2 -N 1 --stdin all sh -c "echo begun; read -r line" <&8 &&
    await has_lines 2 begun out && daemon_kill pc1 && daemon_again pc1 &&
    await sees_jobs pc1 1 && await sees_jobs pc2 1 &&
    echo >&8 && exec 8>&- && job_ends 0 && await both_are_seen
'

test_expect_success 'a daemon that is restarted while cpexec asks it is waited for' '
    daemon_signal pc1 STOP && job_start --oversubscribe --host pc1 true && await job_asks &&
    daemon_kill pc1 && daemon_again pc1 && job_ends 0 && await both_are_seen
'

test_expect_success 'a signal at any step leaves nothing anywhere' '
    for delay in 0.005 0.02 0.04 0.06 0.1 0.2; do
        test_expect_code 124 timeout -s INT $delay env "$job_mark" cpexec --oversubscribe -np 4 \
            -N 2 tail -f /dev/null >out 2>err </dev/null || return 1
        await agents_are_gone && job_is_gone || return 1
    done
'

test_expect_success 'who vanishes while a peer is asked leaves nothing, either' '
    daemon_signal pc2 STOP &&
    test_expect_code 137 timeout -s KILL 0.3 cpexec --oversubscribe --host pc2 \
        tail -f /dev/null </dev/null &&
    daemon_signal pc2 CONT && await agents_are_gone && on_pool 0 --host pc2 true
'

for name in pc1 pc2; do
    daemon_signal $name TERM && wait "$(cat $name.pid)"
done
test_done
