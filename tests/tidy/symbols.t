#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# What the objects of this build define and call: names, purity, and what a rank may not hold.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Tidy;

my @clock = qw(time clock clock_gettime gettimeofday clock_nanosleep nanosleep usleep sleep times
    timer_create timerfd_create ftime);
my @socket = qw(socket socketpair connect bind listen accept accept4 send sendto sendmsg sendmmsg
    recv recvfrom recvmsg recvmmsg getaddrinfo getsockopt setsockopt);
my @thread = qw(pthread_create thrd_create clone clone3);
my @random = qw(rand srand random srandom rand_r random_r drand48 lrand48 getrandom getentropy
    arc4random);
my @file = qw(open open64 openat openat64 creat fopen fopen64 fdopen freopen read write readv
    writev pread pwrite close pipe pipe2 dup dup2 dup3 fcntl fcntl64 ioctl poll ppoll select
    epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd fwrite fread fputs fputc puts putchar
    putc printf fprintf vfprintf vprintf dprintf vdprintf perror __printf_chk __fprintf_chk
    __vfprintf_chk stdout stderr stdin unlink rename stat fstat lstat opendir);
my @process = qw(fork vfork execve execv execvp execvpe posix_spawn posix_spawnp waitpid wait wait4
    waitid kill syscall mmap mmap64 munmap mprotect memfd_create shm_open prctl sched_yield
    sched_getaffinity sigaction signal futex getpid getppid gettid);

sub calls {
    my ($objects, @names) = @_;
    my %named = map { $_ => 1 } @names;
    my @found;
    for my $object (@$objects) {
        push @found, map { "$object->[0]: $_" } grep { $named{$_} } undefined_symbols($object->[1]);
    }
    return @found;
}

# Library names begin with cpi_ inside and cpmp_, MPI_ or ompi_ outside; a launcher module's with
# the name of its file or folder, so that a reader of a call knows where to look.
sub library_names {
    my @found;
    for my $object (@_) {
        push @found, map { "$object->[0]: $_" }
            grep { !/^(?:cpi_|cpmp_|MPIX?_|PMPIX?_|ompi_|OMPI_)/ } defined_symbols($object->[1]);
    }
    return @found;
}

sub launcher_names {
    my @found;
    for my $object (@_) {
        my ($folder, $file) = $object->[0] =~ m{^launcher/(.+?)/([^/]+)\.o$} or next;
        my %word = map { $_ => 1 } $folder =~ s{.*/}{}r, split(/_/, $file), $file;
        push @found, map { "$object->[0]: $_ begins with none of " . join ', ', sort keys %word }
            grep { !$word{ s/_.*//r } && $_ ne 'main' } defined_symbols($object->[1]);
    }
    return @found;
}

my @library = objects(qr{^libcpmp/});
my @launcher = objects(qr{^launcher/});
my @outside_plat = grep { $_->[0] !~ m{^libcpmp/plat/} } @library;
my @pure = grep { $_->[0] =~ m{^libcpmp/(?:base|wire)/|^launcher/proto/} } @library, @launcher;

rule('there are objects to look at', @library && @launcher ? () : 'none in ' . builddir());
rule('names of libcpmp begin with cpi_, cpmp_, MPI_ or ompi_', library_names(@library));
rule('names of the launcher begin with their module', launcher_names(@launcher));
rule('base, wire and proto know no clock, file, socket, thread, process or random number',
    calls(\@pure, @clock, @socket, @thread, @random, @file, @process));
rule('in libcpmp only plat makes system calls', calls(\@outside_plat, @clock, @random, @process));
rule('a rank holds no socket', calls(\@library, @socket));
rule('a rank has no thread but its own', calls(\@library, @thread));
rules_end();
