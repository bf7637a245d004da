#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='hostile ranks in the sandbox: what they try is refused or bounded'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

# All is tried as the user who runs the tests and, if that is root, as an ordinary one too.
users=own
if test "$(id -u)" = 0; then
    users='own nobody'
fi

# What goes in front of a command of that user.
user_as() { # user
    test "$1" = own || echo setpriv --reuid=65534 --regid=65534 --clear-groups
}

hostile_build() {
    "$CC" -D_GNU_SOURCE -std=gnu11 -O1 -Wall -Wextra -Werror -o hostile \
        "$CPMP_SRCDIR/tests/system/src/hostile.c" "$CPMP_SRCDIR/tests/system/src/hostile_calls.c"
}

caged_start() { # user, arguments of cpexec...
    caged_user=$1 && shift
    job_sweep
    rm -f out err
    $(user_as "$caged_user") env "$job_mark" cpexec "$@" >out 2>err </dev/null & job=$!
}

caged() { # code, user, arguments of cpexec...
    caged_code=$1 && shift && caged_start "$@" && job_ends "$caged_code" &&
    await groups_are_gone
}

# Those of jobs of others, who may test as well, go too.
groups_are_gone() {
    test -z "$(find /sys/fs/cgroup -type d -name 'cpmp-cage-*' 2>/dev/null)"
}

held() { # at least so many attempts, and none that succeeded
    ! grep broken out && test "$(grep -c "^held" out)" -ge "$1"
}

limit_said() {
    grep -e "$1" err
}

# $1 is the number after the words $2 in the output, in every line that has them, at most so much.
at_most() { # number, words
    sed -n "s/^$2 \([0-9]*\).*/\1/p" out >numbers && test -s numbers &&
    while read -r number; do test "$number" -le "$1" || return 1; done <numbers
}

hostile_build || { echo 'Bail out! the hostile rank does not compile' && exit 1; }
if ! cpexec --sandbox -np 1 true >out 2>err; then
    skip_all="no sandbox here: $(tr '\n' ' ' <err | cut -c 1-300)"
    test_done
fi

test_expect_success 'outside of the sandbox the same program gets through' '
    test_expect_code 1 ./hostile network nothing >out && grep "^broken: a TCP socket" out &&
    echo secret >secret &&
    test_expect_code 1 env HOSTILE_PATHS="$PWD/secret" ./hostile read >out &&
    grep "^broken" out &&
    test_expect_code 1 env HOSTILE_PATHS="$PWD/new" ./hostile write >out && grep "^broken" out
'

for user in $users; do

mkdir "$user" && chmod 755 "$user" && cp hostile "$user" && cd "$user" || exit 1
if test "$user" = nobody && ! chown 65534 . || ! $(user_as "$user") test -x "$PWD/hostile"; then
    skip_all="the user nobody may not get to $PWD"
    cd .. && continue
fi

test_expect_success "$user: ranks are somebody without rights" '
    caged 0 $user --sandbox -np 2 grep Cap /proc/self/status && test $(wc -l <out) = 10 &&
    ! grep "[1-9a-f]$" out
'
test_expect_success "$user: what ranks write is gone, and the files of the directory are not seen" '
    echo mine >data && caged 0 $user --sandbox -np 1 sh -c "
        id -u >uid; cat uid; pwd; echo \$HOME \$TMPDIR; ls; test ! -e data; echo x >file" &&
    printf "1000\n%s\n%s %s\nuid\n" "$PWD" "$PWD" "$PWD" >expected &&
    test_cmp expected out && test ! -e file && test ! -e uid
'

test_expect_success "$user: files that arguments name are there, and read-only" '
    printf "mine\nmine\n" >expected &&
    caged 0 $user --sandbox -np 1 cat data "$PWD/../$user/data" && test_cmp expected out &&
    caged 2 $user --sandbox -np 1 sh -c "echo x >data" sh data && echo mine >expected &&
    test_cmp expected data
'

test_expect_success "$user: MPI programs run, also on several peers" '
    caged 0 $user --sandbox -np 4 "$CPMP_BUILDDIR/examples/.libs/ring" 3 && grep "lap 3" out &&
    caged 0 $user --sandbox --peers 2 -np 4 "$CPMP_BUILDDIR/examples/.libs/ring" 3 &&
    grep "lap 3" out
'

test_expect_success "$user: files of the owner and of the system can't be read" '
    paths="/root:/home:/var/log:/tmp/x:/etc/shadow:/etc/ssh:/run/systemd:$PWD/../secret" &&
    paths="$paths:$CPMP_SRCDIR/README.md:/proc/1/root:/proc/kcore:/dev/mem:/sys/fs/cgroup" &&
    caged 0 $user --sandbox -np 1 -x "HOSTILE_PATHS=$paths" ./hostile read && held 13
