#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='tsp_ga: an island genetic algorithm as users run it'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

tsp=$CPMP_EXAMPLES/tsp_ga/tsp_ga

# Is the tour printed in file $2 a round trip through $1 cities?
is_round_trip() {
    sed -n '/^best tour/,/ generations: /p' "$2" | sed '1d;$d' | tr ' ' '\n' | sort -n >cities &&
    seq 1 "$1" >all_cities &&
    test_cmp all_cities cities
}

# What of an output has to be the same for the same seed: no times, no rates, and no partial
# results, which say when they were found.
repeatable() {
    sed -e '/^\[/d' -e 's/; rank .*//' -e 's/^[0-9.]* m*s, //; s/ generations: .*/ generations/' \
        -e 's/^\( *[0-9]* *[0-9]* *[0-9]*\) *[0-9.]*\( *[0-9]*\)$/\1\2/' "$1"
}

# The time is a limit, not an expectation: a job that reached its target has ended long before.
test_expect_success 'berlin52: 16 ranks reach the optimum' '
    cpexec -np 16 "$tsp" --target 7542 --time 120 "$CPMP_TSPLIB/berlin52.tsp" >actual &&
    grep "^berlin52: 52 cities, 16 islands on 1 peer, exchange var, seed 1$" actual &&
    grep "^best tour 7542, the optimum; rank [0-9]* had it after " actual &&
    is_round_trip 52 actual
'

test_expect_success 'every rank has a line with its generations' '
    sed "1,/^rank /d" actual | awk "{ print \$1 }" >ranks &&
    seq 0 15 >expected &&
    test_cmp expected ranks
'

test_expect_success 'improvements are partial results, the last is the best' '
    cpexec -np 4 --events events "$tsp" --target optimum --time 120 --quiet \
        "$CPMP_TSPLIB/kroA100.tsp" >actual &&
    grep "^best tour 21282, the optimum" actual &&
    grep "\"topic\": *\"best\"" events >best &&
    grep "21282, the optimum" best
'

test_expect_success 'times below a second are in milliseconds' '
    cpexec -np 2 --events events "$tsp" --target 7542 --quiet --time 120 \
        "$CPMP_TSPLIB/berlin52.tsp" >actual &&
    sed -n "s/.* after \([^\"]*\).*/\1/p; s/^\([^,]*\), .* generations: .*/\1/p" events actual \
        >times &&
    test $(wc -l <times) -ge 3 &&
    ! grep -v -x -e "[0-9]\{1,4\}\.[0-9][0-9] ms" -e "[1-9][0-9]*\.[0-9][0-9] s" times
'

test_expect_success 'around the ring a seed gives the same run again, on one peer or two' '
    run="$tsp --exchange ring --generations 40 --seed 5 $CPMP_TSPLIB/a280.tsp" &&
    cpexec -np 5 $run >first && cpexec -np 5 $run >second &&
    cpexec -np 5 --peers 2 $run >third &&
    repeatable first >expected && repeatable second >actual &&
    test_cmp expected actual &&
    is_round_trip 280 first &&
    grep "^best tour" expected >best_expected &&
    repeatable third | grep "^best tour" >best_actual &&
    test_cmp best_expected best_actual &&
    grep "^200 generations$" expected
'

test_expect_success 'another seed gives another run' '
    cpexec -np 5 "$tsp" --exchange ring --generations 40 --seed 6 "$CPMP_TSPLIB/a280.tsp" >other &&
    repeatable other | sed "s/seed 6/seed 5/" >actual &&
    ! test_cmp expected actual
'

test_expect_success 'around the ring a target is reached in the same tour again' '
    run="$tsp --exchange ring --target 51500 --seed 2 $CPMP_TSPLIB/pcb442.tsp" &&
    cpexec -np 3 $run >first && cpexec -np 3 $run >second &&
    repeatable first | grep -v "^ " >expected && repeatable second | grep -v "^ " >actual &&
    test_cmp expected actual &&
    is_round_trip 442 first
'

test_expect_success 'islands alone, and with the other crossover, work too' '
    cpexec -np 3 "$tsp" --exchange none --crossover edge --generations 20 --population 10 \
        "$CPMP_TSPLIB/att48.tsp" >actual &&
    grep "exchange none" actual &&
    grep " 60 generations: " actual &&
    is_round_trip 48 actual
