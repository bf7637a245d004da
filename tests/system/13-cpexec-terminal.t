#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='cpexec on a terminal'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

if ! script --version 2>/dev/null | grep -q util-linux; then
    skip_all='script(1) of util-linux is missing'
    test_done
fi
SHELL=/bin/sh TERM=xterm
export SHELL TERM
unset COLUMNS LINES

# Runs the shell script "scene" on a terminal of its own. What comes on the terminal is in the file
# screen, what is written to descriptor 8 is typed. The script's exit code comes to the file code.
terminal_start() {
    rm -f code keys screen && mkfifo keys && exec 8<>keys &&
    { env "$job_mark" script -qfc "sh ./scene; echo \$? >code" screen <keys >/dev/null 2>&1 8>&- &
        terminal=$!; }
}

terminal_ends() { # code
    wait $terminal
    exec 8>&-
    echo "$1" >expected && test_cmp expected code && job_is_gone
}

# cpexec alone on a terminal.
terminal_run() { # arguments without blanks...
    echo "exec cpexec $*" >scene && terminal_start
}

type_keys() { # as for printf
    printf "$1" >&8
}

test_expect_success 'the program compiles' '
    cpcc -Wall -Wextra -Werror -o part "$CPMP_SRCDIR/tests/system/src/job_part.c"
'

test_expect_success 'Ctrl-C ends the ranks' '
    terminal_run -np 3 ./part wait && await has_lines 3 "rank . is" screen &&
    type_keys "\003" && terminal_ends 130 && grep "ended by signal 2" screen
'

test_expect_success 'a second Ctrl-C ends those that do not care' '
    cat >rank <<-\EOF &&
	trap "echo never" INT
	trap "" TERM
	echo up
	while :; do tail -f /dev/null & wait; done
	EOF
    terminal_run -np 2 sh ./rank && await has_lines 2 up screen &&
    type_keys "\003" && await has_lines 2 never screen && type_keys "\003" && terminal_ends 130
'

test_expect_success 'Ctrl-\ ends them too' '
    terminal_run --peers 2 -np 3 ./part wait && await has_lines 3 "rank . is" screen &&
    type_keys "\034" && terminal_ends 131
'

test_expect_success 'Ctrl-Z gives the terminal back, fg goes on' '
    cat >scene <<-\EOF &&
	set -m
	cpexec -np 2 sh ./rank || echo back
	fg
	EOF
    echo "echo up; read -r line; echo got \$line" >rank &&
    terminal_start && await has_lines 2 up screen && type_keys "\032" &&
    await has_lines 1 back screen && type_keys "word\n" && terminal_ends 0 &&
    grep "got word" screen
'

test_expect_success 'a terminal that is gone ends the job' '
    terminal_run -np 3 ./part wait && await has_lines 3 "rank . is" screen &&
    kill -9 $terminal && { wait $terminal; exec 8>&-; await job_is_gone; }
'

test_expect_success 'lines that are typed go to rank 0, until Ctrl-D' '
    terminal_run -np 2 cat && type_keys "one\ntwo\n" && await has_lines 2 two screen &&
    type_keys "\004" && terminal_ends 0
'

test_expect_success 'a prompt without an end of line shows' '
    cat >rank <<-\EOF &&
	test $CPMP_RANK = 0 || exit 0
	printf "your name? "
	read -r name
	echo hello $name
	EOF
    terminal_run -np 2 sh ./rank && await grep "your name?" screen && type_keys "cpmp\n" &&
    terminal_ends 0 && grep "hello cpmp" screen
'

test_expect_success 'a status line tells ranks, progress and the latest result' '
    terminal_run -np 4 ./part progress 25 && await grep "4 of 4 ranks running | 25 %" screen &&
    type_keys "\003" && terminal_ends 130 &&
    terminal_run --events events -np 2 ./part emit-and-wait 3 &&
    await grep "2 of 2 ranks running | \[.\] step: 3 of 3 by rank" screen &&
    type_keys "\003" && terminal_ends 130
'

test_expect_success 'it comes to what ranks told last, also when nothing happens after it' '
    terminal_run -np 1 ./part progress-in-steps 42 &&
    await grep "1 of 1 rank running | 42 %" screen && type_keys "\003" && terminal_ends 130 &&
    echo "printf open; exec ./part progress 43" >rank &&
    terminal_run -np 1 sh ./rank ">kept" && await grep "1 of 1 rank running | 43 %" screen &&
    type_keys "\003" && terminal_ends 130 && grep "^open" kept
'

test_expect_success 'what ranks have others say cannot steer the terminal, what they print can' '
    terminal_run -np 2 ./part colours && terminal_ends 5 &&
    grep -F "[1] red: a\\x1b[31mb\\xc2\\x9bc\\xffd" screen &&
    grep -F "still \\x1b[31mred" screen &&
    grep -F "$(printf "\033[1mmy own\033[0m")" screen &&
    ! grep -F "$(printf "\033[31m")" screen &&
    job_run 5 -np 2 ./part colours && grep -F "$(printf "a\033[31mb\302\233c\377d")" out &&
    grep -F "$(printf "still \033[31mred")" err
'

test_expect_success 'nothing of it stays, or comes between what ranks print' '
    echo "test \$CPMP_RANK = 0 || exec tail -f /dev/null
        seq 2000; echo; read -r line; echo last words; exit 3" >rank &&
    echo "stty -echo; exec cpexec -np 2 sh ./rank" >scene && terminal_start &&
    await grep "2 of 2 ranks running" screen && type_keys "\n" && terminal_ends 3 &&
    sed "s/.*\r.\[K//; s/\r\$//" screen >actual &&
    grep -x "[0-9]*" actual | sort -n | uniq >numbers && test $(wc -l <numbers) -ge 2000 &&
    grep -x "last words" actual && ! grep running actual
'

test_expect_success 'nor after Ctrl-S, when it could not be wiped at once' '
    echo "test \$CPMP_RANK = 0 || exec tail -f /dev/null
        read -r line; echo got \$line; echo >printed; read -r line; exit 3" >rank &&
    echo "stty -echo; exec cpexec -np 2 sh ./rank" >scene && rm -f printed && terminal_start &&
    await grep "2 of 2 ranks running" screen && type_keys "\023word\n" && await test -e printed &&
    type_keys "\021" && await grep "got word" screen && type_keys "\n" && terminal_ends 3 &&
    sed "s/.*\r.\[K//; s/\r\$//" screen >actual && grep -x "got word" actual
'

test_expect_success 'no status line where it is not a terminal, or a dumb one' '
    job_run 0 --events events -np 2 ./part emit 3 && test_must_be_empty err &&
    terminal_run --events events -np 2 ./part emit 3 "2>kept" && terminal_ends 0 &&
    test_must_be_empty kept &&
    echo "TERM=dumb cpexec --events events -np 2 ./part emit 3" >scene && terminal_start &&
    terminal_ends 0 && ! grep running screen
'

test_expect_success 'in the background it leaves the terminal to others' '
    cat >scene <<-\EOF &&
	set -m
	cpexec -np 1 sh -c "echo up; exec cat" &
	read -r line
	echo mine: $line
	kill %1
	wait %1
	EOF
    terminal_start && await has_lines 1 up screen && type_keys "word\n" &&
    await grep "mine: word" screen && terminal_ends 143
'

test_done
