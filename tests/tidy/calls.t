#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# Calls that this house does without.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Tidy;

my %banned = (
    (map { $_ => 'no bound: use snprintf or memcpy' }
        qw(strcpy strcat stpcpy wcscpy wcscat sprintf vsprintf gets)),
    (map { $_ => 'silent truncation without an end: use snprintf' } qw(strncpy strncat)),
    (map { $_ => 'no error: use strtol and look at the end' }
        qw(atoi atol atoll atof scanf fscanf)),
    (map { $_ => 'a shell in between: use posix_spawn or fork and exec' } qw(system popen)),
    (map { $_ => 'hidden state: use base/rng.h or strtok_r' }
        qw(rand srand random srandom drand48 strtok)),
    (map { $_ => 'a race: use mkstemp or memfd_create' } qw(tmpnam tempnam mktemp)),
    (map { $_ => 'unbounded stack' } qw(alloca)),
    (map { $_ => 'shared buffer: use the _r form or snprintf' }
        qw(asctime ctime gmtime localtime inet_ntoa gethostbyname)),
    (map { $_ => 'jumps over clean-up' } qw(setjmp longjmp sigsetjmp siglongjmp)),
);
my $banned_re = join '|', sort keys %banned;

sub banned_calls {
    my ($path) = @_;
    my (@found, $line);
    for my $code (code_lines($path)) {
        $line++;
        while ($code =~ /(?<![\w.>])($banned_re)\s*\(/g) {
            push @found, "$path:$line: $1: $banned{$1}";
        }
    }
    return @found;
}

# Waiting for time to pass makes a test slow or flaky, mostly both.
sub sleeps {
    my ($path) = @_;
    my (@found, $line);
    for my $code ($path =~ /\.c$/ ? code_lines($path) : lines($path)) {
        $line++;
        push @found, "$path:$line: $code"
            if $path =~ /\.c$/ ? $code =~ /\b(?:u|nano)?sleep\s*\(/ : $code =~ /^\s*sleep\s+[1-9]/;
    }
    return @found;
}

rule('no banned calls', map { banned_calls($_) } c_files());
rule('tests wait for events, they do not sleep',
    map { sleeps($_) } files(qr{^tests/(?:unit|sim|fuzz)/.*\.[ch]$|^tests/system/.*\.t$}));
rules_end();
