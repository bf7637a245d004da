#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$CPMP_SRCDIR/tests/system/sharness.d/pool.sh" && pool_begin "$0" "$@"
test_description='a pool of eight hosts: it forms, and jobs run on it'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"
pool_skip

examples=$CPMP_EXAMPLES/.libs
tsp_ga=$CPMP_EXAMPLES/tsp_ga/.libs/tsp_ga
all='1 2 3 4 5 6 7 8'

# On a machine that others use as well: more ranks than free cores, on all peers.
spread="--oversubscribe --map-by node"

test_expect_success 'eight hosts' 'hosts_make 8'

begun_ms=$(now_ms)
test_expect_success 'eight peers, each let in by a token, see each other' '
    pool_make 8 && pool_sees 8 $all
'
echo "# from the first cpmpd to eight peers that see eight: $(($(now_ms) - begun_ms)) ms"

test_expect_success 'one ring: each has a predecessor and successors, and seven others at most' '
    for host in $all; do
        on $host cpmp ring --json >ring && jq -e "
            .joined and .predecessor != null and (.successors | length) >= 4 and
            ([.links[].id] | unique | length) <= 7" ring || return 1
    done
'

test_expect_success 'the owners let ranks run beside the work of others' '
    pool_policy 8 cpu-others=100% && pool_shares 8
'

test_expect_success 'tsp_ga on 16 ranks spreads over all of them and finds the optimum' '
    job_on_over 0 1 $spread -np 16 --json "$tsp_ga" "$CPMP_TSPLIB/berlin52.tsp" \
        --target optimum --time 60 --quiet &&
    grep "best tour 7542, the optimum" out &&
    sed -n "/\"type\":\"map\"/p" out >map &&
    jq -e "(.peers | length) == 8 and ([.peers[].ranks] == [2, 2, 2, 2, 2, 2, 2, 2])" map &&
    jq -r ".peers[].name" map | sort >names && seq -f "pc%g" 8 >expected &&
    test_cmp expected names
'

# What the peers keep: which contents, in which files.
contents() {
    find h*/state/store -type f -size +0 -printf "%P %i\n" | grep -E "[0-9a-f]{62}" | sort
}

test_expect_success 'executable and file have come to all; the second start ships nothing' '
    contents >before && test $(wc -l <before) -ge 16 &&
    job_on_over 0 1 $spread -np 16 "$tsp_ga" "$CPMP_TSPLIB/berlin52.tsp" --target optimum &&
    grep "best tour 7542, the optimum" out &&
    contents >after && test_cmp before after
'

# A start as such: the time of a program that does nothing, once its executable is there.
job_on_over 0 1 $spread -np 16 --json "$examples/hello" >/dev/null
job_on_over 0 1 $spread -np 16 --json "$examples/hello" >/dev/null
echo "# 16 ranks of hello on 8 peers, started and ended in" \
    "$(jq -r 'select(.type == "report") | .wall_s * 1000 | floor' out) ms"

test_expect_success 'any peer may start jobs; messages go between all ranks' '
    job_on_over 0 5 $spread -np 16 "$examples/ring" 3 && grep "lap 3" out
'

test_expect_success 'files that arguments name travel, and those of --preload-files' '
    echo argument >argument && mkdir -p more && echo preloaded >more/preloaded &&
    job_on_over 0 2 $spread -np 8 --preload-files more/preloaded \
        sh -c "cat \$1 more/preloaded" sh argument &&
    test $(grep -cx argument out) = 8 && test $(grep -cx preloaded out) = 8
'

cat >word.c <<EOF
int word(void);

int
word(void)
{
    return 42;
}
EOF
cat >say.c <<EOF
#include <stdio.h>

int word(void);

int
main(void)
{
    return printf("word %d\\n", word()) < 0;
}
EOF

compile() { # words of the compiler...
    "$CC" -O1 -Wall -Werror "$@"
}

test_expect_success 'a library outside of the system travels with its program' '
    mkdir -p own &&
    compile -shared -fPIC -Wl,-soname,libword.so.7 -o own/libword.so.7 word.c &&
    compile -o say say.c own/libword.so.7 -Wl,-rpath,"$PWD/own" &&
    job_on_over 0 1 $spread -np 8 ./say && test $(grep -cx "word 42" out) = 8
'

test_expect_success 'a library that the peers lack is named, and nothing starts' '
    compile -o orphan say.c own/libword.so.7 -Wl,-rpath,/nonexistent &&
    job_on_over 1 1 $spread -np 8 ./orphan && test_must_be_empty out &&
    grep "libword.so.7" err
'

test_expect_success 'a program for another kind of processor is refused by its name' '
    cp "$examples/hello" foreign &&
    $PERL -e "open my \$f, q(+<), q(foreign) or die; seek \$f, 18, 0;
        print \$f pack(q(v), \$ARGV[0])" 243 &&
    job_on_over 1 1 $spread -np 8 ./foreign && test_must_be_empty out && grep -i "risc-\?v" err
'

test_expect_success 'peers are chosen by name, and by what is required of them' '
    job_on_over 0 1 $spread --host pc3,pc4 -np 4 --json "$examples/hello" &&
    jq -es "[.[0].peers[].name] | sort == [\"pc3\", \"pc4\"]" out &&
    job_on_over 1 1 $spread --require arch=pdp11 -np 4 "$examples/hello" &&
    grep "its arch is .*, not pdp11" err
'

test_expect_success 'more ranks than there is room for: what there is, and what to do' '
    job_on_over 1 1 -np 1000 "$examples/hello" && grep "of 1000 ranks" err &&
    grep -e "--wait" err && grep -e "--oversubscribe" err
'

test_expect_success 'what ran is in the history of each, and closed' '
    for host in $all; do
        on $host cpmp history --json >history &&
        jq -e "[.history[] | select(.program == \"tsp_ga\")] | length == 2 and
            all(.ranks == 2 and .user == \"$(id -un)\" and .peer == \"pc1\" and
                .ended >= .started and .cpu_s > 0)" history || return 1
    done
'

test_expect_success 'daemons that are told to end do, and leave nothing behind' '
    for host in $all; do
        peer_kill $host TERM && await host_is_empty $host || return 1
    done
'

pool_end
test_done
