# SPDX-License-Identifier: BSD-3-Clause
# Takes samples: each implementation in turn, for several rounds, so that what the machine does
# meanwhile happens to all of them.
#
# A session is a hash: root, scratch, mpis (names), rounds, seconds, timeout, mtu; it gets
#   samples  {row}{mpi} = [one value a round]
#   notes    what the reader of the table has to know
#   failed   set when anything did not run
package Bench::Measure;

use strict;
use warnings;
use utf8;
use Bench::Cases;
use Bench::Launch;
use Bench::Mpi;
use Bench::Net;

# A launch that takes longer than this says enough in one round.
my $SLOW_S = 10;

# The idle case: how long the ranks wait, and for how long of it they are watched.
my ($IDLE_S, $WATCHED_S) = (2.5, 1.5);

sub row_key {
    my ($row) = @_;
    return "$row->{place} $row->{command} $row->{bytes}";
}

sub note {
    my ($s, $mpi, $place, $text) = @_;
    my $line = "$Bench::Mpi::TITLE{$mpi}, $place->{title}: $text";
    push @{ $s->{notes} }, $line if !grep { $_ eq $line } @{ $s->{notes} };
    return;
}

sub fail {
    my ($s, $mpi, $place, $text) = @_;
    $s->{failed} = 1;
    note($s, $mpi, $place, "FAILED: $text");
    return;
}

sub add_sample {
    my ($s, $row, $mpi, $value) = @_;
    push @{ $s->{samples}{ row_key($row) }{$mpi} }, $value;
    return;
}

# Rounds of one thing that each implementation does in turn; what fails or is slow isn't repeated.
sub in_rounds {
    my ($s, $place, $what, $rounds, $take) = @_;
    my %out;
    for my $round (1 .. $rounds) {
        my @took;
        for my $mpi (grep { !$out{$_} } @{ $s->{mpis} }) {
            my ($wall_s, $error) = $take->($mpi);
            push @took, sprintf '%s %.1f s', $Bench::Mpi::TITLE{$mpi}, $wall_s;
            if ($error) {
                fail($s, $mpi, $place, "$what: $error");
                $out{$mpi} = 1;
            } elsif ($wall_s > $SLOW_S && $round < $rounds) {
                note($s, $mpi, $place, sprintf '%s: one round only, as it took %.0f s', $what,
                    $wall_s);
                $out{$mpi} = 1;
            }
        }
        printf STDERR "%s, %s, round %d of %d: %s\n", $place->{title}, $what, $round, $rounds,
            join ', ', @took if @took;
    }
    return;
}

sub start_ranks {
    my ($s, $mpi, $ranks, $program, %more) = @_;
    my ($env, @command) = Bench::Mpi::command($mpi,
        { ranks => $ranks, root => $s->{root}, net => $more{net}, encrypt => $more{encrypt},
            remote_shell => "$s->{scratch}/remote-shell" });
    return Bench::Launch::run(command => [ @command, @$program ], env => $env,
        timeout => $s->{timeout}, scratch => $s->{scratch}, on_line => $more{on_line});
}

sub mpibench {
    my ($s, $mpi, @arguments) = @_;
    return [ "$s->{scratch}/mpibench.$mpi", @arguments ];
}

# Key and value of one of mpibench's lines.
sub parse_line {
    my ($line) = @_;
    my ($command, %value) = split /[ =]/, $line;
    return ($command, \%value);
}

# Enters the figures of one launch; returns what is missing and the bytes that the ranks sent.
sub read_figures {
    my ($s, $mpi, $rows, $lines) = @_;
    my %line;
    my $sent = 0;
    for my $text (grep { /^\w+ ranks=\d+ .* wrong=\d+$/ } @$lines) {
        my ($command, $value) = parse_line($text);
        $line{"$command $value->{bytes}"} = $value if $value->{wrong} == 0;
        $sent += $value->{bytes} * $value->{iterations} * ($value->{window} || 1);
    }
    my @missing;
    for my $row (@$rows) {
        my $value = $line{"$row->{command} $row->{bytes}"};
        push @missing, $row->{title} if !$value;
        add_sample($s, $row, $mpi, $value->{ $row->{field} } * $row->{scale}) if $value;
    }
    return (\@missing, $sent);
}

sub arguments {
    my ($s, $place, $rows) = @_;
    my $seconds = $s->{seconds} * $place->{hosts};
    my (%seen, @arguments);
    for my $row (grep { !$seen{ row_key($_) }++ } @$rows) {
        push @arguments, '--then' if @arguments;
        push @arguments, $row->{command}, '--seconds', $seconds;
        push @arguments, '--bytes', $row->{bytes} if $row->{bytes};
    }
    return @arguments;
}

