#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='what cannot work is said, with the right exit code, and nothing is left'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

# cpexec ends with this code before it starts anything; one line says why.
refuses() { # code, pattern, arguments of cpexec...
    code=$1 pattern=$2 && shift 2 &&
    job_run "$code" "$@" && test_must_be_empty out && test "$(wc -l <err)" = 1 &&
    grep "^cpexec: .*$pattern" err
}

test_expect_success 'numbers of ranks' '
    refuses 1 "-np 0: a job has at least one rank" -np 0 true &&
    refuses 1 "-np abc: .* whole number" -np abc true &&
    refuses 1 "-np -3: .* whole number" -np -3 true &&
    refuses 1 "-np 4x: .* whole number" -np 4x true &&
    refuses 1 "-np 99999999999999999999: a job can have 65536 ranks at most" \
        -np 99999999999999999999 true &&
    refuses 1 "-N 9999999999: a job can have 65536 ranks" -N 9999999999 true &&
    refuses 1 "100000 ranks are more than a job can have.* use fewer" -np 100000 true &&
    refuses 1 "more than a job can have" -np 60000 true : -np 60000 true &&
    refuses 1 "are more than fit: 2000 on peer 0.* more peers" -np 2000 true &&
    refuses 1 "do not fit" -N 1 --peers 2 -np 3 true
'

test_expect_success 'options' '
    refuses 1 "unknown option --frobnicate; cpexec --help" --frobnicate true &&
    refuses 1 "-np: a value is missing" -np &&
    refuses 1 "takes no value" --json=yes true &&
    refuses 1 "--peers 0: " --peers 0 true &&
    refuses 1 "--peers 4:0: " --peers 4:0 true &&
    refuses 1 "--peers 65: " --peers 65 true &&
    refuses 1 "--timeout soon: " --timeout soon true &&
    refuses 1 "--timeout 1e10: .* up to 1000000000" --timeout 1e10 true &&
    refuses 1 "--stdin 9999999999: a job can have 65536" --stdin 9999999999 -np 2 true &&
    refuses 1 "--stdin 7: .* 0 to 1" --stdin 7 -np 2 true &&
    refuses 1 "--stdin some: " --stdin some -np 2 true &&
    refuses 1 "a variable has a name" -x =5 true &&
    refuses 1 "--map-by nonsense: .* by slot .* by node" --map-by nonsense true &&
    refuses 1 "--map-by ppr:2:socket: .* only ppr:N:node" --map-by ppr:2:socket true &&
    refuses 1 "--map-by ppr:0:node: .* for each peer" --map-by ppr:0:node true &&
    refuses 1 "--map-by node:odd: what may follow" --map-by node:odd true &&
    refuses 1 "do not fit" --map-by ppr:1:node --peers 2 -np 3 true &&
    refuses 1 "--host: .*elsewhere" --host elsewhere true &&
    refuses 1 "--hostfile nowhere: No such file" --hostfile nowhere true &&
    refuses 1 "--hostfile .: .*Is a directory" --hostfile . true
'

test_expect_success 'no program' '
    refuses 1 "no program to run" &&
    refuses 1 "no program to run" -np 2 &&
    refuses 1 "no program to run" -np 2 true : &&
    refuses 1 "no program to run" -np 2 true : -np 3 &&
    refuses 1 "each needs its -np" -np 2 true : true
'

test_expect_success 'a missing program is 127, one that may not be run 126, as in a shell' '
    echo text >text && mkdir directory &&
    refuses 127 "no-such-program is neither in PATH nor in .*no rank was started" \
        -np 4 no-such-program &&
    refuses 127 "./no-such-program can.t be run: No such file" -np 4 ./no-such-program &&
    refuses 126 "./text can.t be run: Permission denied.*chmod +x" -np 4 ./text &&
    refuses 127 "name is empty" "" &&
    refuses 127 "./no-such in $(pwd)/directory can.t be run" -wdir directory ./no-such &&
    refuses 126 "./directory can.t be run: it is a directory" ./directory &&
    refuses 127 "no-such-program" -np 1 true : -np 1 no-such-program &&
    mkdir closed && chmod a-x closed &&
    refuses 127 "no-such-program is neither in PATH" -x PATH="$(pwd)/closed:$PATH" no-such-program
'

test_expect_success 'what shows only when a rank is started, too' '
    printf "#!/no/such/interpreter\n" >script && printf "\177ELF" >broken &&
    chmod +x script broken &&
    job_run 127 -np 4 ./script && test_must_be_empty out &&
    grep "./script can.t be run: No such file" err && grep interpreter err &&
    job_run 126 --peers 2 -np 4 ./broken && grep "./broken can.t be run" err
'

test_expect_success 'directories' '
    refuses 1 "-wdir nowhere: .*No such file" -wdir nowhere true &&
    refuses 1 "-wdir text: .*Not a directory" -wdir text true
'

test_expect_success 'an environment that is too large is named, and what is largest in it' '
    huge=$(head -c 100000 /dev/zero | tr "\\0" x) &&
    (for i in 0 1 2 3 4 5 6 7 8 9; do eval "export HUGE_$i=$huge"; done &&
        export HUGE_MOST=${huge}more &&
        refuses 1 "more than 1024 KiB together; the largest variable is HUGE_MOST with 97 KiB" \
            -np 2 true)
