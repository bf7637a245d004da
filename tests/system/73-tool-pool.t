#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
. "$CPMP_SRCDIR/tests/system/sharness.d/pool.sh" && pool_begin "$0" "$@"
test_description='cpmp, the tool, with daemons that answer'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"
pool_skip

# What the last command wrote as JSON holds.
holds() { # perl expression over $it
    $PERL -MJSON::PP -0 -e '
        my ($expression) = @ARGV;
        my $it = decode_json(<STDIN>);
        my $holds = eval $expression;
        die $@ if $@;
        exit !$holds;
    ' "$1" <out
}

tool() { # expected exit code, host, words of cpmp...
    code=$1 && host=$2 && shift 2 &&
    test_expect_code "$code" on "$host" cpmp "$@" >out 2>err
}

# Everybody's offer has come to everybody.
sees() { # host, count
    tool 0 "$1" peers --json && holds "@{ \$it->{peers} } == $2 && \$it->{unanswered} == 0"
}

test_expect_success 'three hosts' 'hosts_make 3'

test_expect_success 'a peer alone: every command has something to say' '
    peer_start 1 --create lab &&
    tool 0 1 pool && grep "^pool *lab" out && grep "^this peer *pc1" out &&
    tool 0 1 ring && grep alone out && grep "cpmp pool invite" out &&
    tool 0 1 jobs && grep "no job runs" out &&
    tool 0 1 history && grep "nothing has run here" out &&
    tool 0 1 info && grep "^sandbox" out && grep "^  name *pc1" out &&
    await sees 1 1 && tool 0 1 peers && grep "^pc1 " out && grep "cpmp pool invite" out &&
    tool 0 1 ring --count 50 --json &&
    holds "\$it->{answered} == 50 && \$it->{hops_max} == 0"
'

test_expect_success 'a token is alone on a line; hints are for terminals' '
    tool 0 1 pool invite --lifetime 10min && test_must_be_empty err &&
    test $(wc -l <out) = 1 && grep -x "cpmp1-[a-z0-9]*" out && cp out token &&
    tool 0 1 pool invite --json &&
    holds "\$it->{token} =~ /^cpmp1-/ && \$it->{expires} > time && !\$it->{open}"
'

test_expect_success 'others join, and all see all' '
    peer_start 2 --join "$(cat token)" &&
    peer_start 3 --join "$(on 1 cpmp pool invite)" &&
    for host in 1 2 3; do
        await sees $host 3 || return 1
    done &&
    tool 0 3 peers && grep "^pc3 .* here" out && sed -n 2p out | grep "^pc3 " &&
    tool 0 3 peers --long && grep 10.78.0.2:7711 out
'

test_expect_success 'a token counts once' '
    test_must_fail on 3 timeout 60 cpmpd --state "$PWD/h3/other" --listen :7911 \
        --join "$(cat token)" 2>err && grep "used" err
'

test_expect_success 'each lookup is answered with the first peer at or behind its key' '
    tool 0 2 peers --json && cp out peers &&
    tool 0 2 ring --count 500 --json &&
    holds "
        local @ARGV = (\"peers\");
        my @ids = sort map { \$_->{id} } @{ decode_json(<>)->{peers} };
        my @wrong = grep {
            my \$key = \$_->{key};
            my (\$owner) = grep { \$_ ge \$key } @ids;
            \$_->{owner} ne (\$owner // \$ids[0]);
        } @{ \$it->{answers} };
        @ids == 3 && \$it->{answered} == 500 && !@wrong;
    " &&
    tool 0 2 ring --count 50 --sure --json && holds "\$it->{answered} == 50" &&
    tool 0 2 ring --text hello --json && holds "\$it->{key} =~ /^2cf24dba5fb0a30e/" &&
    key=$($PERL -ne "print \$1 if /\"key\":\"(\w+)\"/" out) && cp out expected &&
    tool 0 3 ring --lookup "$key" --json && holds "
        local @ARGV = (\"expected\");
        \$it->{owner} eq decode_json(<>)->{owner};
    "
'

test_expect_success 'the ring of one is the ring of all' '
    for host in 1 2 3; do
        tool 0 $host ring --json &&
        holds "
            my (\$next, \$before) = (\$it->{successors}[0]{id}, \$it->{predecessor}{id});
            \$it->{joined} && @{ \$it->{successors} } == 2 && \$next ne \$before;
        " || return 1
    done
'

test_expect_success 'the policy is changed as a whole or not at all, and kept' '
    tool 0 2 policy set cpu=50% battery=yes && grep "^\* *cpu *50%" out &&
    test $(wc -l <out) = 5 &&
    tool 2 2 policy set cpu=60% battery=perhaps && test_must_be_empty out && test -s err &&
    tool 2 2 policy set hors=always && grep "did you mean hours?" err &&
    tool 0 2 policy --json && holds "
        my %policy = map { \$_->{key} => \$_ } @{ \$it->{policy} };
        \$policy{cpu}{value} eq \"50%\" && \$policy{cpu}{changed} && \$policy{battery}{changed} &&
            !\$policy{hours}{changed} && \$policy{hours}{meaning};
    " &&
    grep "^cpu *= *50%" h2/state/policy.conf &&
    tool 0 2 policy cpu && test $(wc -l <out) = 4 &&
    tool 2 2 policy batery && grep "did you mean battery?" err
'

test_expect_success 'nothing runs, and nothing has run' '
    tool 0 1 jobs --json && holds "@{ \$it->{jobs} } == 0" &&
    tool 1 1 job 12ab && grep "no job 12ab runs" err &&
    tool 1 1 job 0123456789abcdef && grep "no job 0123456789abcdef runs" err &&
    tool 0 1 history --since 3d --json && holds "@{ \$it->{history} } == 0" &&
    tool 0 1 top --json && holds "@{ \$it->{peers} } == 3 && \$it->{pool} eq \"lab\""
'

test_expect_success 'only who made the pool invites and revokes' '
    tool 1 2 pool invite && test_must_be_empty out && grep "founded" err &&
    tool 1 2 pool revoke pc3 && test_must_be_empty out &&
    tool 1 1 pool revoke nobody && grep nobody err &&
    tool 0 1 pool revoke pc3 --json && holds "\$it->{name} eq \"pc3\" && \$it->{serial} > 0"
'

test_expect_success 'a daemon that is told to end does, and the tool says so' '
    peer_kill 1 TERM && peer_kill 2 TERM &&
    tool 1 1 peers && grep "no cpmpd answers" err
'

test_expect_success 'nothing is left' 'pool_end'

test_done
