#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# The rules are awake: each is shown a small tree that breaks it, and must name the file that does;
# and one that breaks none, where it must keep quiet. The same for tests/run and what it counts.
use strict;
use warnings;
use Cwd ();
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/lib";
use Tidy;

my $run = dirname($FindBin::Bin) . '/run';
my $licence = '/* SPDX-License-Identifier: BSD-3-Clause */';
my $long_body = "    return;\n" x 80;
# Words that would offend where they stand.
my $task = 'TO' . 'DO';
my $home = '/ho' . 'me/someone';

sub tree {
    my (%files) = @_;
    my $top = tempdir('self-XXXXXX', DIR => '.', CLEANUP => 1);
    $top = Cwd::abs_path($top);
    for my $path (keys %files) {
        make_path(dirname("$top/$path"));
        open my $file, '>', "$top/$path" or die "$path: $!\n";
        print {$file} $files{$path};
        close $file or die;
    }
    return $top;
}

sub tidy_output {
    my ($test, $top) = @_;
    local $ENV{CPMP_SRCDIR} = $top;
    local $ENV{CPMP_BUILDDIR} = $top;
    local $ENV{INTERNAL_CPPFLAGS} = "-I$top/include -I$top/libcpmp -I$top/launcher";
    return scalar `$ENV{PERL} '$FindBin::Bin/$test.t' 2>&1`;
}

sub header {
    my ($guard, $text) = @_;
    return "$licence\n#ifndef $guard\n#define $guard\n\n$text\n#endif\n";
}

sub source { return "$licence\n" . join('', map { "$_\n" } @_) }

# [ tidy test, start of the rule's name, path that offends, its text ]
my @offences = (
    ['sizes', 'functions', 'libcpmp/base/a.c', source('void f(void)', '{', $long_body . '}')],
    ['sizes', 'sources', 'libcpmp/base/a.c', source(('int x;') x 801)],
    ['sizes', 'headers', 'libcpmp/base/a.h', header('CPI_BASE_A_H', "int x;\n" x 201)],
    ['sizes', 'lines', 'launcher/agent/a.c', source('int ' . 'x' x 100 . ';')],
    ['includes', 'libcpmp', 'libcpmp/base/a.c', source('#include "p2p/match.h"')],
    ['includes', 'libcpmp', 'libcpmp/wire/a.c', source('#include "plat/clock.h"')],
    ['includes', 'libcpmp', 'libcpmp/ring/a.c', source('#include "agent/fabric.h"')],
    ['includes', 'libcpmp', 'libcpmp/p2p/a.c', source('#include <mpi.h>')],
    ['includes', 'launcher', 'launcher/agent/a.c', source('#include "coll/bcast.h"')],
    ['includes', 'launcher', 'launcher/agent/a.c', source('#include "exec/options.h"')],
    ['includes', 'launcher', 'launcher/proto/a.c', source('#include "plat/clock.h"')],
    ['includes', 'launcher', 'launcher/text/a.c', source('#include "process/spawn.h"')],
    ['includes', 'launcher', 'launcher/link/a.c', source('#include "control/stream.h"')],
    ['includes', 'launcher', 'launcher/unheard/a.c', source('#include "base/list.h"')],
    ['includes', 'examples', 'examples/a.c', source('#include "base/list.h"')],
    ['includes', 'a source', 'libcpmp/base/list.c',
        source('#include <stdio.h>', '#include "base/list.h"')],
    ['calls', 'no banned', 'launcher/exec/a.c', source('void f(char *s) { strcpy(s, "x"); }')],
    ['calls', 'no banned', 'examples/a.c', source('int f(char *s) { return system(s); }')],
    ['calls', 'tests wait', 'tests/unit/a.c', source('void f(void) { usleep(1000); }')],
    ['calls', 'tests wait', 'tests/system/a.t', "#!/bin/sh\n    sleep 3\n"],
    ['text', 'the licence', 'libcpmp/base/a.c', "int x;\n"],
    ['text', 'headers', 'libcpmp/base/a.h', "$licence\n#include <stdio.h>\n"],
    ['text', 'headers', 'libcpmp/base/a.h', header('CPI_WIRE_A_H', 'int x;')],
    ['text', 'nothing', 'libcpmp/base/a.c', source("/* $task: later */")],
    ['text', 'no path', 'README.md', "look into $home/cpmp\n"],
    ['text', 'no tabs', 'libcpmp/base/a.c', source("\tint x;")],
    ['text', 'no blanks', 'libcpmp/base/a.c', source('int x; ')],
    ['headers', 'each header', 'libcpmp/base/a.h', header('CPI_BASE_A_H', 'uint32_t cpi_x(void);')],
    ['headers', 'public', 'include/cpmp.h', header('CPMP_H', 'static const int x = ({ 1; });')],
    ['symbols', 'names of libcpmp', 'libcpmp/base/a.c', source('void stray(void) {}')],
    ['symbols', 'names of the launcher', 'launcher/agent/a.c', source('void stray(void) {}')],
    ['symbols', 'base, wire', 'libcpmp/base/a.c',
        source('#include <time.h>', 'long cpi_x(void) { return time(0); }')],
    ['symbols', 'base, wire', 'launcher/proto/a.c',
        source('#include <stdlib.h>', 'int a_x(void) { return rand(); }')],
    ['symbols', 'in libcpmp only plat', 'libcpmp/coll/a.c',
        source('#include <unistd.h>', 'int cpi_x(void) { return fork(); }')],
    ['symbols', 'a rank holds no socket', 'libcpmp/plat/a.c',
        source('#include <sys/socket.h>', 'int cpi_x(void) { return socket(1, 1, 0); }')],
    ['symbols', 'a rank has no thread', 'libcpmp/plat/a.c', source('#include <pthread.h>',
        'int cpi_x(pthread_t *t, void *(*f)(void *)) { return pthread_create(t, 0, f, 0); }')],
);