'

test_expect_success 'over two peers islands use the same global variable' '
    cpexec -np 4 --peers 2 "$tsp" --target optimum --time 120 "$CPMP_TSPLIB/eil51.tsp" >actual &&
    grep "4 islands on 2 peers" actual &&
    grep "^best tour 426, the optimum" actual
'

test_expect_success 'without a launcher it is one island' '
    "$tsp" --generations 10 "$CPMP_TSPLIB/st70.tsp" >actual 2>err &&
    grep "1 island on 1 peer" actual &&
    is_round_trip 70 actual
'

test_expect_success 'the largest instance runs' '
    cpexec -np 2 "$tsp" --generations 2 "$CPMP_TSPLIB/pr1002.tsp" >actual &&
    is_round_trip 1002 actual
'

test_expect_success 'a target that was missed gives status 3, and the best tour nevertheless' '
    test_expect_code 3 cpexec -np 3 "$tsp" --target 7000 --generations 5 \
        "$CPMP_TSPLIB/berlin52.tsp" >actual 2>err &&
    grep "^the target 7000 was not reached$" actual &&
    is_round_trip 52 actual
'

test_expect_success 'the file comes from standard input too' '
    cpexec -np 2 "$tsp" --generations 1 - <"$CPMP_TSPLIB/eil51.tsp" >actual &&
    grep "^eil51: 51 cities" actual
'

test_expect_success 'a malformed file is named with its line, once' '
    sed "7s/.*/1 565.0/" "$CPMP_TSPLIB/berlin52.tsp" >berlin52.tsp &&
    test_expect_code 1 cpexec -np 3 "$tsp" berlin52.tsp >actual 2>err &&
    test $(grep -c "tsp_ga: berlin52.tsp:7: expected the number of a city and two" err) = 1
'

test_expect_success 'a missing file is named, once' '
    test_expect_code 1 cpexec -np 3 "$tsp" missing.tsp >actual 2>err &&
    test $(grep -c "tsp_ga: cannot read missing.tsp: No such file" err) = 1
'

test_expect_success 'a wrong command line is said once and gives status 2' '
    for wrong in "--time 0 x.tsp" "--time" "--no-such x.tsp" "--exchange mail x.tsp" "" \
        "a.tsp b.tsp" "--seed -1 x.tsp" "--population 1 x.tsp"; do
        test_expect_code 2 cpexec -np 2 "$tsp" $wrong >actual 2>err &&
        test $(grep -c "^tsp_ga: .*--help tells" err) = 1 || return 1
    done
'

# So that cpexec has nobody to blame; and each by itself, before the first could end the job.
test_expect_success 'when something is wrong all ranks exit with the same status' '
    printf "%s\n" "1 missing.tsp" "2 --no-such" \
        "3 --target 7000 --generations 1 $CPMP_TSPLIB/berlin52.tsp" >cases &&
    while read -r status arguments; do
        test_expect_code $status cpexec --json -np 5 "$tsp" $arguments </dev/null >lines 2>err &&
        jq -r "select(.type == \"report\") | .ranks[] | \"\(.state) \(.exit_code)\"" lines \
            >actual &&
        yes "exited $status" | head -n 5 >expected &&
        test_cmp expected actual || return 1
    done <cases
'

test_expect_success '--help fits on a screen and tells the exit status' '
    cpexec -np 2 "$tsp" --help >actual &&
    test $(wc -l <actual) -lt 40 &&
    grep "Exit status" actual
'

# Signalled when its first partial result is out, which is when the fifo gives a line.
test_expect_success 'an interrupted job loses nothing: the best tour so far is reported' '
    for signal in INT TERM; do
        rm -f out && mkfifo out &&
        { cpexec -np 4 "$tsp" --target 1 "$CPMP_TSPLIB/pr1002.tsp" >out 2>err & } &&
        job=$! &&
        { read first && kill -$signal $job && cat >actual; } <out &&
        ! wait $job &&
        grep "seed 1 (interrupted)$" actual &&
        is_round_trip 1002 actual || return 1
    done
'

test_done
