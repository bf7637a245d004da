#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='programs that use the binary interface: profiling, C++, built for Open MPI'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

src=$CPMP_SRCDIR/tests/system/src

test_expect_success 'a program may define MPI_x itself and call PMPI_x' '
    cpcc -Wall -Wextra -Werror -o profile "$src/mpi_profile.c" &&
    echo "rank 0 sent 3 messages" >expected &&
    cpexec -np 2 ./profile >actual &&
    test_cmp expected actual
'

# Predefined objects: in the library, copied into the executable, or looked up by a library of the
# program; they must be the same everywhere.
cat >inside.c <<'EOT'
#include <mpi.h>
MPI_Comm inside_world(void) { return MPI_COMM_WORLD; }
int inside_size(void) { int size; MPI_Comm_size(MPI_COMM_WORLD, &size); return size; }
EOT
cat >outside.c <<'EOT'
#include <mpi.h>
#include <stdio.h>
MPI_Comm inside_world(void);
int inside_size(void);
static MPI_Datatype type = MPI_INT; /* in the data segment: an address */
int main(int argc, char **argv)
{
    int rank, one = 1, sum;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Allreduce(&one, &sum, 1, type, MPI_SUM, inside_world());
    if (rank == 0)
        printf("%d %d %d\n", inside_world() == MPI_COMM_WORLD, inside_size(), sum);
    return MPI_Finalize();
}
EOT

for mode in '-fPIE -pie' '-fno-pie -no-pie' '-fPIC'; do
    test_expect_success "handles are the same in program and library ($mode)" "
        cpcc -shared -fPIC -o libinside.so inside.c &&
        cpcc $mode -o outside outside.c -L. -linside -Wl,-rpath,. &&
        echo '1 3 3' >expected &&
        cpexec -np 3 ./outside >actual &&
        test_cmp expected actual
    "
done

command -v "${CXX:-c++}" >/dev/null && test_set_prereq CXX

test_expect_success CXX 'a C++ program' '
    cat >plus.cc <<-\EOT &&
	#include <mpi.h>
	#include <iostream>
	#include <vector>
	int main(int argc, char **argv)
	{
	    MPI_Init(&argc, &argv);
	    int rank, size;
	    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	    MPI_Comm_size(MPI_COMM_WORLD, &size);
	    std::vector<double> mine(10, rank), all(10 * size);
	    MPI_Gather(mine.data(), 10, MPI_DOUBLE, all.data(), 10, MPI_DOUBLE, 0, MPI_COMM_WORLD);
	    if (rank == 0)
	        std::cout << all.back() << std::endl;
	    MPI_Finalize();
	}
	EOT
    CPMP_CC="${CXX:-c++} $SANITIZER_CFLAGS" cpcc -Wall -Wextra -Werror -o plus plus.cc &&
    echo 2 >expected &&
    cpexec -np 3 ./plus >actual &&
    test_cmp expected actual
'

# As another MPI's compiler wrapper links: the program names libmpi.so.40 and no directory. There is
# another library of that name, as where the system has an MPI.
ours=$CPMP_BUILDDIR/.libs
cat >foreign.c <<'EOT'
#include <stdio.h>
#define CALL(name) int name(void); int name(void) { return puts("another MPI") < 0; }
CALL(MPI_Init)
CALL(MPI_Comm_rank)
CALL(MPI_Comm_size)
CALL(MPI_Finalize)
char ompi_mpi_comm_world[1024];
EOT
cp "$CPMP_SRCDIR/tests/system/src/mpi_rank.c" named.c
printf 'rank 0 of 3\nrank 1 of 3\nrank 2 of 3\n' >three

test_expect_success 'a program that says nothing of where the library is gets ours' '
    $CC $SANITIZER_CFLAGS -I"$CPMP_INCLUDEDIR" -o named named.c -L"$ours" -lmpi &&
    env -u LD_LIBRARY_PATH cpexec -np 3 ./named >unsorted &&
    sort unsorted >actual &&
    test_cmp three actual
'

test_expect_success 'also where another libmpi.so.40 would be found first' '
    mkdir -p other &&
    $CC -shared -fPIC -Wl,-soname,libmpi.so.40 -o other/libmpi.so.40 foreign.c &&
    LD_LIBRARY_PATH="$PWD/other" cpexec -np 3 ./named >unsorted &&
    sort unsorted >actual &&
    test_cmp three actual &&
    cpexec -x LD_LIBRARY_PATH="$PWD/other:" -np 3 ./named >unsorted &&
    sort unsorted >actual &&
    test_cmp three actual
'

test_expect_success 'the directories that the user named stay behind ours, in their order' '
    echo "$ours:/a:/b" >expected &&
    cpexec -x LD_LIBRARY_PATH=/a:/b -np 1 sh -c "echo \$LD_LIBRARY_PATH" >actual &&
    test_cmp expected actual &&
    echo "$ours" >expected &&
    LD_LIBRARY_PATH= cpexec -np 1 sh -c "echo \$LD_LIBRARY_PATH" >actual &&
    test_cmp expected actual
'

test_expect_success 'a list that names our directory is left as it is' '
    echo "/a:$ours:/b" >expected &&
    cpexec -x "LD_LIBRARY_PATH=/a:$ours:/b" -np 1 sh -c "echo \$LD_LIBRARY_PATH" >actual &&
    test_cmp expected actual &&
    cpexec -x LD_LIBRARY_PATH="$PWD/other:$ours" -np 1 ./named >actual &&
    grep "another MPI" actual
'

if ! mpicc.openmpi -showme:version 2>/dev/null | grep -q 'Open MPI 4\.'; then
    echo '# no mpicc.openmpi here, so no program built for Open MPI is run'
elif test -n "$SANITIZER_CFLAGS"; then
    echo '# a sanitized library cannot stand in for the one a program was linked with'
else
    test_set_prereq OPENMPI
fi

for program in mpi_messages mpi_requests mpi_comms mpi_types mpi_collectives mpi_async \
    mpi_reductions; do
    test_expect_success OPENMPI "built by mpicc.openmpi: $program" "
        sed 's/MPI_Type_ub(type, &got\[0\]);/got[0] = lb + extent;/' \
            '$src/$program.c' >$program.c &&
        mpicc.openmpi -std=gnu11 -I'$src' -o $program $program.c &&
        echo 'all well' >expected &&
        env -u LD_LIBRARY_PATH cpexec -np 3 ./$program >actual &&
        test_cmp expected actual
    "
done

test_done
