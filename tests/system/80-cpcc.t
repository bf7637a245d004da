#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='cpcc compiles programs that use cpmp.h or mpi.h'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

cat >native.c <<'EOT'
#include <cpmp.h>
#include <stdio.h>
int main(void)
{
    if (cpmp_init() != CPMP_OK)
        return 1;
    printf("rank %d of %d\n", cpmp_rank(), cpmp_size());
    return cpmp_end() == CPMP_OK ? 0 : 1;
}
EOT

cp "$CPMP_SRCDIR/tests/system/src/mpi_rank.c" mpi.c

echo 'rank 0 of 1' >expected

test_expect_success 'a program with cpmp.h compiles, links and runs alone' '
    cpcc -Wall -Werror -o native native.c &&
    ./native >actual &&
    test_cmp expected actual
'

test_expect_success 'a program with mpi.h compiles, links and runs alone' '
    cpcc -Wall -Werror -o mpi mpi.c &&
    ./mpi >actual &&
    test_cmp expected actual
'

test_expect_success 'the program finds the library without LD_LIBRARY_PATH' '
    (unset LD_LIBRARY_PATH && ./native) >actual &&
    test_cmp expected actual
'

test_expect_success 'the program needs libmpi.so.40' '
    "$READELF" -d native >dynamic &&
    grep "NEEDED.*\[libmpi\.so\.40\]" dynamic
'

test_expect_success 'compiling and linking may be two steps' '
    cpcc -c -o part.o native.c 2>err &&
    test_must_be_empty err &&
    cpcc -o parts part.o &&
    ./parts >actual &&
    test_cmp expected actual
'

test_expect_success '-E and -S stop where they should' '
    cpcc -E native.c >native.i &&
    grep cpmp_init native.i &&
    cpcc -S -o native.s native.c &&
    grep cpmp_init native.s
'

test_expect_success '-show prints the command and runs nothing' '
    cpcc -show -O2 -o never never.c >shown &&
    grep -e "-I$CPMP_INCLUDEDIR" shown &&
    grep -e "-L$CPMP_LIBDIR.*-lmpi" shown &&
    ! test -e never
'

test_expect_success 'what -show prints does the same when run' '
    rm -f native &&
    sh -c "$(cpcc -show -o native native.c)" &&
    ./native >actual &&
    test_cmp expected actual
'

test_expect_success '-show quotes what a shell would take apart' '
    cpcc -show "-DTEXT=\"a b\"" native.c >shown &&
    grep -F "'"'"'-DTEXT=\"a b\"'"'"'" shown
'

test_expect_success '-show without linking leaves the library out' '
    cpcc -show -c native.c >shown &&
    ! grep -e -lmpi shown
'

test_expect_success 'CMake asks with -showme:compile and -showme:link' '
    cpcc -showme:compile >shown &&
    echo "-I$CPMP_INCLUDEDIR" >wanted &&
    test_cmp wanted shown &&
    cpcc -showme:link >shown &&
    grep -e -lmpi shown
'

test_expect_success 'arguments with blanks and quotes arrive whole' '
    cat >quoted.c <<-\EOT &&
	#include <stdio.h>
	int main(void) { return puts(TEXT) < 0; }
	EOT
    cpcc "-DTEXT=\"a  b*\"" -o "quo ted" quoted.c &&
    "./quo ted" >actual &&
    echo "a  b*" >wanted &&
    test_cmp wanted actual
'

test_expect_success 'CPMP_CC names the compiler, with options' '
    cat >other <<-\EOT &&
	#!/bin/sh
	printf "%s\n" "$@" >other.args
	EOT
    chmod +x other &&
    CPMP_CC="./other -first" cpcc -c native.c &&
    head -n 1 other.args >actual &&
    echo -first >wanted &&
    test_cmp wanted actual
'

test_expect_success 'a compiler that is not there is named, with what to do' '
    test_expect_code 127 env CPMP_CC=no-such-compiler cpcc -c native.c 2>err &&
    grep "no-such-compiler.*CPMP_CC" err
'

test_expect_success 'the compiler exit status is handed on' '
    echo "int main(void) { return nothing; }" >wrong.c &&
    test_expect_code 1 cpcc wrong.c 2>err
'

test_expect_success '--version is the compiler own' '
    cpcc --version >actual &&
    ${CC%% *} --version >wanted &&
    test_cmp wanted actual
'

test_done
