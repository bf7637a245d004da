#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='quickstart and configure say at once what cannot work'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

# On a copy with nothing around it, so that nothing is built whatever happens.
quickstart_copy() { # directory
    mkdir -p "$1" && cp "$CPMP_SRCDIR/quickstart" "$1"
}

# The current directory has a blank in its name.
test_expect_success 'the trash directory is what the tests below think' '
    case $PWD in *" "*) ;; *) false ;; esac
'

test_expect_success 'quickstart --help tells how to use it, in any place' '
    quickstart_copy "a place" &&
    "a place/quickstart" --help >actual &&
    grep "^usage: ./quickstart " actual
'

test_expect_success 'quickstart names an argument that it does not know, and shows the usage' '
    quickstart_copy place &&
    test_expect_code 2 place/quickstart foo >out 2>err &&
    test_must_be_empty out &&
    grep "unknown argument .foo." err &&
    grep "^usage: ./quickstart " err &&
    test_expect_code 2 place/quickstart check build 2>err &&
    grep "one argument at most, not 2: check build" err
'

test_expect_success 'quickstart refuses a path with a blank before it installs or builds' '
    for argument in "" build check; do
        test_expect_code 1 "a place/quickstart" $argument >out 2>err &&
        test_must_be_empty out &&
        grep "the path of this checkout has a blank" err &&
        grep "/a place\$" err || return 1
    done &&
    test "$(ls "a place")" = quickstart
'

test_expect_success 'configure refuses such a directory to build in' '
    test_must_fail "$CPMP_SRCDIR/configure" -q >out 2>err &&
    grep "name of the build directory has a blank" err &&
    grep -F "$PWD" err
'

# Where a build may be, but nothing is built.
there=$SHARNESS_TEST_DIRECTORY/first-steps
mkdir -p "$there"
cleanup "rm -rf \"$there\""

test_expect_success 'and to install into' '
    for option in "--prefix=/tmp/a b" "--libdir=/tmp/a:b" "--bindir=/tmp/a;b"; do
        (cd "$there" && test_must_fail "$CPMP_SRCDIR/configure" -q "$option") >out 2>err &&
        grep "name of the installation directory has" err &&
        grep -F "${option#*=}" err || return 1
    done
'

test_done
