#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='what ranks print, and what cpexec says besides'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

test_expect_success 'standard output and error stay apart, whole lines together' '
    job_run 0 -np 4 sh -c "for i in \$(seq 500); do
        echo out \$CPMP_RANK \$i; echo err \$CPMP_RANK \$i >&2; done" &&
    test $(grep -cx "out [0-3] [0-9]*" out) = 2000 && test $(wc -l <out) = 2000 &&
    test $(grep -cx "err [0-3] [0-9]*" err) = 2000 && test $(wc -l <err) = 2000 &&
    for rank in 0 1 2 3; do
        sed -n "s/^out $rank //p" out >actual && seq 500 >expected && test_cmp expected actual ||
            return 1
    done
'

test_expect_success 'bytes of one rank are not changed' '
    head -c 3000000 /dev/urandom >bytes &&
    job_run 0 -np 1 cat bytes && cmp bytes out &&
    job_run 0 --peers 2 -np 2 sh -c "test \$CPMP_RANK = 0 || cat bytes" && cmp bytes out
'

test_expect_success '--merge-stderr-to-stdout' '
    job_run 0 --merge-stderr-to-stdout -np 2 sh -c "echo one; echo two >&2" &&
    has_lines 2 one out && has_lines 2 two out && test_must_be_empty err
'

test_expect_success '--tag-output and --timestamp-output' '
    job_run 0 --tag-output -np 3 sh -c "echo one; echo two >&2; printf three" &&
    sort out >actual &&
    printf "%s\n" "[1,0]<stdout>:one" "[1,0]<stdout>:three" "[1,1]<stdout>:one" \
        "[1,1]<stdout>:three" "[1,2]<stdout>:one" "[1,2]<stdout>:three" >expected &&
    test_cmp expected actual &&
    has_lines 3 "^\[1,[012]\]<stderr>:two" err &&
    date="[A-Z][a-z][a-z] [A-Z][a-z][a-z] [ 0-9][0-9] [0-9:]* 2[0-9][0-9][0-9]" &&
    job_run 0 --timestamp-output -np 2 echo one && has_lines 2 "^$date<stdout>:one\$" out &&
    job_run 0 -timestamp-output -tag-output -np 2 echo one &&
    has_lines 2 "^$date\[1,[01]\]<stdout>:one\$" out
'

test_expect_success '--output-filename writes files too, or only' '
    job_run 0 --output-filename dir/of/files -np 11 sh -c "echo out \$CPMP_RANK; echo err >&2" &&
    test $(wc -l <out) = 11 && test $(wc -l <err) = 11 &&
    for rank in 00 01 02 03 04 05 06 07 08 09 10; do
        test "$(cat dir/of/files/1/rank.$rank/stdout)" = "out ${rank#0}" &&
        test "$(cat dir/of/files/1/rank.$rank/stderr)" = err || return 1
    done &&
    job_run 0 --output-filename dir:nocopy --tag-output -np 1 sh -c "echo out; echo err >&2" &&
    test_must_be_empty out && test_must_be_empty err &&
    echo out >expected && test_cmp expected dir/1/rank.0/stdout
'

test_expect_success '--output-filename for more ranks than there are descriptors' '
    test_expect_code 0 env "$job_mark" sh -c "ulimit -S -n 400 &&
        exec cpexec --output-filename many:nocopy -np 250 sh -c \"echo \\\$CPMP_RANK\"" &&
    cat many/1/rank.*/stdout >actual && seq 0 249 >expected && test_cmp expected actual
'

test_expect_success 'what was written before a failure is in the files' '
    job_run 137 --output-filename some -np 2 sh -c "seq 5000; kill -9 \$\$" &&
    sed -n "s/^Rank \([01]\) .*/\1/p" err >rank && seq 5000 >expected &&
    test_cmp expected some/1/rank.$(cat rank)/stdout
'

test_expect_success 'a failure names the files where its rank printed, if it did so there only' '
    fail="test \$CPMP_RANK != 1 || exit 7; exec tail -f /dev/null" &&
    job_run 7 --output-filename only:nocopy -np 12 sh -c "$fail" &&
    grep "own messages, if it had any, are in only/1/rank.01\.\$" err && test -d only/1/rank.01 &&
    job_run 7 --output-filename only -np 2 sh -c "$fail" && grep "stand above" err &&
    job_run 134 --output-filename only:nocopy -np 1 sh -c "kill -ABRT \$\$" &&
    grep "gave up itself\. Its own messages.* are in only/1/rank.0\." err
'

test_expect_success 'what concerns many ranks is said once, with a count' '
    cpcc -Wall -Wextra -Werror -o part "$CPMP_SRCDIR/tests/system/src/job_part.c" &&
    job_run 9 -np 6 ./part abort-all 9 && has_lines 1 "no more apples" err &&
    job_run 0 --mca btl tcp --mca pml ob1 --bind-to core --bind-to none -np 1 true &&
    echo "cpexec: without effect here: --mca, --bind-to" >expected && test_cmp expected err
'

# The writer sleeps, and has written no more than a moment ago.
is_blocked() { # pid
    was=$now && now=$(sed -n "s/^wchar: //p" /proc/$1/io) &&
    test "$now" -gt 65536 && test "$now" = "$was" && grep "^State:.S" /proc/$1/status
}

# Starts two ranks that write 50 MB each into the pipe "slow" that nobody reads, and waits till they
# can't go on.
writers_start() {
    rm -f slow pid.* && mkfifo slow && exec 8<>slow && job_sweep &&
    { env "$job_mark" cpexec -np 2 sh -c "echo \$\$ >pid.\$CPMP_RANK
        exec head -c 50000000 /dev/zero" >slow 2>err 8>&- & job=$!; } &&
    now=0 && await test -s pid.0 && await is_blocked $(cat pid.0) &&
    now=0 && await test -s pid.1 && await is_blocked $(cat pid.1) &&
    agent=$(pgrep -P $job -x cpmp-agent)
}

test_expect_success 'a slow reader of output slows the ranks' '
    writers_start &&
    for pid in $(cat pid.0 pid.1); do
        test $(sed -n "s/^wchar: //p" /proc/$pid/io) -lt 8000000 || return 1
    done &&
    { wc -c <slow >count 8>&- & counter=$!; } && exec 8>&- &&
    job_ends 0 && wait $counter && test $(cat count) = 100000000
'

test_expect_success 'neither cpexec nor agent fill up' '
    keep_nothing_freed &&
    writers_start && before=$(($(peak_kib $job) + $(peak_kib $agent))) &&
    { { head -c 90000000 >/dev/null; after=$(($(peak_kib $job) + $(peak_kib $agent)))
        echo $after >after; cat >/dev/null; } <slow 8>&- & counter=$!; } && exec 8>&- &&
    job_ends 0 && wait $counter && echo "$before KiB, $(cat after) KiB" &&
    test $(($(cat after) - before)) -lt 16384
'

test_expect_success 'a reader that stops reading does not keep a Ctrl-C from working' '
    writers_start && kill -INT $job && job_ends 130 && exec 8>&-
'

test_expect_success 'stdout of cpexec shared with others that are nonblocking or not' '
    { env "$job_mark" cpexec -np 2 seq 1000 2>err; echo $? >code; seq 1000; } | cat >out &&
    test "$(cat code)" = 0 && test $(wc -l <out) = 3000
'

test_done
