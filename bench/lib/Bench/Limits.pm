# SPDX-License-Identifier: BSD-3-Clause
# What the machine itself takes for what an MPI does, as lines under the table.
package Bench::Limits;

use strict;
use warnings;
use utf8;

my @BYTES = (8, 16384, 65536, 1048576);

sub size_text {
    my ($bytes) = @_;
    return $bytes < 1024 ? "$bytes B" : $bytes < 1048576 ? $bytes / 1024 . ' KiB'
        : $bytes / 1048576 . ' MiB';
}

# Builds and runs bench/limits/copies; its figures, or why there are none, become a note.
sub measure {
    my ($session) = @_;
    my $program = "$session->{scratch}/copies";
    my @compiler = (qw(cc -std=gnu11 -D_GNU_SOURCE -O2 -o), $program,
        "$session->{root}/bench/limits/copies.c");
    my $text = qx{@compiler 2>&1};
    $text = qx{timeout $session->{timeout} $program @BYTES 2>&1} if $? == 0;
    my %us = map { /^(\d+) (\S+) (\S+)$/ ? ($1 => [ $2, $3 ]) : () } split /\n/, $text;
    if ($? != 0 || grep { !$us{$_} } @BYTES) {
        push @{ $session->{notes} }, 'limits: not measured: ' . $text =~ s/\s+$//r;
        return;
    }
    my $line = sub {
        my ($way) = @_;
        return join ', ', map { size_text($_) . " $us{$_}[$way] µs" } @BYTES;
    };
    push @{ $session->{notes} },
        'limits, one way between two processes without any protocol: one copy by the kernel, '
        . $line->(0) . '; copies in and out of shared memory, ' . $line->(1);
    return;
}

1;
