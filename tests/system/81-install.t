#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='what make install puts where it is used from'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

# As packagers do: configured for one place, put into another first.
prefix=$(sed -n 's/^prefix = //p' "$CPMP_BUILDDIR/Makefile")
# libtool takes no directory with a blank in its name, such as the one where this test runs.
stage=$SHARNESS_TEST_DIRECTORY/stage
rm -rf "$stage"
cleanup "rm -rf \"$stage\""
root=$stage$prefix

# make check runs this from make; its options are not for this one.
unset MAKEFLAGS MFLAGS MAKELEVEL

test_expect_success 'make install DESTDIR works' '
    make -C "$CPMP_BUILDDIR" install DESTDIR="$stage" >log 2>&1 || { cat log; false; }
'

test_expect_success 'programs, headers and library are where they belong' '
    test -x "$root/bin/cpexec" &&
    test -x "$root/bin/cpcc" &&
    test -x "$root/bin/cpmp" &&
    test -x "$root/libexec/cpmp/cpmp-agent" &&
    test -f "$root/include/cpmp.h" &&
    test -f "$root/include/mpi.h" &&
    test -f "$root/lib/libmpi.so.40" &&
    test -f "$root/lib/pkgconfig/cpmp.pc"
'

test_expect_success 'libcpmp.so is the same library' '
    test "$(readlink -f "$root/lib/libcpmp.so")" = "$(readlink -f "$root/lib/libmpi.so.40")"
'

test_expect_success 'mpicc, mpirun and mpiexec have a directory of their own' '
    for name in mpicc mpirun mpiexec; do
        ! test -e "$root/bin/$name" || return 1
    done &&
    (cd "$root/libexec/cpmp/mpi/bin" && readlink -f mpicc mpirun mpiexec) >actual &&
    (cd "$root/bin" && readlink -f cpcc cpexec cpexec) >expected &&
    test_cmp expected actual
'

test_expect_success 'the example, its instance and its source are there' '
    test -x "$root/lib/cpmp/examples/tsp_ga" &&
    test -f "$root/share/cpmp/tsplib/berlin52.tsp" &&
    test -f "$root/share/cpmp/examples/hello.c"
'

test_expect_success 'each manual page is there' '
    for page in cpexec.1 cpcc.1 cpmp.1 cpmp.7 cpmp-policy.5 cpmpd.8; do
        test -s "$root/share/man/man${page##*.}/$page" || return 1
    done
'

test_expect_success 'units for systemd are there' '
    test -s "$root/lib/systemd/system/cpmpd.service" &&
    test -s "$root/lib/systemd/user/cpmpd.service" &&
    test -s "$root/lib/sysusers.d/cpmp.conf"
'

test_expect_success 'pkg-config tells how to compile' '
    cat >plain.c <<-\EOT &&
	#include <cpmp.h>
	int main(void) { return cpmp_strerror(0) == 0; }
	EOT
    export PKG_CONFIG_PATH="$root/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$stage" &&
    $CC $SANITIZER_CFLAGS -o plain plain.c $(pkg-config --cflags --libs cpmp) &&
    LD_LIBRARY_PATH="$root/lib" ./plain
'

# Away from the build tree: nothing of it in the environment.
test_expect_success 'the installed cpexec finds the installed agent' '
    env -u CPMP_AGENT -u LD_LIBRARY_PATH PATH="$root/bin:/usr/bin:/bin" \
        cpexec -np 2 sh -c "echo here" >actual &&
    printf "here\nhere\n" >expected &&
    test_cmp expected actual
'

# Installed below another root than configured, where no path that was compiled in leads.
test_expect_success 'ranks take the library that was installed with cpexec' '
    cat >named.c <<-\EOT &&
	#include <mpi.h>
	#include <stdio.h>
	int main(int argc, char **argv)
	{
	    int size = -1;
	    MPI_Init(&argc, &argv);
	    MPI_Comm_size(MPI_COMM_WORLD, &size);
	    printf("%d\n", size);
	    return MPI_Finalize();
	}
	EOT
    $CC $SANITIZER_CFLAGS -I"$root/include" -o named named.c -L"$root/lib" -lmpi &&
    env -u CPMP_AGENT -u LD_LIBRARY_PATH "$root/bin/cpexec" -np 2 ./named >actual &&
    printf "2\n2\n" >expected &&
    test_cmp expected actual &&
    env -u CPMP_AGENT -u LD_LIBRARY_PATH "$root/bin/cpexec" -np 1 \
        sh -c "echo \$LD_LIBRARY_PATH" >actual &&
    echo "$root/lib" >expected &&
    test_cmp expected actual
'

test_expect_success 'make uninstall leaves nothing' '
    make -C "$CPMP_BUILDDIR" uninstall DESTDIR="$stage" >log 2>&1 &&
    find "$stage" ! -type d >left &&
    test_must_be_empty left
'

test_done
