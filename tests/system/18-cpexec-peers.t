#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='embedded pools: --peers K, and shares'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

peers_of_ranks() {
    sort -n out | sed "s/.* on peer \([0-9]*\) of .*/\1/" | tr "\n" " "
}

test_expect_success 'ranks fill the peers evenly' '
    job_run 0 --peers 3 -np 7 "$CPMP_EXAMPLES/hello" && grep "of 3\$" out &&
    test $(grep -c "peer 0 of" out) = 3 && test $(grep -c "peer 1 of" out) = 2 &&
    test $(grep -c "peer 2 of" out) = 2
'

test_expect_success 'there may be more peers than ranks, and than cores' '
    job_run 0 --peers 8 -np 3 "$CPMP_EXAMPLES/hello" && test $(wc -l <out) = 3 &&
    job_run 0 --peers 8 -np 16 "$CPMP_EXAMPLES/ring" 2 && test $(wc -l <out) = 2 &&
    job_run 0 --peers 64 -np 64 hostname && test $(wc -l <out) = 64
'

test_expect_success 'shares decide how many ranks a peer has' '
    job_run 0 --json --peers 4:2:1 -np 7 true && jq -es "
        [.[0].peers[].ranks] == [4, 2, 1]" out &&
    job_run 0 --json --peers 1:1 -np 5 true && jq -es "[.[0].peers[].ranks] == [3, 2]" out &&
    job_run 0 --json --peers 1000:1 -np 2 "$CPMP_EXAMPLES/hello" &&
    jq -es ".[-1].exit_code == 0" out
'

# Directories of the control groups of a job.
groups_of() { # job
    find /sys/fs/cgroup -type d -name "cpmp-$1-*" 2>/dev/null
}
job_id() {
    jq -r "select(.type == \"map\").job" out
}

job_run 0 --peers 2:1 -np 2 true && test -s err || test_set_prereq CGROUP

# Where groups can be made, a mount hides them.
without_groups() { # command...
    if test_have_prereq CGROUP; then
        unshare -m sh -c "mount -t tmpfs none /sys/fs/cgroup && exec \"\$@\"" sh "$@"
    else
        "$@"
    fi
}
! test_have_prereq CGROUP || unshare -m true 2>/dev/null && test_set_prereq WITHOUT

test_expect_success WITHOUT 'where no control group can be made it is said, and the job runs' '
    without_groups env "$job_mark" cpexec --peers 2:1 -np 3 "$CPMP_EXAMPLES/hello" >out 2>err &&
    has_lines 1 "^cpexec: CPU shares can.t be enforced here" err && test $(wc -l <out) = 3 &&
    job_is_gone
'

quota_millicores() { # directory
    if test -e "$1/cpu.max"; then
        awk "{ printf \"%d\", \$1 * 1000 / \$2 }" "$1/cpu.max"
    else
        echo $(($(cat "$1/cpu.cfs_quota_us") * 1000 / $(cat "$1/cpu.cfs_period_us")))
    fi
}

test_expect_success CGROUP 'shares are enforced by control groups, which are gone in the end' '
    job_start --json --peers 3:1 -np 4 sh -c "echo up; exec tail -f /dev/null" &&
    await has_lines 4 "\"up" out && id=$(job_id) && test $(groups_of $id | wc -l) = 2 &&
    for group in $(groups_of $id); do
        case $group in
        *-0) share=750 ranks=3 ;;
        *-1) share=250 ranks=1 ;;
        esac &&
        test $(quota_millicores $group) = $(($(nproc) * share)) &&
        test $(wc -l <$group/cgroup.procs) = $((ranks + 1)) || return 1
    done &&
    kill $job && job_ends 143 && test -z "$(groups_of $id)"
'

test_expect_success CGROUP '... after every kind of end' '
    job_run 7 --json --peers 2:1 -np 3 sh -c "setsid tail -f /dev/null & exit 7" &&
    test -z "$(groups_of $(job_id))" &&
    job_start --json --peers 2:1 -np 3 sh -c "echo up; exec tail -f /dev/null" &&
    await has_lines 3 "\"up" out && kill -9 $(pgrep -P $job -x cpmp-agent | head -n 1) &&
    job_ends 1 && test -z "$(groups_of $(job_id))"
'

test_expect_success CGROUP 'those of a cpexec that was killed go with its agents' '
    job_start --json --peers 2:1 -np 3 sh -c "setsid tail -f /dev/null & echo up; wait" &&
    await has_lines 3 "\"up" out && id=$(job_id) && test -n "$(groups_of $id)" &&
    kill -9 $job && { wait $job; test $? = 137; } && await job_is_gone &&
    test -z "$(groups_of $id)"
'

test_expect_success CGROUP '... when those were killed too, with the next cpexec' '
    job_start --json --peers 2:1 -np 3 sh -c "echo up; exec tail -f /dev/null" &&
    await has_lines 3 "\"up" out && id=$(job_id) && test -n "$(groups_of $id)" &&
    kill -STOP $job && kill -9 $(pgrep -P $job -x cpmp-agent) $job &&
    { wait $job; test $? = 137; } && await job_is_gone && test -n "$(groups_of $id)" &&
    job_run 0 --json --peers 2:1 -np 2 true && test -z "$(groups_of $id)"
'

test_expect_success 'a prefix and an address for each agent' '
    CPMP_AGENT_PREFIX_1="env PREFIX=1" CPMP_AGENT_ADDRESS_0=127.0.0.2 \
        CPMP_AGENT_ADDRESS_1=127.0.0.3 CPMP_BENCH_WORD=mark && export CPMP_AGENT_PREFIX_1 \
        CPMP_AGENT_ADDRESS_0 CPMP_AGENT_ADDRESS_1 CPMP_BENCH_WORD &&
    job_run 0 --peers 2 -np 4 "$CPMP_EXAMPLES/ring" && grep "carries 6" out &&
    job_run 0 --peers 2 -np 2 sh -c "echo \$CPMP_BENCH_WORD" && has_lines 2 mark out &&
    CPMP_AGENT_PREFIX_0="env -i" && export CPMP_AGENT_PREFIX_0 &&
    job_run 0 --peers 2 -np 2 sh -c "echo \$CPMP_BENCH_WORD" && has_lines 2 mark out &&
    CPMP_AGENT_ADDRESS_1=nonsense && job_run 1 --peers 2 -np 2 true && grep nonsense err &&
    CPMP_AGENT_ADDRESS_1=192.0.2.1 && job_run 1 --peers 2 -np 2 true &&
    grep "192.0.2.1.*CPMP_AGENT_ADDRESS_1 is to be an address of its host" err &&
    unset CPMP_AGENT_PREFIX_0 CPMP_AGENT_PREFIX_1 CPMP_AGENT_ADDRESS_0 CPMP_AGENT_ADDRESS_1
'

test_expect_success 'a prefix that leads into another namespace' '
    job_run 0 --peers 2 -np 2 readlink /proc/self/ns/uts && test $(sort -u out | wc -l) = 1 &&
    if unshare -u true 2>/dev/null; then
        CPMP_AGENT_PREFIX_1="unshare -u" && export CPMP_AGENT_PREFIX_1 &&
        job_run 0 --peers 2 -np 2 readlink /proc/self/ns/uts && test $(sort -u out | wc -l) = 2 &&
        unset CPMP_AGENT_PREFIX_1
    fi
'

test_expect_success 'one peer needs no network at all' '
    CPMP_AGENT_ADDRESS_0=nonsense job_run 0 -np 2 "$CPMP_EXAMPLES/ring" && grep carries out
'

test_done
