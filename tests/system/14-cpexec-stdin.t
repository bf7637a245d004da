#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='standard input of ranks'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

line_of_each='read -r line; echo $CPMP_RANK:$line'

each_gets() { # expected words, arguments of cpexec...
    expected=$1 && shift &&
    printf "word\n" | job_run 0 "$@" -np 3 sh -c "$line_of_each" &&
    test "$(echo $(sort out))" = "$expected"
}

test_expect_success 'it goes to rank 0, or where --stdin says' '
    each_gets "0:word 1: 2:" &&
    each_gets "0:word 1: 2:" --stdin 0 &&
    each_gets "0: 1: 2:word" --stdin 2 &&
    each_gets "0: 1: 2:word" --peers 2 --stdin 2 &&
    each_gets "0: 1: 2:" --stdin none &&
    each_gets "0:word 1:word 2:word" --stdin all &&
    each_gets "0:word 1:word 2:word" --peers 2 --stdin all
'

test_expect_success 'from a file, a pipe, nothing' '
    seq 100000 >numbers &&
    job_run 0 -np 2 cat <numbers && test_cmp numbers out &&
    cat numbers | job_run 0 -np 2 cat && test_cmp numbers out &&
    job_run 0 -np 2 cat </dev/null && test_must_be_empty out
'

test_expect_success '100 MiB go through unharmed' '
    head -c 104857600 /dev/zero | tr "\0" "x" | sha256sum >expected &&
    head -c 104857600 /dev/zero | tr "\0" "x" | job_run 0 -np 2 sha256sum &&
    grep -x -f expected out &&
    test $(wc -l <out) = 2
'

test_expect_success '... and back, and over another peer' '
    seq 2000000 >many && sha256sum <many >expected &&
    job_run 0 --stdin 1 --peers 2 -np 2 cat <many && sha256sum <out >actual &&
    test_cmp expected actual
'

test_expect_success 'bytes of every kind, and no end of line at the end' '
    printf "a\0b\377c\n\r\nend" >bytes &&
    job_run 0 -np 1 cat <bytes && test_cmp bytes out &&
    job_run 0 -np 2 cat <bytes && test_cmp bytes out
'

test_expect_success 'a reader that closes it is no failure, whatever comes' '
    yes | job_run 0 -np 2 true &&
    yes | job_run 0 -np 2 sh -c "exec <&-; echo closed" && has_lines 2 closed out &&
    yes | job_run 0 -np 2 head -n 1 && has_lines 1 y out &&
    yes | job_run 0 --stdin all --peers 2 -np 4 head -n 1 && has_lines 4 y out
'

test_expect_success 'who writes to cpexec learns of it' '
    { yes; echo $? >code; } | job_run 0 -np 1 head -n 1 && await test -s code
'

test_expect_success 'with --stdin all one that closes does not stop the others' '
    seq 200000 | job_run 0 --stdin all -np 3 sh -c "
        test \$CPMP_RANK != 1 || exit 0; wc -l" && has_lines 2 "^200000\$" out
'

test_expect_success 'a job ends though its input does not' '
    mkfifo never && exec 8<>never && job_run 0 -np 2 hostname <never &&
    job_run 3 -np 2 sh -c "exit 3" <never && exec 8>&-
'

# How much of its input cpexec has taken.
input_bytes() {
    sed -n "s/^pos:[^0-9]*//p" /proc/$job/fdinfo/0
}
input_is_beyond() { # bytes
    test "$(input_bytes)" -ge "$1"
}

test_expect_success 'a slow reader slows the writer, and neither cpexec nor agent fill up' '
    keep_nothing_freed &&
    mkfifo gate && exec 8<>gate && head -c 104857600 /dev/zero >zeros &&
    echo "test \$CPMP_RANK = 0 || exit 0
        echo up; read -r go <gate; wc -c; read -r end <gate" >rank &&
    job_start -np 2 sh ./rank <zeros && await grep up out &&
    agent=$(pgrep -P $job -x cpmp-agent) &&
    await input_is_beyond 262144 && test $(input_bytes) -lt 2097152 &&
    before=$(($(peak_kib $job) + $(peak_kib $agent))) && echo go >&8 &&
    await grep -x 104857600 out &&
    after=$(($(peak_kib $job) + $(peak_kib $agent))) && echo go >&8 && job_ends 0 && exec 8>&- &&
    echo "$before KiB, $after KiB" && test $((after - before)) -lt 16384
'

test_done
