# SPDX-License-Identifier: BSD-3-Clause
# What is measured, and what cpmp is to reach in it. One row of the table each:
#
#   case     what it is selected by
#   place    2 and 16 (ranks on this machine), hosts, hosts16 and encrypted (half of
#            the ranks on either host; the last with cpexec --encrypt)
#   command  of mpibench, with bytes and options; or kind for what is not timed by mpibench itself
#   field    of mpibench's line, scaled, with unit; better: low or high
#   target   [what it is compared with (better, openmpi or nothing), limit]
package Bench::Cases;

use strict;
use warnings;
use utf8;

our @PLACES = (
    { name => '2',       ranks => 2,  hosts => 1, title => '2 ranks' },
    { name => '16',      ranks => 16, hosts => 1, title => '16 ranks' },
    { name => 'hosts',   ranks => 2,  hosts => 2, title => '2 ranks on two hosts' },
    { name => 'hosts16', ranks => 16, hosts => 2, title => '8 ranks on either of two hosts',
        optional => 1 },
    { name => 'encrypted', ranks => 2, hosts => 2, encrypt => 1, optional => 1,
        title => '2 ranks on two hosts, cpmp with --encrypt' },
);

# Targets of the message path, by place, command and bytes.
my %TARGET = (
    '2 latency 8'           => [ 'better',  0.75 ],
    '2 latency 16384'       => [ 'better',  0.35 ],
    '2 latency 1048576'     => [ 'better',  0.4 ],
    '2 rate 8'              => [ 'better',  1.4 ],
    '16 barrier 0'          => [ 'openmpi', 0.2 ],
    '16 allreduce 8'        => [ 'openmpi', 0.25 ],
    'hosts rate 8'          => [ 'better',  10 ],
    'hosts latency 65536'   => [ 'better',  0.6 ],
    'hosts latency 1048576' => [ 'better',  1.1 ],
);

sub size_text {
    my ($bytes) = @_;
    return $bytes >= 1 << 20 ? ($bytes >> 20) . ' MiB'
        : $bytes >= 1 << 10  ? ($bytes >> 10) . ' KiB'
        :                      "$bytes B";
}

sub row {
    my ($place, $case, $command, $bytes, $title, %more) = @_;
    return {
        place => $place, case => $case, command => $command, bytes => $bytes, title => $title,
        field => 'us', scale => 1, unit => 'µs', better => 'low',
        target => $TARGET{"$place $command $bytes"}, %more,
    };
}

sub pair_rows {
    my ($place) = @_;
    my %rate  = (field => 'per_s',    scale => 1e-6, unit => 'M/s',  better => 'high');
    my %bytes = (field => 'mb_per_s', scale => 1e-3, unit => 'GB/s', better => 'high');
    return (
        row($place, 'latency', 'latency', 8, 'latency 8 B, one way'),
        (map { row($place, 'bandwidth', 'latency', $_, size_text($_) . ', one way') }
            16384, 65536, 1048576),
        (map { row($place, 'bandwidth', 'stream', $_, size_text($_) . ', streaming', %bytes) }
            65536, 1048576),
        row($place, 'rate', 'rate', 8, '8 B messages, windows of 64', %rate),
        row($place, 'rate', 'stream', 8, '8 B messages, streaming', %rate),
    );
}

sub collective_rows {
    my ($place, $largest_block) = @_;
    my @rows = row($place, 'barrier', 'barrier', 0, 'barrier');
    for my $name (qw(bcast allreduce alltoall)) {
        my $largest = $name eq 'alltoall' ? $largest_block : 4 << 20;
        push @rows, map { row($place, $name, $name, $_, "$name " . size_text($_)) }
            8, 4096, 65536, $largest;
    }
    return @rows;
}

# Jobs of their own, not lines of mpibench.
sub job_rows {
    return (
        row('16', 'idle', 'idle', 0, '16 ranks waiting in recv, all processes', kind => 'idle',
            unit => '% of a core', target => [ '', 1 ]),
        row('16', 'compute', 'compute', 0, 'one computes, 15 wait: time against alone',
            kind => 'compute', unit => '×', target => [ '', 1.05 ]),
        row('16', 'start', 'start', 0, 'start 16, init, barrier, end', kind => 'start',
            unit => 'ms', target => [ '', 50 ]),
        row('16', 'start16', 'true', 0, 'start 16 × true, no MPI', kind => 'start', unit => 'ms',
            optional => 1),
    );
}

# 4 MiB for each of 16 ranks would be 2 GiB of buffers: there a rank's whole buffer has 4 MiB.
sub rows {
    return (
        pair_rows('2'), collective_rows('2', 4 << 20),
        pair_rows('16'), collective_rows('16', 256 << 10), job_rows(),
        pair_rows('hosts'),
        pair_rows('encrypted'),
        pair_rows('hosts16'), collective_rows('hosts16', 256 << 10),
    );
}

# The rows that the words name: a case, a place, or case@place. No words: all that are not optional.
sub select_rows {
    my ($all, @words) = @_;
    my %optional = map { $_->{name} => $_->{optional} } @PLACES;
    my @rows = rows();
    return grep { $all || !($_->{optional} || $optional{ $_->{place} }) } @rows if !@words;
    my %wanted;
    for my $word (@words) {
        my ($case, $place) = $word =~ /^(.*)@(.*)$/ ? ($1, $2) : ();
        my @found = grep {
            defined $case ? $rows[$_]{case} eq $case && $rows[$_]{place} eq $place
                : $rows[$_]{place} eq $word
                || $rows[$_]{case} eq $word && ($all || !$optional{ $rows[$_]{place} })
        } 0 .. $#rows;
        die "bench/run: nothing is called $word; see bench/run --list\n" if !@found;
        @wanted{@found} = (1) x @found;
    }
    return @rows[ sort { $a <=> $b } keys %wanted ];
}

1;
