#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='what cpexec tells programs: --json and --events'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

# The filter says true of the file, whose lines are JSON objects, as one list.
holds() { # file, filter of jq
    jq -es "$2" "$1" >said || { echo "$2:" && cat said "$1" && return 1; }
}

test_expect_success 'the program compiles' '
    cpcc -Wall -Wextra -Werror -o part "$CPMP_SRCDIR/tests/system/src/job_part.c"
'

test_expect_success '--json: a map first, a report last, and what ranks print between' '
    job_run 0 --json --peers 2 -np 3 sh -c "echo word \$CPMP_RANK; echo apart >&2" &&
    holds out ".[0].type == \"map\" and .[-1].type == \"report\"" &&
    holds out "[.[1:-1][] | .type] | unique == [\"output\"]" &&
    holds out "[.[] | select(.type == \"output\") | [.rank, .stream, .text]] | sort ==
        [range(3) | [., \"stdout\", \"word \(.)\n\"]]" &&
    has_lines 3 "^apart\$" err
'

test_expect_success 'the map' '
    holds out ".[0] | .cores == $(nproc) and (.programs | length) == 1" &&
    holds out ".[0].programs[0].argv[0:2] == [\"sh\", \"-c\"]" &&
    holds out "[.[0].peers[] | [.peer, .ranks]] == [[0, 2], [1, 1]]" &&
    holds out "[.[0].ranks[] | [.rank, .peer, .program]] == [[0, 0, 0], [1, 0, 0], [2, 1, 0]]" &&
    job_run 0 --json --do-not-launch -np 2 true &&
    holds out "length == 1 and .[0].type == \"map\"" &&
    holds out ".[0] | has(\"job\") | not"
'

test_expect_success 'the report of a job that went well' '
    job_run 0 --json --peers 2 -np 3 "$CPMP_EXAMPLES/ring" 5 &&
    holds out ".[-1].job == .[0].job and (.[0].job | length) == 16" &&
    holds out ".[-1] | .exit_code == 0 and .cause == \"none\"" &&
    holds out ".[-1] | .wall_s > 0 and (has(\"message\") | not)" &&
    holds out "[.[-1].ranks[] | [.rank, .state, .exit_code, .failed]] ==
        [[0, \"exited\", 0, false], [1, \"exited\", 0, false], [2, \"exited\", 0, false]]" &&
    holds out "[.[-1].ranks[] | .pid > 1 and .max_rss_kib > 0] | all" &&
    holds out "[.[-1].peers[] | .lost or .strangers > 0] | any | not" &&
    holds out ".[-1].peers[0].frames_out > 0 and
        .[-1].peers[0].frames_out == .[-1].peers[1].frames_in"
'

test_expect_success 'the reports of jobs that did not' '
    job_run 7 --json -np 2 sh -c "test \$CPMP_RANK = 0 || exit 7; exec tail -f /dev/null" &&
    holds out ".[-1] | .exit_code == 7 and .cause == \"exit\" and .cause_rank == 1" &&
    holds out ".[-1].message | test(\"^Rank 1 .* exited with code 7\") and (test(\"---\") | not)" &&
    holds out "[.[-1].ranks[] | [.state, .signal, .exit_code, .failed]] ==
        [[\"killed\", 15, null, false], [\"exited\", null, 7, true]]" &&
    job_run 139 --json -np 2 ./part crash &&
    holds out ".[-1] | .exit_code == 139 and .cause == \"signal\" and .ranks[1].signal == 11" &&
    job_run 5 --json -np 2 ./part abort 5 &&
    holds out ".[-1] | .exit_code == 5 and .cause == \"abort\" and .cause_rank == 1" &&
    job_run 1 --json -np 2 ./part leave 0 && holds out ".[-1].cause == \"left\"" &&
    job_run 110 --json --timeout 0.2 -np 2 ./part wait && holds out ".[-1].cause == \"timeout\"" &&
    printf "#!/no/such/interpreter\n" >script && chmod +x script &&
    job_run 127 --json -np 2 ./script &&
    holds out ".[-1] | .cause == \"start\" and ([.ranks[].state] == [\"unstarted\", \"unstarted\"])"
'

test_expect_success 'one line for a code that all ranks exited with' '
    job_run 3 --json -np 1 sh -c "exit 3" &&
    holds out ".[-1].message | rtrimstr(\"\n\") == \"Rank 0 exited with code 3: sh -c exit 3\""
'

test_expect_success 'how far ranks were when they ended' '
    job_run 0 --json --peers 2 -np 3 ./part progress-and-end 20 &&
    holds out ".[-1].progress == {\"done\": 63, \"total\": 300}" &&
    holds out "[.[-1].ranks[].progress.done] == [20, 21, 22]" &&
    job_run 0 --json -np 2 ./part emit 1 &&
    holds out "[.[-1] | recurse | objects | has(\"progress\")] | any | not"
'

test_expect_success '... killed from outside' '
    job_start --json --peers 2 -np 2 ./part wait && await has_lines 2 "rank . is" out &&
    kill -9 $(pgrep -P $job -x cpmp-agent | tail -n 1) && job_ends 1 &&
    holds out ".[-1] | .exit_code == 1 and .cause == \"peer\"" &&
    holds out "[.[-1].peers[].lost] == [false, true] and .[-1].ranks[1].state == \"lost\"" &&
    job_start --json -np 2 ./part wait && await has_lines 2 "rank . is" out &&
    kill -INT $job && job_ends 130 &&
    holds out ".[-1] | .exit_code == 130 and .cause == \"interrupt\""
'

test_expect_success 'output that is not UTF-8 is in base64, any other is JSON whatever it is' '
    job_run 0 --json -np 1 printf "\377\000x\n" &&
    holds out ".[1] | .base64 == \"/wB4Cg==\" and (has(\"text\") | not)" &&
    job_run 0 --json -np 1 printf "%s\n" "\"\\ ü 	" &&
    holds out ".[1].text == \"\\\"\\\\ ü \t\n\""
'

test_expect_success '--events: JSON lines, each once, in order of each rank' '
    job_run 0 --events events --peers 2 -np 4 ./part emit 500 &&
    has_lines 4 "^rank . is" out && ! grep step out &&
    holds events "length == 2000" &&
    holds events "[.[] | select(.topic != \"step\" or .time < 1e9)] == []" &&
    for rank in 0 1 2 3; do
        holds events "[.[] | select(.rank == $rank)] | [.[].sequence] == [range(1; 501)] and
            [.[].text] == [range(1; 501) | \"\(.) of 500 by rank $rank\"]" || return 1
    done
'

test_expect_success 'bytes are in base64' '
    job_run 0 --events events -np 1 ./part bytes &&
    holds events "length == 1 and .[0].base64 == \"AAH/\" and .[0].topic == \"raw\""
'

test_expect_success 'the file is emptied first, and follows the job' '
    job_start --events events -np 2 ./part emit-and-wait 3 && await has_lines 6 step events &&
    kill $job && job_ends 143 && holds events "length == 6"
'

test_expect_success 'events of a rank that is killed are not lost' '
    job_run 9 --events events -np 1 sh -c "./part emit-and-fail 100" &&
    holds events "length == 100"
'

test_expect_success '--events -: the same lines on standard output, and no file' '
    job_run 0 --events - --output-filename "ranks:nocopy" --peers 2 -np 2 ./part emit 3 &&
    test ! -e - && holds out "length == 6 and ([.[] | has(\"type\")] | any | not)" &&
    holds out "[.[] | select(.rank == 1) | [.sequence, .topic, .text]] ==
        [range(1; 4) | [., \"step\", \"\(.) of 3 by rank 1\"]]" &&
    job_run 0 --events - -np 1 ./part bytes && grep "^rank 0 is" out &&
    grep "\"base64\":\"AAH/\"" out && ! grep "3 bytes" out &&
    job_run 1 --events - --json -np 2 ./part emit 3 && test_must_be_empty out &&
    grep "^cpexec: --events - and --json both write to standard output: leave" err
'

test_expect_success 'without --events they are lines, or objects with --json' '
    job_run 0 -np 2 ./part emit 2 && has_lines 1 "^\[1\] step: 2 of 2 by rank 1\$" out &&
    job_run 0 -np 1 ./part bytes && grep "^\[0\] raw: 3 bytes (--events" out &&
    job_run 0 --json -np 2 ./part emit 2 &&
    holds out "[.[] | select(.type == \"event\")] | length == 4 and
        (map(.text) | contains([\"2 of 2 by rank 1\"]))" &&
    job_run 0 --json --events events -np 2 ./part emit 2 && holds events "length == 4" &&
    holds out "[.[] | select(.type == \"event\")] == []"
'

test_done