'

test_expect_success 'files of cpexec that cannot be made' '
    refuses 1 "--events nowhere/events: .*No such file" --events nowhere/events true &&
    refuses 1 "--output-filename text: .*Not a directory" --output-filename text true
'

test_expect_success 'a full disk under --output-filename ends the job and is named' '
    mkdir -p full/1/rank.1 && ln -s /dev/full full/1/rank.1/stdout &&
    job_run 1 --output-filename full -np 3 sh -c "echo line; exec tail -f /dev/null" &&
    grep "full/1/rank.1/stdout can.t be written: No space left" err
'

test_expect_success '... even if nothing is left to end' '
    job_run 1 --output-filename full -np 3 echo line &&
    grep "full/1/rank.1/stdout can.t be written: No space left" err
'

in_own_mounts() {
    for own_mounts in -m -Urm; do
        unshare "$own_mounts" "$@" 2>/dev/null && return 0
    done
    return 1
}
mkdir disk
in_own_mounts mount -t tmpfs -o size=64k none disk && test_set_prereq MOUNT

test_expect_success MOUNT 'a disk that fills up' '
    job_start -np 1 true && job_ends 0 &&
    test_expect_code 1 unshare $own_mounts sh -c "
        mount -t tmpfs -o size=64k none disk &&
        exec env $job_mark cpexec --output-filename disk:nocopy -np 2 \
            sh -c \"yes \\\$CPMP_RANK\"" 2>err &&
    grep "can.t be written: No space left on device" err && grep "Make room" err && job_is_gone
'

test_expect_success 'a limit of file size is such an error, not the end of cpexec' '
    limited="ulimit -f \$1 && shift && exec cpexec \"\$@\"" &&
    test_expect_code 1 env $job_mark sh -c "$limited" sh 50000 \
        --output-filename small:nocopy -np 1 yes 2>err &&
    grep "stdout can.t be written: File too large" err && rm -r small && job_is_gone &&
    test_expect_code 1 env $job_mark sh -c "$limited" sh 16 -np 1 true 2>err &&
    grep "(segment): File too large" err && grep "ulimit -f" err && job_is_gone
'

test_expect_success 'a pipe where output is to go is refused, not waited for' '
    mkdir -p pipes/1/rank.0 && mkfifo pipes/1/rank.0/stdout pipes/events &&
    refuses 1 "pipes/events: .*it is a pipe, not a file" --events pipes/events true &&
    refuses 1 "rank.0/stdout can.t be made: it is a pipe" --output-filename pipes -np 1 true
'

test_expect_success 'a current directory that is gone, with another one given' '
    mkdir gone && echo / >expected &&
    ( cd gone && rmdir ../gone &&
        cpexec -wdir / -np 1 pwd >"$SHARNESS_TRASH_DIRECTORY/actual" ) &&
    test_cmp expected actual
'

test_expect_success 'a full disk under --events' '
    cpcc -Wall -Wextra -Werror -o part "$CPMP_SRCDIR/tests/system/src/job_part.c" &&
    job_run 1 --events /dev/full -np 3 ./part emit 10 &&
    grep "/dev/full can.t be written: No space left" err
'

test_expect_success 'a full disk behind standard output' '
    test_expect_code 1 env $job_mark cpexec -np 2 yes >/dev/full 2>err &&
    grep "standard output can.t be written: No space left" err && job_is_gone &&
    test_expect_code 1 env $job_mark cpexec -np 2 hostname >/dev/full 2>err &&
    grep "standard output can.t be written: No space left" err &&
    test_expect_code 1 cpexec --help >/dev/full 2>err && grep "No space left" err
'

test_expect_success 'nobody reads standard output any more' '
    { { env $job_mark cpexec -np 2 yes 2>err; echo $? >code; } | head -n 1; } >out &&
    has_lines 1 y out && echo 141 >expected && test_cmp expected code &&
    test_must_be_empty err && job_is_gone
'

test_expect_success 'standard output, error and input that are closed' '
    test_expect_code 1 env $job_mark cpexec -np 2 hostname >&- 2>err &&
    grep "standard output can.t be written: .*closed" err &&
    test_expect_code 0 env $job_mark cpexec -np 2 true >&- 2>err && test_must_be_empty err &&
    test_expect_code 1 cpexec --version >&- 2>err && grep "can.t be written" err &&
    test_expect_code 0 env $job_mark cpexec -np 2 sh -c "echo word >&2" 2>&- &&
    test_expect_code 0 env $job_mark cpexec -np 2 cat <&- && job_is_gone
'

test_expect_success 'an agent that is missing, or none' '
    test_expect_code 1 env CPMP_AGENT=/no/such/agent cpexec -np 2 true 2>err &&
    grep "CPMP_AGENT=/no/such/agent: No such file.*cpmp-agent" err &&
    test_expect_code 1 env CPMP_AGENT=/bin/true cpexec -np 2 true 2>err &&
    grep "agent of peer 0 .* did not come up: it exited with code 0" err &&
    test_expect_code 1 env CPMP_AGENT_PREFIX_1=/no/such/prefix cpexec --peers 2 -np 2 true 2>err &&
    grep "agent of peer 1 .* did not come up: it exited with code 127" err
'

test_done
