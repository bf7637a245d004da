# SPDX-License-Identifier: BSD-3-Clause
# What the tidy tests share: the files of the tree, C without its comments and strings, objects with
# their symbols, and TAP with a list of offenders.
package Tidy;
use strict;
use warnings;
use Exporter qw(import);
use File::Find qw(find);
our @EXPORT = qw(rule rules_end srcdir builddir files c_files headers lines code_lines code_text
    objects undefined_symbols defined_symbols);

my $count = 0;

sub srcdir { return $ENV{CPMP_SRCDIR} // die "Tidy: start it as tests/env prove\n" }
sub builddir { return $ENV{CPMP_BUILDDIR} }

# One rule, one test: it holds when nobody offends.
sub rule {
    my ($name, @offenders) = @_;
    $count++;
    print @offenders ? 'not ' : '', "ok $count - $name\n";
    print "# $_\n" for @offenders;
    return;
}

sub rules_end {
    print "1..$count\n";
    return;
}

# What a build in the source tree leaves there: besides what its name tells, manual pages, and the
# scripts by which libtool has programs find a library that isn't installed yet.
sub is_built {
    my ($path) = @_;
    return 1 if $path =~ m{\.pb-c\.|\.l?[oa]$|/\.dirstamp$|/doc/man/[^/]+\.\d$};
    my ($folder, $name) = $path =~ m{^(.*)/([^/.]+)$} or return 0;
    return -e "$folder/.libs/$name";
}

# All files that people write, by path from the top.
my @all;

sub files {
    my ($pattern) = @_;
    if (!@all) {
        my $top = srcdir();
        my @roots = grep { -e "$top/$_" } qw(.ci ARCHITECTURE.md CODING.md LICENSE Makefile.am
            README.md autogen.sh bench build-aux/packages configure.ac cpmp.pc.in doc examples
            include launcher libcpmp quickstart tests);
        find({ no_chdir => 1, wanted => sub {
            (my $path = $_) =~ s{^\Q$top\E/}{};
            if (m{/(?:\.libs|\.deps)$} || m{/tests/(?:log|trash)$}) {
                $File::Find::prune = 1;
                return;
            }
            push @all, $path if -f && -T && !is_built($_) && !/\.(?:new|tmp|orig|rej|swp)$|~$/;
        } }, map { "$top/$_" } @roots);
        @all = sort @all;
        die "Tidy: no files below $top\n" if !@all;
    }
    return grep { /$pattern/ } @all;
}

sub c_files { return files(qr/\.[ch]$/) }
sub headers { return files(qr/\.h$/) }

sub file_read {
    my ($path) = @_;
    open my $file, '<:encoding(UTF-8)', srcdir() . "/$path" or die "Tidy: $path: $!\n";
    local $/;
    return scalar(<$file>) // '';
}

sub lines { return split /\n/, file_read($_[0]), -1 }

# C with comments blanked and strings emptied; line numbers stay.
sub code_text {
    my ($path) = @_;
    my $text = file_read($path);
    $text =~ s{(/\*.*?\*/|//[^\n]*)|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')}
              { defined $1 ? $1 =~ tr/\n//cdr : substr($2, 0, 1) x 2 }gse;
    return $text;
}

sub code_lines { return split /\n/, code_text($_[0]), -1 }

# Object files of the build whose path from the top matches, as [ source folder/name, path ].
sub objects {
    my ($pattern) = @_;
    my @found;
    my $top = builddir();
    find({ no_chdir => 1, follow_skip => 2, wanted => sub {
        return if !/\.o$/;
        (my $path = $_) =~ s{^\Q$top\E/}{};
        $path =~ s{/\.libs/}{/};
        $path =~ s{/lib\w+_la-}{/};
        push @found, [ $path, $_ ] if $path =~ $pattern && $path !~ /\.pb-c\./;
    } }, grep { -d } map { "$top/$_" } qw(libcpmp launcher));
    return sort { $a->[0] cmp $b->[0] } @found;
}

my %symbols;    # the same objects are asked for by several rules

sub nm {
    my ($path, @options) = @_;
    return @{ $symbols{"@options $path"} //= nm_read($path, @options) };
}

sub nm_read {
    my ($path, @options) = @_;
    open my $pipe, '-|', 'nm', '--portability', @options, $path or die "Tidy: nm: $!\n";
    my @symbols = map { /^(\S+) (\S)/ ? $1 : () } <$pipe>;
    close $pipe or die "Tidy: nm could not read $path\n";
    # Sanitizers bring names of their own.
    return [ grep { !/^(?:_*(?:asan|ubsan|tsan|sanitizer|odr_asan)|\.)/ }
        map { s{@.*}{}r } @symbols ];
}

sub undefined_symbols { return nm($_[0], '--undefined-only') }
sub defined_symbols { return nm($_[0], '--defined-only', '--extern-only') }

1;
