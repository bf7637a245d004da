#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# What the world sees of libmpi.so.40: it needs libc and nothing else, and shows what it means to
# show.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Tidy;

my $library = builddir() . '/.libs/libmpi.so';

sub dynamic {
    open my $pipe, '-|', $ENV{READELF}, '-dW', $_[0] or die "readelf: $!\n";
    my @lines = <$pipe>;
    close $pipe or die "readelf could not read $_[0]\n";
    return @lines;
}

sub needed { return map { /\(NEEDED\).*\[(.+)\]/ ? $1 : () } dynamic($_[0]) }

sub exported {
    open my $pipe, '-|', 'nm', '-D', '--defined-only', '--portability', $library or die "nm: $!\n";
    my @names = map { /^(\S+) [A-Z]/ ? $1 =~ s/@.*//r : () } <$pipe>;
    close $pipe or die "nm could not read $library\n";
    return @names;
}

# The loader is part of libc; a sanitizer's runtime is there because this build asked for it.
my $libc = qr/^(?:libc|ld-linux[\w-]*)\.so\.\d+$/;
$libc = qr/$libc|^lib(?:asan|ubsan|tsan|gcc_s|m|pthread|dl|rt)\.so/
    if $ENV{SANITIZER_CFLAGS} =~ /\S/;

my @dynamic = dynamic($library);
my @exported = exported();

rule('libmpi.so needs libc only', grep { $_ !~ $libc } needed($library));
rule('its name is libmpi.so.40',
    grep({ /\(SONAME\).*\[libmpi\.so\.40\]/ } @dynamic) ? () : @dynamic);
rule('a tool may put itself in front of it (no -Bsymbolic)', grep { /SYMBOLIC/ } @dynamic);
rule('it exports cpmp_ and MPI_', (grep { /^cpmp_/ } @exported) ? () : 'no cpmp_',
    (grep { /^MPI_/ } @exported) ? () : 'no MPI_');
rule('it exports nothing internal', grep { !/^(?:cpmp_|P?MPIX?_|ompi_|OMPI_)/ } @exported);
rules_end();