# Two hosts are only that if the data goes from one to the other.
sub check_path {
    my ($s, $mpi, $place, $sent, $before) = @_;
    my ($across, $inside) = Bench::Net::bytes_sent($s->{net});
    return '' if $across - $before->[0] >= $sent / 2;
    return 'the data crossed no network' if $inside - $before->[1] < $sent / 2;
    note($s, $mpi, $place, 'over loopback in one network namespace, as the second agent was not '
        . 'started in the other (CPMP_AGENT_PREFIX_1)');
    return '';
}

sub take_figures {
    my ($s, $mpi, $place, $rows) = @_;
    my $net = $place->{hosts} == 2 ? $s->{net} : undef;
    my $before = $net ? [ $net->bytes_sent ] : undef;
    my $run = start_ranks($s, $mpi, $place->{ranks},
        mpibench($s, $mpi, arguments($s, $place, $rows)), net => $net,
        encrypt => $place->{encrypt});
    my ($missing, $sent) = read_figures($s, $mpi, $rows, $run->{lines});
    my $error = $run->{error};
    $error ||= check_path($s, $mpi, $place, $sent, $before) if $net;
    $error ||= 'no figures' if @$missing;
    my $count = @$missing;
    $error .= " (nothing for $missing->[0]" . ($count > 1 ? ' and ' . ($count - 1) . ' more' : '')
        . ')' if $error && $count;
    return ($run->{wall_s}, $error);
}

# One rank more than wait: rank 0 sleeps in the system, and tells when to look.
sub take_idle {
    my ($s, $mpi, $place, $row) = @_;
    my $percent;
    my $watch = sub {
        ($percent) = Bench::Launch::cpu_percent($WATCHED_S) if $_[0] eq 'idle begin';
    };
    my $run = start_ranks($s, $mpi, $place->{ranks} + 1,
        mpibench($s, $mpi, 'idle', '--seconds', $IDLE_S), on_line => $watch);
    my $error = $run->{error};
    $error ||= 'rank 0 was not heard' if !defined $percent;
    add_sample($s, $row, $mpi, $percent) if !$error;
    return ($run->{wall_s}, $error);
}

sub computing_seconds {
    my ($s, $mpi, $ranks) = @_;
    my $run = start_ranks($s, $mpi, $ranks, mpibench($s, $mpi, 'compute', '--steps', 120));
    my ($line) = grep { /^compute / } @{ $run->{lines} };
    my $error = $run->{error} || ($line ? '' : 'no figures');
    return ($run, $error) if $error;
    my ($command, $value) = parse_line($line);
    return ($run, '', $value->{seconds});
}

sub take_compute {
    my ($s, $mpi, $place, $row) = @_;
    my ($alone_run, $alone_error, $alone_s) = computing_seconds($s, $mpi, 1);
    return ($alone_run->{wall_s}, "alone: $alone_error") if $alone_error;
    my ($run, $error, $seconds) = computing_seconds($s, $mpi, $place->{ranks});
    add_sample($s, $row, $mpi, $seconds / $alone_s) if !$error;
    return ($alone_run->{wall_s} + $run->{wall_s}, $error);
}

sub take_start {
    my ($s, $mpi, $place, $row) = @_;
    my $mpi_job = $row->{command} eq 'start';
    my $run = start_ranks($s, $mpi, $place->{ranks},
        $mpi_job ? mpibench($s, $mpi, 'start') : ['true']);
    my $error = $run->{error};
    $error ||= 'no barrier'
        if $mpi_job && !grep { /^start ranks=$place->{ranks}$/ } @{ $run->{lines} };
    add_sample($s, $row, $mpi, 1000 * $run->{wall_s}) if !$error;
    return ($run->{wall_s}, $error);
}

my %TAKE = (idle => \&take_idle, compute => \&take_compute, start => \&take_start);

sub make_hosts {
    my ($s) = @_;
    $s->{net} ||= eval { Bench::Net->new($s->{mtu}) };
    return $@ =~ s/\s+$//r if !$s->{net};
    $s->{net}->write_remote_shell("$s->{scratch}/remote-shell");
    return '';
}

# Takes all samples for the rows of one place.
sub measure_place {
    my ($s, $place, @rows) = @_;
    if ($place->{hosts} == 2 and my $error = make_hosts($s)) {
        $s->{failed} = 1;
        push @{ $s->{notes} }, "$place->{title}: FAILED: $error";
        return;
    }
    if (my @figures = grep { !$_->{kind} } @rows) {
        in_rounds($s, $place, 'messages and collectives', $s->{rounds},
            sub { take_figures($s, $_[0], $place, \@figures) });
    }
    for my $row (grep { $_->{kind} } @rows) {
        my $rounds = $row->{kind} eq 'start' ? $s->{rounds} : ($s->{rounds} + 1) >> 1;
        in_rounds($s, $place, $row->{case}, $rounds,
            sub { $TAKE{ $row->{kind} }->($s, $_[0], $place, $row) });
    }
    return;
}

1;
