# SPDX-License-Identifier: BSD-3-Clause
# Runs one command with a time limit, and accounts for the processes it starts.
#
# All of them are known by a mark in their environment, whoever their parent has become: for their
# CPU time, and to end those that a failed launcher left behind. Nothing else is ever signalled.
package Bench::Launch;

use strict;
use warnings;
use POSIX ();
use Time::HiRes qw(time sleep);

my $MARK = 'CPMP_BENCH_LAUNCH';
my $count = 0;
my $current;    # [mark, process] of the launch under way

sub slurp {
    my ($path) = @_;
    open my $file, '<', $path or return '';
    local $/;
    return <$file> // '';
}

# The living processes with this mark.
sub marked {
    my ($mark) = @_;
    my @found;
    for my $dir (glob '/proc/[0-9]*') {
        my $environ = slurp("$dir/environ");
        next if index("\0$environ", "\0$MARK=$mark\0") < 0;
        my $state = slurp("$dir/stat") =~ /\) (\S)/ ? $1 : 'Z';
        push @found, $dir =~ s{.*/}{}r if $state ne 'Z';
    }
    return @found;
}

# Seconds of CPU that the threads of these processes have had: run time in nanoseconds from
# schedstat, where a jiffy of /proc/PID/stat would hide most of what an idle rank uses.
sub cpu_seconds {
    my $ns = 0;
    for my $pid (@_) {
        for my $path (glob "/proc/$pid/task/[0-9]*/schedstat") {
            $ns += $1 if slurp($path) =~ /^(\d+)/;
        }
    }
    return $ns / 1e9;
}

# Per cent of one core that the launch under way uses over the next seconds. Processes that end
# meanwhile would count negative, so only those that are there at both ends are looked at.
sub cpu_percent {
    my ($seconds) = @_;
    my @pids = marked($current->[0]);
    my ($start, $before) = (time, { map { $_ => cpu_seconds($_) } @pids });
    sleep $seconds;
    my $used = 0;
    for my $pid (@pids) {
        my $now = cpu_seconds($pid);
        $used += $now - $before->{$pid} if $now >= $before->{$pid};
    }
    return (100 * $used / (time - $start), scalar @pids);
}

sub end_marked {
    my ($mark) = @_;
    kill 'KILL', $_ for my @left = marked($mark);
    return scalar @left;
}

# For an interrupt: the launcher may clean up first.
sub end_current {
    return if !$current;
    my ($mark, $pid) = @$current;
    kill 'TERM', $pid;
    my $patience = time + 3;
    sleep 0.01 while waitpid($pid, POSIX::WNOHANG()) == 0 && time < $patience;
    end_marked($mark);
    return;
}

sub become {
    my ($o, $mark, $out, $errors) = @_;
    setpgrp;
    open STDIN,  '<',  '/dev/null';
    open STDOUT, '>&', $out;
    open STDERR, '>',  $errors;
    # What a launcher puts aside, and forgets when it is killed, goes with the scratch directory.
    %ENV = (%ENV, TMPDIR => $o->{scratch}, %{ $o->{env} || {} }, $MARK => $mark);
    exec { $o->{command}[0] } @{ $o->{command} } or do {
        print STDERR "$o->{command}[0]: $!\n";
        POSIX::_exit(127);
    };
}

# Reads lines until all writers are gone or the time is over; true when it was not over.
sub read_lines {
    my ($in, $deadline, $lines, $on_line) = @_;
    my $rest = '';
    while ((my $left = $deadline - time) > 0) {
        vec(my $bits = '', fileno $in, 1) = 1;
        next if select($bits, undef, undef, $left) <= 0;
        my $got = sysread $in, $rest, 65536, length $rest;
        next if !defined $got && $!{EINTR};
        return 1 if !$got;
        while ($rest =~ s/^([^\n]*)\n//) {
            push @$lines, $1;
            $on_line->($1) if $on_line;
        }
    }
    return 0;
}

# command, env, timeout (s), on_line (called with each line of its stdout), scratch (directory).
# Returns { lines, wall_s, error }: error is empty when it ended with status 0 and left nothing.
sub run {
    my (%o) = @_;
    my $mark = "$$." . ++$count;
    my $errors = "$o{scratch}/stderr";
    my (@lines, $error);

    pipe my $in, my $out or die "bench: no pipe: $!\n";
    my $start = time;
    defined(my $pid = fork) or die "bench: cannot fork: $!\n";
    become(\%o, $mark, $out, $errors) if $pid == 0;
    $current = [ $mark, $pid ];
    close $out;
    my $in_time = read_lines($in, $start + $o{timeout}, \@lines, $o{on_line});
    if (!$in_time) {
        $error = sprintf 'not finished after %d s', $o{timeout};
        kill 'TERM', $pid;
        read_lines($in, time + 3, \@lines);
        end_marked($mark);
    }
    waitpid $pid, 0;
    my $wall_s = time - $start;
    $error //= status_error($?, slurp($errors), @lines);
    # A process that is just leaving needs a moment to be gone.
    my $patience = time + 1;
    sleep 0.01 while marked($mark) && time < $patience;
    my $left = end_marked($mark);
    $error ||= "$left processes were left behind" if $left;
    undef $current;
    return { lines => \@lines, wall_s => $wall_s, error => $error };
}

# Its first words but for figures, without the rulers that some put around their errors.
sub status_error {
    my ($status, $errors, @lines) = @_;
    return '' if $status == 0;
    my ($signal, $code) = ($status & 127, $status >> 8);
    my $what = $signal ? "killed by signal $signal" : "exit status $code";
    my @said = grep { /\S/ && !/^[-=\s]+$/ && !/ranks=\d|^idle (begin|end)$/ }
        split(/\n/, $errors), @lines;
    splice @said, 3 if @said > 3;
    return join ': ', $what, @said ? join(' | ', @said) : ();
}

1;
