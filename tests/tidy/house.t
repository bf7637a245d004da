#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# What is written in two places agrees: packages, lists of files, manual pages.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Tidy;

sub words { return map { split ' ', s/#.*//r } map { lines($_) } @_ }

my @fragments = (files(qr{(?:^|/)Makefile\.inc$}), 'Makefile.am');
my %listed = map { $_ => 1 } words(@fragments);
$listed{s/^.*=//r} = 1 for keys %listed;

# configure.ac names them as CPMP_LIBRARY([…], [package]) or "(Debian package: package)".
sub packages_wanted {
    my $text = join "\n", lines('configure.ac');
    my @found = $text =~ /^CPMP_(?:LIBRARY|TOOL)\(.*\[([\w.+-]+)\]\)$/mg;
    push @found, $text =~ /CPMP_MISSING\(\[[^\]]*\], \[([\w.+-]+)\]\)/g;
    push @found, $text =~ /\(Debian package: ([\w.+-]+)\)/g;
    return @found;
}

my %package = map { $_ => 1 } words('build-aux/packages');

# What a tarball needs to build and test: a file that no list names is missing from it. The source
# of a test is listed by the program's name.
sub unlisted {
    my $pattern = qr/\.(?:c|h|t|pm|proto|map|tsp)$/;
    return grep { !$listed{$_} && !$listed{s/\.c$//r} } files($pattern);
}

# Fragments are read by automake only if Makefile.am includes them.
sub unincluded {
    return grep { $_ ne 'Makefile.am' && !$listed{$_} } @fragments;
}

# The functions of cpmp.h, each with a manual page that its name leads to.
sub functions_without_page {
    my $header = code_text('include/cpmp.h');
    my %function = map { $_ => 1 } $header =~ /^[\w *]*?\b(cpmp_\w+)\([^;{]*\)[^;{]*;/mg;
    delete $function{$_} for $header =~ /^typedef\b.*?\b(cpmp_\w+)\(/mg;
    my $pages = join "\n", map { join "\n", lines($_) } files(qr{^doc/man/.*\.3\.scd$});
    return grep { $pages !~ /\b$_\b/ } sort keys %function;
}

rule('build-aux/packages has what configure looks for',
    grep({ !$package{$_} } packages_wanted()), packages_wanted() ? () : 'configure.ac names none');
rule('each source, header and test is in a list of the build', unlisted());
rule('each Makefile.inc is included', unincluded());
rule('each function of cpmp.h is in a manual page', functions_without_page());
rules_end();
