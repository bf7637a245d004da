# SPDX-License-Identifier: BSD-3-Clause
# From samples to what is printed: medians, ratios of medians, targets met or missed; as a table, as
# Markdown, as JSON.
package Bench::Report;

use strict;
use warnings;
use utf8;
use JSON::PP ();
use POSIX ();
use Bench::Cases;
use Bench::Measure;
use Bench::Mpi;

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return undef if !@sorted;
    return ($sorted[ $#sorted / 2 ] + $sorted[ @sorted / 2 ]) / 2;
}

sub best {
    my ($better, @values) = @_;
    @values = sort { $better eq 'low' ? $a <=> $b : $b <=> $a } grep { defined } @values;
    return $values[0];
}

sub ratio {
    my ($value, $other) = @_;
    return defined $value && $other ? $value / $other : undef;
}

# Three digits, without an exponent.
sub number {
    my ($value) = @_;
    return '–' if !defined $value;
    return '0' if $value == 0;
    my $digits = 2 - POSIX::floor(log(abs $value) / log 10);
    $digits = $digits < 0 ? 0 : $digits > 4 ? 4 : $digits;
    return sprintf "%.${digits}f", $value;
}

sub target_text {
    my ($row) = @_;
    my $target = $row->{target} or return '';
    my ($against, $limit) = @$target;
    my $sign = $row->{better} eq 'low' ? '≤' : '≥';
    return "$sign $limit $row->{unit}" if !$against;
    return "$sign $limit × " . ($against eq 'better' ? 'the better' : 'Open MPI');
}

sub verdict {
    my ($row, $result) = @_;
    my $target = $row->{target} or return undef;
    my ($against, $limit) = @$target;
    my $value = $against ? $result->{"ratio_$against"} : $result->{median}{cpmp};
    return undef if !defined $value;
    return $row->{better} eq 'low' ? $value <= $limit : $value >= $limit;
}

# What the samples say about one row.
sub result {
    my ($session, $row) = @_;
    my $samples = $session->{samples}{ Bench::Measure::row_key($row) } || {};
    my %median = map { $_ => median(@{ $samples->{$_} || [] }) } @Bench::Mpi::NAMES;
    my $result = {
        median => \%median,
        ratio_better =>
            ratio($median{cpmp}, best($row->{better}, @median{qw(openmpi mpich)})),
        ratio_openmpi => ratio($median{cpmp}, $median{openmpi}),
    };
    $result->{met} = verdict($row, $result);
    return $result;
}

sub met_text {
    my ($met) = @_;
    return !defined $met ? '' : $met ? 'met' : 'missed';
}

my @HEADINGS =
    ('', 'unit', 'Open MPI', 'MPICH', 'cpmp', 'cpmp / better', 'cpmp / Open MPI', 'target', '');

sub cells {
    my ($session, $row) = @_;
    my $result = result($session, $row);
    return (
        $row->{title}, $row->{unit}, (map { number($result->{median}{$_}) } @Bench::Mpi::NAMES),
        number($result->{ratio_better}), number($result->{ratio_openmpi}),
        target_text($row), met_text($result->{met}));
}

sub by_place {
    my ($rows) = @_;
    return map {
        my $place = $_;
        my @here = grep { $_->{place} eq $place->{name} } @$rows;
        @here ? [ $place, @here ] : ();
    } @Bench::Cases::PLACES;
}

sub machine_text {
    my ($machine) = @_;
    return "$machine->{date}, $machine->{cores} cores ($machine->{cpu}), $machine->{system}; "
        . join ', ', map { "$Bench::Mpi::TITLE{$_} $machine->{versions}{$_}" }
        grep { $machine->{versions}{$_} } @Bench::Mpi::NAMES;
}

sub print_table {
    my ($session, $rows, $machine) = @_;
    my @width = (42, 11, 9, 9, 9, 14, 16, 20, 6);
    my $print = sub {
        my @cells = @_;
        my $line = join ' ', map {
            my $text = $cells[$_];
            my $space = ' ' x ($width[$_] > length $text ? $width[$_] - length $text : 0);
            $_ < 2 || $_ > 6 ? "$text$space" : "$space$text";
        } 0 .. $#cells;
        print $line =~ s/\s+$//r, "\n";
    };
    print machine_text($machine), "\n\n";
    $print->(@HEADINGS);
    for my $group (by_place($rows)) {
        my ($place, @here) = @$group;
        print "$place->{title}\n";
        for my $row (@here) {
            my @cells = cells($session, $row);
            $cells[0] = "  $cells[0]";
            $print->(@cells);
        }
    }
    print "\n", map { "$_\n" } @{ $session->{notes} } if @{ $session->{notes} };
    return;
}

sub markdown {
    my ($session, $rows, $machine) = @_;
    my $text = machine_text($machine) . "\n";
    for my $group (by_place($rows)) {
        my ($place, @here) = @$group;
        $text .= "\n| $place->{title} " . join(' | ', @HEADINGS) . " |\n";
        $text .= '|---|---|' . '---:|' x 5 . "---|---|\n";
        $text .= '| ' . join(' | ', cells($session, $_)) . " |\n" for @here;
    }
    $text .= join '', "\n", map { "- $_\n" } @{ $session->{notes} } if @{ $session->{notes} };
    return $text;
}

sub json {
    my ($session, $rows, $machine) = @_;
    my @rows = map {
        my $row = $_;
        my $result = result($session, $row);
        my $met = $result->{met};
        +{
            (map { $_ => $row->{$_} } qw(place case command bytes title unit better)),
            samples => $session->{samples}{ Bench::Measure::row_key($row) } || {},
            median => $result->{median},
            ratio_better => $result->{ratio_better},
            ratio_openmpi => $result->{ratio_openmpi},
            target => $row->{target}
                ? { against => $row->{target}[0] || undef, limit => $row->{target}[1] }
                : undef,
            met => !defined $met ? undef : $met ? JSON::PP::true() : JSON::PP::false(),
        }
    } @$rows;
    return JSON::PP->new->pretty->canonical->encode(
        { machine => $machine, rows => \@rows, notes => $session->{notes} });
}

# Puts the Markdown between the two marks in the file.
sub update_file {
    my ($path, $text, $name) = @_;
    $name //= 'figures';
    open my $file, '<:encoding(UTF-8)', $path or die "bench/run: $path: $!\n";
    my $old = do { local $/; <$file> };
    close $file;
    (my $new = $old) =~ s/(<!-- $name -->\n).*(<!-- end of $name -->\n)/$1$text$2/s
        or die "bench/run: $path has no line <!-- $name -->\n";
    open $file, '>:encoding(UTF-8)', "$path.new" or die "bench/run: $path.new: $!\n";
    print $file $new;
    close $file or die "bench/run: $path.new: $!\n";
    rename "$path.new", $path or die "bench/run: $path: $!\n";
    return;
}

1;