'
test_expect_success "$user: nothing of the system can be written" '
    paths="/x:/usr/x:/etc/x:/etc/passwd:/bin/sh:/dev/x:/run/x:/run/cpmp/cage:$PWD/hostile" &&
    paths="$paths:/run/cpmp/lib/libmpi.so.40:/proc/sys/kernel/hostname:/sys/x:$PWD/../x" &&
    caged 0 $user --sandbox -np 1 -x "HOSTILE_PATHS=$paths" ./hostile write && held 13
'
test_expect_success "$user: no network, no socket of somebody outside" '
    perl -MIO::Socket::UNIX -e "
        \$s = IO::Socket::UNIX->new(Local => qq(\\0cpmp-$$), Listen => 1) or die;
        open my \$f, q(>), q(listening); close \$f; sleep 60" & listener=$! &&
    await test -e listening && test_expect_code 1 ./hostile network "cpmp-$$" >out &&
    grep "^broken: an abstract socket" out &&
    caged 0 $user --sandbox -np 1 ./hostile network "cpmp-$$" &&
    kill $listener && rm listening && held 8
'
test_expect_success "$user: system calls against the kernel are refused" '
    caged 0 $user --sandbox -np 1 ./hostile calls && held 31
'
test_expect_success "$user: the terminal of the launcher is out of reach" '
    $(user_as $user) script -qec "cpexec --sandbox -np 1 ./hostile calls" /dev/null >out \
        </dev/null && held 31
'
test_expect_success "$user: the cage can be neither killed, nor read, nor robbed" '
    caged 0 $user --sandbox -np 2 ./hostile cage && held 20
'
test_expect_success "$user: processes outside can't be killed" '
    $(user_as $user) tail -f /dev/null & victim=$! &&
    caged 0 $user --sandbox -np 1 ./hostile outside $victim $$ && held 2 && kill $victim
'

test_expect_success "$user: a fork bomb is bounded" '
    caged 0 $user --sandbox=processes=60 -np 2 ./hostile bomb 200 && held 2 &&
    at_most 60 forked &&
    caged_start $user --sandbox=processes=100 --timeout 1 -np 2 ./hostile storm && job_ends 110 &&
    await groups_are_gone
'
test_expect_success "$user: who lingers on in a session of its own ends with the job" '
    caged 0 $user --sandbox -np 2 ./hostile stay
'
test_expect_success "$user: files are bounded in number and size" '
    caged 0 $user --sandbox=files=64 -np 1 ./hostile open 200 && held 1 && at_most 64 opened &&
    caged 0 $user --sandbox=scratch=8M -np 1 ./hostile fill 20 . && held 1 &&
    at_most 8 "filled . with" &&
    caged 0 $user --sandbox=scratch=8M -np 1 ./hostile fill 100 /dev/shm && held 1
'
test_expect_success "$user: no core is written" '
    caged 0 $user --sandbox -np 1 ./hostile dump && held 1 && test -z "$(ls | grep core)"
'
test_expect_success "$user: SCHED_IDLE is no choice" '
    caged 0 $user --sandbox=idle -np 1 ./hostile hurry && held 3
'

# Some are refused, some killed, by group or by watch: what counts is that nobody gets it.
test_expect_success "$user: memory is bounded, whatever it is called" '
    for how in eat share memfd semaphores; do
        code=0 && caged_start $user --sandbox=memory=128M -np 2 ./hostile $how 1000 &&
        { wait $job || code=$?; } && job_is_gone && await groups_are_gone || return 1
        ! grep broken out || return 1
        test $code = 0 || limit_said "more than the 128 MiB of memory" || return 1
    done
'
test_expect_success "$user: a job that runs for too long is ended, and that is said" '
    caged 1 $user --sandbox=time=1 -np 2 tail -f /dev/null && limit_said "ran for 1 s"
'

test_expect_success "$user: killed, the agent takes everything with it" '
    caged_start $user --sandbox=memory=1G -np 2 sh -c "echo on; tail -f /dev/null" &&
    await grep on out && kill -9 $(pgrep -P $job) && job_ends 1 && await groups_are_gone &&
    caged_start $user --sandbox -np 2 sh -c "echo on; tail -f /dev/null" && await grep on out &&
    kill -9 $job && { wait $job || :; } && await job_is_gone
'

test_expect_success "$user: what is missing is named, and the job refused" '
    test_expect_code 1 $(user_as $user) env CPMP_BWRAP=/nothing \
        cpexec --sandbox -np 1 true >out 2>err &&
    limit_said "bwrap: the program bwrap is missing"
'
cd ..
done

test_done
