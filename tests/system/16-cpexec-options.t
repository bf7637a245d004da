#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='options of cpexec, and the environment of ranks'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

# The words that a job prints, sorted.
prints() { # expected words, arguments of cpexec...
    expected=$1 && shift &&
    job_run 0 "$@" && test "$(echo $(sort -n out))" = "$expected" || { cat out && return 1; }
}
rank='echo $CPMP_RANK'

test_expect_success '-n, -np, -c with one dash or two, a blank or =' '
    prints "0 1 2" -n 3 sh -c "$rank" && prints "0 1 2" --n 3 sh -c "$rank" &&
    prints "0 1 2" -np 3 sh -c "$rank" && prints "0 1 2" --np=3 sh -c "$rank" &&
    prints "0 1 2" -c 3 sh -c "$rank" && prints "0 1 2" -np 3 -- sh -c "$rank"
'

test_expect_success 'without a number there is a rank for each core' '
    job_run 0 sh -c "$rank" && test $(wc -l <out) = $(nproc) &&
    test_expect_code 0 taskset -c 0 env "$job_mark" cpexec sh -c "$rank" >out &&
    test $(wc -l <out) = 1
'

test_expect_success 'arguments come through as they are, options behind the program too' '
    printf "%s\n" "a b" "" -np "*" "\$x" >expected &&
    job_run 0 -np 1 printf "%s\n" "a b" "" -np "*" "\$x" && test_cmp expected out
'

test_expect_success 'several programs' '
    prints "a0/4 b1/4 b2/4 c3/4" -np 1 sh -c "echo a\$CPMP_RANK/\$CPMP_SIZE" \
        : -np 2 sh -c "echo b\$CPMP_RANK/\$CPMP_SIZE" : -n 1 sh -c "echo c\$CPMP_RANK/\$CPMP_SIZE"
'

test_expect_success '... with -x and -wdir of their own, other options for the job' '
    mkdir -p one two && here=$(pwd) &&
    job_run 0 -np 1 -wdir one -x WORD=first sh -c "echo \$WORD \$(pwd)" \
        : -np 1 --wdir two --tag-output -x WORD=second sh -c "echo \$WORD \$(pwd)" &&
    grep -Fx "[1,0]<stdout>:first $here/one" out && grep -Fx "[1,1]<stdout>:second $here/two" out
'

test_expect_success 'a program is looked for where it runs' '
    printf "#!/bin/sh\necho here\n" >one/say-here && chmod +x one/say-here &&
    job_run 0 -np 1 -wdir one ./say-here && grep -x here out &&
    job_run 0 -np 1 -x PATH="$here/one:$PATH" say-here && grep -x here out &&
    echo "echo shell" >one/plain && chmod +x one/plain &&
    job_run 0 -np 1 one/plain && grep -x shell out &&
    job_run 0 -np 1 -wdir one say-here && grep -x here out
'

test_expect_success '-x adds to the environment of cpexec, which ranks have anyway' '
    WORD=outer && export WORD &&
    prints "outer" -np 1 sh -c "echo \$WORD" &&
    prints "outer" -np 1 -x WORD sh -c "echo \$WORD" &&
    prints "in ner=x" -np 1 -x WORD="in ner=x" sh -c "echo \$WORD" &&
    unset WORD &&
    job_run 0 -np 1 -x WORD true && grep "^cpexec: -x WORD: .*not set" err
'

test_expect_success 'ranks know who they are, by the names of Open MPI too' '
    job_run 0 -np 2 --peers 2 sh -c "
        for name in CPMP_RANK CPMP_SIZE CPMP_PEER CPMP_LOCAL_INDEX CPMP_JOB \
            OMPI_COMM_WORLD_RANK OMPI_COMM_WORLD_SIZE OMPI_UNIVERSE_SIZE \
            OMPI_COMM_WORLD_LOCAL_RANK OMPI_COMM_WORLD_LOCAL_SIZE OMPI_COMM_WORLD_NODE_RANK; do
            eval echo \$name=\\\$\$name
        done >rank.\$CPMP_RANK" &&
    for rank in 0 1; do
        printf "%s\n" CPMP_RANK=$rank CPMP_SIZE=2 CPMP_PEER=$rank CPMP_LOCAL_INDEX=0 \
            OMPI_COMM_WORLD_RANK=$rank OMPI_COMM_WORLD_SIZE=2 OMPI_UNIVERSE_SIZE=2 \
            OMPI_COMM_WORLD_LOCAL_RANK=0 OMPI_COMM_WORLD_LOCAL_SIZE=1 \
            OMPI_COMM_WORLD_NODE_RANK=0 >expected &&
        sed "s/^CPMP_JOB=[0-9a-f]\{16\}$//; /^\$/d" rank.$rank >actual &&
        test_cmp expected actual || return 1
    done
