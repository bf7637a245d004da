#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# What every file must have, and what none may.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Tidy;

# Data, texts for people, and formats whose first line is not ours.
my $no_licence_line = qr{\.(?:md|tsp|scd|csv|json|txt|svg)$|^LICENSE$
    |^tests/(?:fuzz|system|unit)/\w+/}x;

sub licence_missing {
    my ($path) = @_;
    my @head = lines($path);
    shift @head if @head && $head[0] =~ /^#!/;
    return @head && $head[0] =~ /SPDX-License-Identifier: BSD-3-Clause/ ? () : $path;
}

sub lines_matching {
    my ($path, $pattern) = @_;
    my @lines = lines($path);
    return map { "$path:" . ($_ + 1) . ": $lines[$_]" }
        grep { $lines[$_] =~ $pattern } 0 .. $#lines;
}

# The guard comes before anything else, so that a second inclusion costs nothing.
sub guard_wrong {
    my ($path) = @_;
    my @code = grep { /\S/ } code_lines($path);
    my ($guard) = ($code[0] // '') =~ /^#ifndef (\w+)$/;
    return "$path: the first line of code is not a guard" if !$guard;
    # In the library and the launcher names of headers repeat; the folder tells them apart.
    my $ours = $path =~ m{^(?:libcpmp|launcher)/(.*)};
    my $name = uc($ours ? "CPI_$1" : $path =~ s{.*/}{}r);
    $name =~ s/[^A-Z0-9]/_/g;
    return "$path: its guard is $guard, not $name"
        if $ours ? $guard ne $name : $guard !~ /(?:^|_)$name$/;
    return "$path: #define $guard does not follow" if ($code[1] // '') ne "#define $guard";
    return ();
}

# Written in two parts here, so that this file itself does not offend.
my $unfinished = join '|', map { "\\b$_\\b" } 'TO' . 'DO', 'FIX' . 'ME', 'X' . 'XX', 'HA' . 'CK';
my $machine = join '|', '/ho' . 'me/\w', '/ro' . 'ot/', '/wo' . 'rk/', '/tmp/bui' . 'ld',
    '/tmp/te' . 'am';

my @written = grep { !/\.tsp$/ && $_ ne 'LICENSE' } files(qr/./);
my @code_like = grep { !/\.md$/ } @written;

rule('the licence line comes first', map { licence_missing($_) }
    grep { $_ !~ $no_licence_line } @written);
rule('headers begin with their guard', map { guard_wrong($_) } headers());
rule('nothing is left undone', map { lines_matching($_, qr/$unfinished/) } @code_like);
rule('no path of one machine', map { lines_matching($_, qr/$machine/) } @written);
rule('no tabs in C and perl', map { lines_matching($_, qr/\t/) } files(qr/\.(?:[ch]|pm)$/));
rule('no blanks at the ends of lines', map { lines_matching($_, qr/[ \t\r]$/) } @written);
rules_end();
