#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# Files and functions end before they are two ideas; lines fit a screen.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Tidy;

use constant { FUNCTION_LINES_MAX => 70, SOURCE_LINES_MAX => 800, HEADER_LINES_MAX => 200,
    COLUMNS_MAX => 100 };

sub functions_too_long {
    my ($path) = @_;
    my (@long, $start);
    my @code = code_lines($path);
    for my $i (0 .. $#code) {
        $start = $i if $code[$i] eq '{';
        next if $code[$i] ne '}' || !defined $start;
        my $length = $i - $start + 1;
        push @long, "$path:" . ($start + 1) . ": $length lines" if $length > FUNCTION_LINES_MAX;
        undef $start;
    }
    return @long;
}

sub file_too_long {
    my ($path, $limit) = @_;
    my $length = lines($path) - 1;
    return $length > $limit ? "$path: $length lines" : ();
}

sub lines_too_long {
    my ($path) = @_;
    my @lines = lines($path);
    return map { "$path:" . ($_ + 1) . ': ' . length($lines[$_]) . ' columns' }
        grep { length $lines[$_] > COLUMNS_MAX } 0 .. $#lines;
}

# A header for users is read as a manual, so it may be long.
rule('functions have at most ' . FUNCTION_LINES_MAX . ' lines',
    map { functions_too_long($_) } c_files());
rule('sources have at most ' . SOURCE_LINES_MAX . ' lines',
    map { file_too_long($_, SOURCE_LINES_MAX) } files(qr/\.c$/));
rule('headers have at most ' . HEADER_LINES_MAX . ' lines',
    map { file_too_long($_, HEADER_LINES_MAX) } grep { !m{^include/} } headers());
rule('lines have at most ' . COLUMNS_MAX . ' columns',
    map { lines_too_long($_) } files(qr/\.(?:[ch]|t|pm|sh|proto|inc|am|in|ac)$|^quickstart$|run$/));
rules_end();