'

test_expect_success 'a job within a rank of another is a job of its own' '
    prints "0/1 0/1" -np 2 cpexec -np 1 sh -c "echo \$CPMP_RANK/\$CPMP_SIZE" &&
    prints "hello from rank 0 of 1 on peer 0 of 1" -np 1 --peers 1 sh -c "
        cpexec -np 1 \"$CPMP_EXAMPLES/hello\""
'

test_expect_success 'ranks start with clean signals, whatever cpexec ignores' '
    (trap "" USR2 HUP INT PIPE && job_run 0 -np 1 sh -c "
        echo \$((0x\$(sed -n \"s/SigIgn:.//p\" /proc/self/status) & 0x7fffffff))") &&
    test "$(cat out)" = 0
'

test_expect_success '--display-map and --do-not-launch' '
    job_run 0 --display-map -np 3 --peers 2:1 hostname : -np 1 uname &&
    grep "^Map of job [0-9a-f]*: 4 ranks, 2 peers, $(nproc) core" out &&
    grep "^  peer 0  .*: 3 ranks\$" out && grep "^  peer 1  .*: 1 rank\$" out &&
    grep "^    ranks 0-2: hostname\$" out && grep "^    rank 3: uname\$" out &&
    has_lines 3 "^$(hostname)\$" out &&
    job_run 0 --do-not-launch -np 2 --peers 2 hostname && ! grep "^$(hostname)\$" out &&
    grep "^    rank 1: hostname\$" out &&
    grep "^Map of a job that is not launched: 2 ranks" out && grep "^  peer 1  $(hostname)/1," out
'

test_expect_success 'the job has one name everywhere' '
    job_run 0 --display-map -np 1 sh -c "echo \$CPMP_JOB" &&
    test "$(sed -n "s/^Map of job \([^:]*\):.*/\1/p" out)" = "$(tail -n 1 out)"
'

test_expect_success '--map-by, -N, --pernode' '
    job_run 0 --display-map --map-by node --peers 2 -np 4 true && grep "ranks 0,2: true" out &&
    job_run 0 --display-map --map-by slot --peers 2 -np 4 true && grep "ranks 0-1: true" out &&
    job_run 0 --display-map -N 3 --peers 2 true && grep "ranks 3-5: true" out &&
    job_run 0 --display-map --pernode --peers 3 true && grep "rank 2: true" out
'

map_is() { # pattern, arguments of cpexec...
    pattern=$1 && shift && job_run 0 --do-not-launch "$@" true && grep "$pattern" out
}

test_expect_success 'the places that mpirun knows: those of one machine are one' '
    for place in slot core hwthread Socket numa l3cache package board; do
        map_is "ranks 0-1: true" --map-by $place --peers 2 -np 4 || return 1
    done &&
    map_is "ranks 3-5: true" --map-by ppr:3:node --peers 2 &&
    map_is "ranks 3-5: true" --map-by PPR:3:NODE:oversubscribe --peers 2 &&
    test_must_be_empty err &&
    job_run 0 --map-by socket:PE=2:span -np 2 true &&
    echo "cpexec: without effect here: PE=2, span" >expected && test_cmp expected err
'

test_expect_success '--host and --hostfile take this machine' '
    echo "localhost slots=4 # here" >hosts &&
    job_run 0 --host localhost:4,"$(hostname)" -np 2 true &&
    job_run 0 --hostfile hosts -np 2 true && test_must_be_empty err
'

test_expect_success '--report-bindings' '
    job_run 0 --report-bindings -np 2 true && grep "ranks 0-1: not bound" err
'

test_expect_success '--help fits on a screen of 24 lines and 80 columns' '
    job_run 0 --help && test_must_be_empty err && test $(wc -l <out) -le 24 &&
    test $(wc -L <out) -le 80 &&
    cp out help && job_run 0 -h && test_cmp help out && grep -e --peers out
'

test_expect_success '--version prints a number' '
    job_run 0 --version && test $(wc -l <out) = 1 &&
    grep -E "^cpexec \(cpmp\) [0-9]+\.[0-9]+(\.[0-9]+)?$" out && job_run 0 -V &&
    grep "^cpexec" out
'

test_expect_success 'options of mpirun are accepted; those without effect are named once' '
    job_run 0 --oversubscribe --allow-run-as-root --bind-to-none -np 1 true &&
    test_must_be_empty err &&
    job_run 0 --mca btl self --mca pml ob1 --use-hwthread-cpus -np 1 true &&
    echo "cpexec: without effect here: --mca, --use-hwthread-cpus" >expected &&
    test_cmp expected err
'

test_done
