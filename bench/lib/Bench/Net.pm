# SPDX-License-Identifier: BSD-3-Clause
# Two hosts on one machine: two network namespaces, each with its own hostname and /sys, joined by
# a veth pair with the addresses 10.77.0.1 and 10.77.0.2. What runs on a host runs on its half of
# the cores, as two machines don't take turns on one.
#
# The namespaces have no names. Each lives as long as a shell that waits on a pipe from here, so
# they and the veth pair are gone when this program is, even if it is killed. Root makes them as
# they are; any other user within a user namespace of his own.
package Bench::Net;

use strict;
use warnings;
use POSIX ();
use Time::HiRes qw(sleep);

our @ADDRESS = ('10.77.0.1', '10.77.0.2');
our @VETH    = ('cpmpbench0', 'cpmpbench1');

# Starts a shell in new namespaces; returns its pid and the pipe that keeps it.
sub hold {
    my ($name, @enter) = @_;
    my $script = "hostname $name && ip link set lo up && mount -t sysfs sysfs /sys && "
        . 'echo ready && read -r end';
    pipe my $stay, my $keep or die "bench: no pipe: $!\n";
    pipe my $hear, my $say  or die "bench: no pipe: $!\n";
    defined(my $pid = fork) or die "bench: cannot fork: $!\n";
    if ($pid == 0) {
        setpgrp;
        open STDIN,  '<&', $stay;
        open STDOUT, '>&', $say;
        open STDERR, '>&', $say;
        exec @enter, 'sh', '-c', $script or POSIX::_exit(127);
    }
    close $stay;
    close $say;
    my $answer = <$hear> // "it ended at once\n";
    return ($pid, $keep) if $answer eq "ready\n";
    waitpid $pid, 0;
    die "bench: cannot make a network namespace: $answer";
}

sub must {
    my $said = qx{@_ 2>&1};
    die "bench: @_: $said" if $? != 0;
    return;
}

# A new pair carries data only a moment after both of its ends are up.
sub await_carrier {
    my ($self, $host) = @_;
    my $in = join ' ', $self->enter($host);
    for (1 .. 500) {
        return if qx{$in cat /sys/class/net/$VETH[$host]/operstate} eq "up\n";
        sleep 0.01;
    }
    die "bench: $VETH[$host] did not come up within 5 s\n";
}

sub new {
    my ($class, $mtu) = @_;
    my $user = $> == 0 ? '' : '-U --preserve-credentials';
    my (@pid, @keep);

    my @new = qw(-n -u -m);
    ($pid[0], $keep[0]) = hold('cpmp-bench-0', 'unshare', ($user ? '-r' : ()), @new);
    my @inside = $user ? ('nsenter', '-t', $pid[0], split ' ', $user) : ();
    ($pid[1], $keep[1]) = hold('cpmp-bench-1', @inside, 'unshare', @new);
    my $self = bless { pid => \@pid, keep => \@keep, user => $user }, $class;
    my $in_first = join ' ', $self->enter(0);
    must("$in_first ip link add $VETH[0] type veth peer name $VETH[1] netns $pid[1]");
    for my $host (0, 1) {
        my $in = join ' ', $self->enter($host);
        must("$in ip addr add $ADDRESS[$host]/24 dev $VETH[$host]");
        must("$in ip link set $VETH[$host] mtu $mtu up");
    }
    $self->await_carrier($_) for 0, 1;
    return $self;
}

# Command prefix that runs the rest on that host; from_inside: started by what already runs on one.
sub enter {
    my ($self, $host, $from_inside) = @_;
    my @user = $from_inside ? () : split ' ', $self->{user};
    return ('nsenter', '-t', $self->{pid}[$host], @user, '-m', '-n', '-u');
}

# Command prefix that keeps the rest on the host's cores. On one core there is nothing to share out.
sub on_cores {
    my ($host) = @_;
    my @cores = split /,/, join ',', map { /^(\d+)-(\d+)$/ ? $1 .. $2 : $_ } split /,/,
        qx{taskset -cp $$} =~ /: (\S+)$/ ? $1 : '';
    my $half = int(@cores / 2) or return ();
    return ('taskset', '-c', join ',', @cores[ $host * $half .. $host * $half + $half - 1 ]);
}

# A stand-in for ssh: script OPTIONS ADDRESS COMMAND...
sub write_remote_shell {
    my ($self, $path) = @_;
    open my $file, '>', $path or die "bench: $path: $!\n";
    print $file "#!/bin/sh\n", 'while [ "${1#-}" != "$1" ]; do shift; done', "\n",
        'address=$1; shift', "\n", "case \$address in\n";
    for my $host (0, 1) {
        my $enter = join ' ', $self->enter($host, 1), on_cores($host);
        print $file "$ADDRESS[$host]) exec $enter sh -c \"\$*\";;\n";
    }
    print $file "esac\necho \"no host has the address \$address\" >&2\nexit 1\n";
    close $file;
    chmod 0755, $path;
    return;
}

# Bytes sent so far from the first host: (to the second one, to itself over loopback).
sub bytes_sent {
    my ($self) = @_;
    my %sent;
    open my $file, '<', "/proc/$self->{pid}[0]/net/dev" or return (0, 0);
    while (<$file>) {
        my ($name, @field) = split /[:\s]+/, s/^\s+//r;
        $sent{$name} = $field[8];
    }
    return map { $_ // 0 } @sent{ $VETH[0], 'lo' };
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);
    close $_ for @{ $self->{keep} };
    waitpid $_, 0 for @{ $self->{pid} };
    return;
}

1;
