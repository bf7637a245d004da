# SPDX-License-Identifier: BSD-3-Clause
# The implementations that are compared: how each compiles, and how each starts ranks.
package Bench::Mpi;

use strict;
use warnings;
use Bench::Net;

our @NAMES = qw(openmpi mpich cpmp);
our %TITLE = (openmpi => 'Open MPI', mpich => 'MPICH', cpmp => 'cpmp');

sub cores {
    my $cores = qx{nproc};
    return $cores + 0;
}

sub prefix {
    my ($root) = @_;
    return $ENV{CPMP_PREFIX} || "$root/_install";
}

sub compiler {
    my ($name, $root) = @_;
    return $name eq 'cpmp' ? prefix($root) . '/bin/cpcc' : "mpicc.$name";
}

sub launcher {
    my ($name, $root) = @_;
    return { openmpi => 'mpiexec.openmpi', mpich => 'mpiexec.mpich',
        cpmp => prefix($root) . '/bin/cpexec' }->{$name};
}

# Why it can't be measured here; empty when it can.
sub missing {
    my ($name, $root) = @_;
    for my $tool (compiler($name, $root), launcher($name, $root)) {
        next if $tool =~ m{/} ? -x $tool : grep { -x "$_/$tool" } split /:/, $ENV{PATH};
        return $name eq 'cpmp'
            ? "$tool is not there: make install, or set CPMP_PREFIX to where it is installed"
            : "$tool is not there: run bench/setup";
    }
    return '';
}

sub version {
    my ($name, $root) = @_;
    my $said = qx{@{[launcher($name, $root)]} --version 2>&1};
    return $1 if $said =~ /(\d+\.\d+(?:\.\d+)?\S*)/;
    return 'unknown';
}

# Compiles bench/src into scratch/mpibench.NAME; returns what the compiler had to say on failure.
sub build {
    my ($name, $root, $scratch) = @_;
    my @flags = qw(-std=gnu11 -O2 -Wall -Wextra);
    # gcc takes MPICH's MPI_STATUSES_IGNORE for an array of length 0.
    push @flags, '-Wno-stringop-overflow' if $name eq 'mpich';
    my @command = (compiler($name, $root), @flags, "-I$root", '-o', "$scratch/mpibench.$name",
        glob "$root/bench/src/*.c");
    my $said = qx{@command 2>&1};
    return $? == 0 ? '' : "cannot compile bench/src: $said";
}

sub openmpi_command {
    my ($o) = @_;
    my $env = { OMPI_ALLOW_RUN_AS_ROOT => 1, OMPI_ALLOW_RUN_AS_ROOT_CONFIRM => 1 };
    my @options;
    if (my $net = $o->{net}) {
        my $each = $o->{ranks} / 2;
        my $hosts = join ',', map { "$_:$each" } @Bench::Net::ADDRESS;
        # Each host would bind its first rank to the first core: the same one here.
        @options = ('--host', $hosts, qw(--bind-to none --mca plm_rsh_agent), $o->{remote_shell},
            map { ('--mca', "${_}_tcp_if_include", '10.77.0.0/24') } qw(btl oob));
    }
    # On two hosts it is told of as many slots as ranks, and wouldn't see that it has to yield.
    push @options, qw(--oversubscribe --mca mpi_yield_when_idle 1) if $o->{ranks} > cores();
    return ($env, 'mpiexec.openmpi', @options, '-n', $o->{ranks});
}

sub mpich_command {
    my ($o) = @_;
    my @ranks = ('-n', $o->{ranks});
    my $net = $o->{net} or return ({}, 'mpiexec.mpich', @ranks);
    return ({ UCX_TLS => 'tcp,self' }, 'mpiexec.mpich', '-launcher', 'ssh', '-launcher-exec',
        $o->{remote_shell}, '-iface', $Bench::Net::VETH[0], '-hosts',
        join(',', @Bench::Net::ADDRESS), '-ppn', $o->{ranks} / 2, @ranks);
}

# An embedded pool of two, with the second agent on the other host. The launcher itself sees all
# cores, as it counts them for both.
sub cpmp_command {
    my ($o) = @_;
    my @command = (launcher('cpmp', $o->{root}));
    push @command, '--encrypt' if $o->{encrypt};
    my %env;
    if (my $net = $o->{net}) {
        push @command, '--peers', 2;
        my @on_cores = map { [ Bench::Net::on_cores($_) ] } 0, 1;
        $env{CPMP_AGENT_PREFIX_0} = join ' ', @{ $on_cores[0] } if @{ $on_cores[0] };
        $env{CPMP_AGENT_PREFIX_1} = join ' ', $net->enter(1, 1), @{ $on_cores[1] };
        $env{"CPMP_AGENT_ADDRESS_$_"} = $Bench::Net::ADDRESS[$_] for 0, 1;
    }
    return (\%env, @command, '-np', $o->{ranks});
}

# The environment and the command that starts o->{ranks} ranks of what is appended to it; on two
# hosts when o->{net} is given, with o->{remote_shell} in ssh's place.
sub command {
    my ($name, $o) = @_;
    my ($env, @command) = { openmpi => \&openmpi_command, mpich => \&mpich_command,
        cpmp => \&cpmp_command }->{$name}->($o);
    unshift @command, Bench::Net::on_cores(0) if $o->{net} && $name ne 'cpmp';
    unshift @command, $o->{net}->enter(0) if $o->{net};
    return ($env, @command);
}

1;