# What stands beside the offender, and offends nobody.
my %clean = (
    'libcpmp/base/list.h' => header('CPI_BASE_LIST_H',
        "struct cpi_list { struct cpi_list *next; };\n"),
    'libcpmp/base/other.c' => source('int cpi_other(void);', 'int cpi_other(void)', '{',
        '    return 0;  /* strcpy() and rand() in a comment */', '}'),
    'libcpmp/plat/clock.h' => header('CPI_PLAT_CLOCK_H', "int cpi_clock(void);\n"),
    'launcher/exec/options.h' => header('CPI_EXEC_OPTIONS_H', "int options_parse(void);\n"),
    'launcher/agent/fine.c' => source('const char *fine_text(void);',
        'const char *fine_text(void)', '{',
        '    return "do not system(me)";', '}'),
    'include/cpmp.h' => header('CPMP_H', "int cpmp_init(void);\n"),
);

sub compile_all {
    my ($top) = @_;
    for my $path (map { s{^\Q$top\E/}{}r } glob "$top/libcpmp/*/*.c $top/launcher/*/*.c") {
        (my $object = $path) =~ s/\.c$/.o/;
        system("$ENV{CC} -w -c -o '$top/$object' '$top/$path'") == 0
            or die "$path does not compile\n";
    }
    return;
}

sub rule_line {
    my ($output, $name) = @_;
    return $output =~ /^((?:not )?ok \d+ - \Q$name\E.*\n(?:#.*\n)*)/m ? $1 : '';
}

my @asleep;
for my $offence (@offences) {
    my ($test, $name, $path, $text) = @$offence;
    my $top = tree(%clean, $path => $text);
    compile_all($top) if $test eq 'symbols';
    my $said = rule_line(tidy_output($test, $top), $name);
    (my $shown = $path) =~ s/\.c$/./;    # of an object only the stem is the same
    push @asleep, "$test, '$name', $path" if $said !~ /^not ok/ || $said !~ /\Q$shown\E/;
}
rule('each rule sees what it forbids', @asleep);

my $cycle = tree(%clean, 'libcpmp/type/a.c' => source('#include "coll/b.h"'),
    'libcpmp/coll/b.c' => source('#include "type/a.h"'));
rule('two folders that see each other are seen',
    rule_line(tidy_output('includes', $cycle), 'no two folders') =~ /^not ok/ ? () : 'not seen');

# A test that does not reach its plan minds nothing either.
sub offences {
    my ($test, $top) = @_;
    my $output = tidy_output($test, $top);
    return "$test: $output" if $output !~ /^1\.\.[1-9]/m;
    return map { "$test: $_" } grep { /^not ok/ } split /\n/, $output;
}

my $top = tree(%clean);
compile_all($top);
rule('no rule minds a clean tree',
    map { offences($_, $top) }
        qw(sizes includes calls text headers symbols));

# [ what, script, the last line tests/run must print for it ]
my @counted = (
    ['passes', 'print "1..2\nok 1\nok 2\n"', '2 passed, 0 failed'],
    ['a failure', 'print "1..2\nok 1\nnot ok 2\n"; exit 1', '1 passed, 1 failed'],
    ['no plan', 'print "ok 1\n"', '1 passed, 1 failed'],
    ['nothing', '', '0 passed, 1 failed'],
    ['too few', 'print "1..3\nok 1\nok 2\n"', '2 passed, 1 failed'],
    ['a crash', '$| = 1; print "1..1\nok 1\n"; kill "SEGV", $$; sleep', '1 passed, 1 failed'],
    ['an exit status', 'print "1..1\nok 1\n"; exit 7', '1 passed, 1 failed'],
    ['an expected failure', "print \"1..1\\nnot ok 1 # $task\\n\"", '0 passed, 1 failed'],
    ['a skip', 'print "1..2\nok 1\nok 2 # SKIP no\n"', '1 passed, 0 failed'],
    ['a process left', 'print "1..1\nok 1\n"; if (fork == 0) { setpgrp; exec "sleep", "100" }',
        '1 passed, 1 failed'],
    ['one that hangs', '$| = 1; print "1..1\nok 1\n"; sleep 100', '1 passed, 1 failed'],
);

my @miscounted;
for my $case (@counted) {
    my ($what, $script, $last) = @$case;
    my $tests = tree('tests/tidy/sample.t' => "#!/usr/bin/perl\n$script;\n");
    local $ENV{CPMP_SRCDIR} = $tests;
    local $ENV{CPMP_BUILDDIR} = $tests;
    local $ENV{CPMP_TEST_TIMEOUT} = $what eq 'one that hangs' ? 1 : 60;
    local $ENV{CPMP_TEST_GRACE} = 1;
    my @output = `$ENV{PERL} '$run' tests/tidy/sample.t 2>&1`;
    my $status = $? >> 8;
    my $wanted_status = $last =~ / 0 failed$/ ? 0 : 1;
    my $said = $output[-1] // '';
    push @miscounted, "$what: $said" if $said ne "$last\n" || $status != $wanted_status;
}
rule('tests/run counts right', @miscounted);
rules_end();
