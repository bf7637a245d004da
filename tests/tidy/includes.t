#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# The arrows of the architecture: which folder may include which.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Tidy;

my @LOW = qw(base plat wire ring);
my @PARTS = qw(comm type coll gvar event);
my @LIBRARY = (@LOW, 'p2p', @PARTS, 'native', 'mpi');

my %library_may = (
    base => [qw(base)],
    plat => [qw(base plat)],
    wire => [qw(base wire)],
    ring => [@LOW],
    p2p  => [@LOW, 'p2p'],
    (map { $_ => [@LOW, 'p2p', @PARTS] } @PARTS),
    native => [@LOW, 'p2p', @PARTS, 'native'],
    mpi  => [@LIBRARY],
);

my @includes;    # [ path, line, what, quoted ]
for my $path (c_files()) {
    my @lines = lines($path);
    for my $i (0 .. $#lines) {
        push @includes, [ $path, $i + 1, $2, $1 eq '"' ]
            if $lines[$i] =~ /^\s*#\s*include\s*(["<])([^">]+)[">]/;
    }
}

sub say_include {
    my ($include, $why) = @_;
    return "$include->[0]:$include->[1]: includes $include->[2]: $why";
}

sub is_public { return $_[0] =~ m{^(?:cpmp|mpi)\.h$} }
sub first_folder { return $_[0] =~ m{^([^/]+)/} ? $1 : '' }

sub library_offends {
    my ($include) = @_;
    my ($path, undef, $what, $quoted) = @$include;
    my ($folder) = $path =~ m{^libcpmp/([^/]+)/} or return "$path: not in a folder of libcpmp";
    my $allowed = $library_may{$folder}
        or return "$path: a folder that tests/tidy/includes.t does not know";
    return say_include($include, 'mpi.h is for mpi/ only')
        if $what eq 'mpi.h' && $folder ne 'mpi' && $folder ne 'type' && $folder ne 'coll';
    return () if !$quoted;
    return say_include($include, 'name it by its path from libcpmp/') if first_folder($what) eq '';
    return () if grep { $_ eq first_folder($what) } @$allowed;
    return say_include($include, "$folder may see @$allowed only");
}

# What launcher folders may see beside themselves. The programs stand on top and see all the others,
# but not each other: what two of them need belongs in a folder that they share.
my @PROGRAMS = qw(agent exec peer tool);
my %launcher_may = (
    text => [@LOW],
    system => [@LOW, 'text'],
    process => [@LOW, qw(text system)],
    proto => [qw(base wire)],
    content => [@LOW, qw(text system)],
    sandbox => [@LOW, qw(text system process)],
    link => [@LOW, qw(text system)],
    control => [@LOW, qw(text system link)],
    local => [@LOW, qw(text system link control)],
    cc => [],
);
my @shared = sort keys %launcher_may;
$launcher_may{$_} = [@LOW, @shared] for @PROGRAMS;

sub launcher_offends {
    my ($include) = @_;
    my ($path, undef, $what, $quoted) = @$include;
    my ($folder) = $path =~ m{^launcher/([^/]+)/} or return "$path: not in a folder of launcher";
    my $allowed = $launcher_may{$folder}
        or return "$path: a folder that tests/tidy/includes.t does not know";
    return say_include($include, 'the launcher is no MPI program') if $what eq 'mpi.h';
    return () if !$quoted;
    return () if grep { $_ eq first_folder($what) } @$allowed, $folder;
    return say_include($include, "$folder may see @$allowed only");
}

# examples and bench are programs like any user's.
sub user_offends {
    my ($include) = @_;
    my ($path, undef, $what, $quoted) = @$include;
    return () if !$quoted;
    (my $folder = $path) =~ s{[^/]+$}{};
    return () if -e srcdir() . "/$folder$what" || is_public($what);
    my ($top) = $path =~ m{^([^/]+)/};
    return () if first_folder($what) eq $top || -e srcdir() . "/$top/$what";
    return say_include($include, 'examples and benchmarks see include/ and their own files only');
}

# A header that its own .c includes first is known to stand alone.
sub own_header_late {
    my ($path) = @_;
    (my $header = $path) =~ s/\.c$/.h/;
    return () if !-e srcdir() . "/$header";
    my ($first) = grep { $_->[0] eq $path } @includes;
    my $own = $header =~ s{^(?:libcpmp|launcher)/}{}r;
    my $name = $header =~ s{.*/}{}r;
    return () if $first && ($first->[2] eq $own || $first->[2] eq $name);
    return "$path: its first include is not \"$own\"";
}

# Among folders on the same level any may use another, but not both each other.
sub cycles {
    my (%sees, @cycles);
    for my $include (@includes) {
        my ($from) = $include->[0] =~ m{^(?:libcpmp|launcher)/([^/]+)/} or next;
        my $to = first_folder($include->[2]);
        $sees{$from}{$to} //= "$include->[0]:$include->[1]" if $include->[3] && $to ne $from;
    }
    for my $start (sort keys %sees) {
        my (%seen, @queue);
        @queue = keys %{ $sees{$start} };
        while (defined(my $next = shift @queue)) {
            if ($next eq $start) {
                push @cycles, "$start is reached from itself; it includes "
                    . join ', ', map { "$_ ($sees{$start}{$_})" } sort keys %{ $sees{$start} };
                last;
            }
            push @queue, keys %{ $sees{$next} // {} } if !$seen{$next}++;
        }
    }
    return @cycles;
}

sub of { my ($top) = @_; return grep { $_->[0] =~ m{^$top/} } @includes }

rule('libcpmp: base <- plat, wire <- ring <- p2p <- comm, type, coll, gvar, event <- mpi',
    map { library_offends($_) } of('libcpmp'));
rule('launcher: text <- system <- process, content, link <- sandbox, control <- local <- programs',
    map { launcher_offends($_) } of('launcher'));
rule('examples and bench see include/ only', map { user_offends($_) } of('examples'), of('bench'));
rule('no two folders see each other', cycles());
rule('a source includes its own header first', map { own_header_late($_) } files(qr/\.c$/));
rules_end();
