#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# Each header stands alone: a file that includes nothing else compiles, without a warning.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Tidy;

my @compiler = split ' ', "$ENV{CC} -std=gnu11 $ENV{WARNING_CFLAGS} -Werror";
my @strict = ($ENV{CC}, qw(-std=c99 -pedantic -Wall -Wextra -Werror));
my @internal = split ' ', $ENV{INTERNAL_CPPFLAGS};
my @public = ('-I' . srcdir() . '/include');

sub compile {
    my ($path, @options) = @_;
    my $source = "tidy-header.c";
    open my $file, '>', $source or die "$source: $!\n";
    print {$file} "#include \"$path\"\nextern int tidy_header_unused;\n";
    close $file or die;
    my $command = join ' ', map { "'" . s/'/'\\''/gr . "'" } @options, '-fsyntax-only', $source;
    my $output = `$command 2>&1`;
    unlink $source;
    return $? ? ($path, map { "  $_" } split /\n/, $output) : ();
}

sub compile_internal {
    my ($path) = @_;
    (my $folder = $path) =~ s{/[^/]+$}{};
    return compile(srcdir() . "/$path", @compiler, @internal, '-I' . srcdir() . "/$folder");
}

rule('each header compiles alone',
    map { compile_internal($_) } grep { !m{^include/|^bench/} } headers());
rule('public headers compile as strict C99',
    map { compile(srcdir() . "/$_", @strict, @public) } files(qr{^include/.*\.h$}));
rules_end();
