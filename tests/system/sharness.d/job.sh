# SPDX-License-Identifier: BSD-3-Clause
# For tests that start jobs and look what is left of them. Whatever a job starts carries a mark in
# its environment, so that it is found wherever it went.
job_mark=CPMP_TEST_JOB=$$

. "$CPMP_SRCDIR/tests/system/sharness.d/await.sh"

# Starts cpexec in the background: its pid is in $job, what it prints in the files out and err. (The
# shell gives /dev/null to background commands whose input isn't named.)
job_start() { # arguments of cpexec...
    job_sweep
    rm -f out err  # now: the redirections below come when the new process runs
    mkdir -p "$SHARNESS_TRASH_DIRECTORY/tmp"
    { env "$job_mark" TMPDIR="$SHARNESS_TRASH_DIRECTORY/tmp" cpexec "$@" >out 2>err <&7 7<&- &
        job=$!; } 7<&0
}

job_pids() {
    grep -slzx "$job_mark" /proc/[0-9]*/environ | grep -o '[0-9]*'
}

# What a failed test left behind is not to fail the next one.
job_sweep() {
    for pid in $(job_pids); do
        kill -9 "$pid" 2>/dev/null
    done
    return 0
}

# Nothing of the jobs of this test lives, and no file is where temporary ones would be.
job_is_gone() {
    for pid in $(job_pids); do
        echo "left: $(tr '\0' ' ' <"/proc/$pid/cmdline") ($pid)"
        return 1
    done
    job_files=$(find "$SHARNESS_TRASH_DIRECTORY/tmp" /dev/shm -mindepth 1 -user "$(id -u)" \
        \( -path "$SHARNESS_TRASH_DIRECTORY/*" -o -name '*cpmp*' \) 2>/dev/null)
    test -z "$job_files" || { echo "left: $job_files" && return 1; }
}

# Waits for cpexec to end with this code, with nothing left behind.
job_ends() { # code
    wait "$job"
    job_code=$?
    test "$job_code" = "$1" || { echo "cpexec ended with $job_code" && cat err && return 1; }
    job_is_gone
}

# Runs cpexec in the foreground, the same way.
job_run() { # code, arguments of cpexec...
    job_code=$1 && shift &&
    job_start "$@" && job_ends "$job_code"
}

# So many lines of the file have the pattern.
has_lines() { # count, pattern, file
    test "$(grep -c -e "$2" "$3")" = "$1"
}

# The most memory that a process has used so far.
peak_kib() { # pid
    sed -n "s/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$1/status"
}

# Before memory is measured: the address sanitizer keeps what was freed, 256 MiB of it.
keep_nothing_freed() {
    ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1"
    export ASAN_OPTIONS
}
