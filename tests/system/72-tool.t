#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='cpmp, the tool: usage, help, errors'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

# No daemon of this machine's is to be found.
unset CPMP_STATE XDG_STATE_HOME
HOME=$PWD/home
export HOME
mkdir -p home
state=$PWD/state

tool() { # expected exit code, words of cpmp...
    code=$1 && shift &&
    test_expect_code "$code" cpmp "$@" >out 2>err
}

test_expect_success 'help fits a screen and lists the commands' '
    tool 0 --help && test_must_be_empty err &&
    test $(wc -l <out) -le 24 &&
    ! grep ".\{81\}" out &&
    for command in peers jobs job ring policy history info top pool; do
        grep "^  $command " out || return 1
    done
'

test_expect_success 'help of a command, three ways' '
    tool 0 help pool invite && grep "lifetime" out && mv out expected &&
    tool 0 pool invite --help && test_cmp expected out &&
    tool 0 --help pool invite && test_cmp expected out
'

test_expect_success 'the version' '
    tool 0 --version && grep "^cpmp [0-9]" out
'

test_expect_success 'without words it tells how to use it' '
    tool 2 && test_must_be_empty out && grep "cpmp --help" err
'

test_expect_success 'wrong usage: exit code 2, one line, nothing on standard output' '
    for words in pers "peers --frob" job "job 1 2" "job xyz" "pool revoke" "policy set" \
        "policy set cpu" "policy cpu=1" "ring --lookup 12" "ring --sure" "ring --count 0" \
        "ring --count 1 --text x" "history --since soon" "pool invite --lifetime never"; do
        tool 2 --state "$state" $words && test_must_be_empty out &&
        test $(wc -l <err) = 1 && grep "^cpmp: " err || {
            echo "words: $words"
            return 1
        }
    done
'

test_expect_success 'a name that is no command: the nearest ones' '
    tool 2 pers && grep "did you mean peers?" err &&
    tool 2 pool-invite && grep "cpmp --help lists them" err
'

test_expect_success 'no daemon: where it was looked for, and how to start one' '
    for words in peers jobs "job 12" ring "ring --count 3" policy "policy set cpu=50%" history \
        pool "pool invite" "pool revoke bob" "top --json" "peers --json"; do
        tool 1 $words && test_must_be_empty out &&
        grep "no cpmpd runs here (looked in $HOME/.local/state/cpmp and /var/lib/cpmp)" err &&
        grep "cpmpd --create NAME" err && grep "cpmpd --join TOKEN" err || return 1
    done
'

test_expect_success 'the directory that was named is the one looked in' '
    tool 1 peers --state "$state" && grep "no cpmpd answers in $state (" err &&
    grep "cpmpd --state $state --create" err &&
    CPMP_STATE=$state tool 1 peers && grep "no cpmpd answers in $state (" err
'

test_expect_success 'a socket that nobody listens at is no daemon' '
    mkdir -p state &&
    $PERL -MSocket -e "socket(S, AF_UNIX, SOCK_STREAM, 0) && bind(S, sockaddr_un(\"state/socket\"))
        or die" &&
    tool 1 peers --state "$state" && grep "no cpmpd answers" err
'

test_expect_success 'info needs no daemon' '
    tool 0 info && grep "^  cpmpd  *doesn.t run (no cpmpd runs here" out && grep "^machine" out &&
    tool 0 info --json && $PERL -MJSON::PP -0 -e "
        my \$info = decode_json(<STDIN>);
        my %has = map { \$_->{name} => \$_->{value} } @{ \$info->{items} };
        exit !(\$has{cores} >= 1 && \$has{memory});
    " <out
'

test_expect_success 'top refuses what is no terminal' '
    tool 1 top </dev/null && grep "top needs a terminal" err && grep -e "--json" err
'

test_expect_success 'output that nobody takes is an error' '
    { cpmp --help >&-; echo $? >code; } 2>err && echo 1 >expected && test_cmp expected code &&
    grep "standard output" err
'

test_done
