#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='mpi.h and libmpi.so.40 are what programs built for Open MPI 4.1 expect'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

# The table holds what Open MPI 4.1's header and library say: integers, pointers, handles (the
# object that each points at), sizes and offsets, prototypes, sizes of the objects in the library.
# "mpi1" marks what its header shows only when it was built with MPI-1's names.
table=$CPMP_SRCDIR/tests/system/src/mpi-abi.table
LC_ALL=C
export LC_ALL

of_kind() { # kind...: the table's lines of these kinds
    awk -v kinds=" $* " 'index(kinds, " " $1 " ")' "$table"
}

# A program that prints lines of the table as a header has them. Names of handles are read off the
# macros' text, so nothing needs to be linked.
make_program() { # lines
    cat <<'END'
#include <mpi.h>
#include <stdio.h>
#include <string.h>
#define TEXT(x) TEXT_OF(x)
#define TEXT_OF(x) #x
static void handle(const char *name, const char *text)
{
    const char *object = strstr(text, "&(");
    object = object ? object + 2 : "?";
    printf("handle %s %.*s\n", name, (int)strcspn(object, ")"), object);
}
int main(void)
{
END
    awk '
        $1 == "integer" { printf "printf(\"integer %s %%d\\n\", (int)%s);\n", $2, $2 }
        $1 == "pointer" { printf "printf(\"pointer %s %%zd\\n\", (size_t)%s);\n", $2, $2 }
        $1 == "handle" { printf "handle(\"%s\", TEXT(%s));\n", $2, $2 }
        $1 == "size" { printf "printf(\"size %s %%zu\\n\", sizeof(%s));\n", $2, $2 }
        $1 == "offset" { split($2, part, ".")
            printf "printf(\"offset %s %%zu\\n\", offsetof(%s, %s));\n", $2, part[1], part[2] }
    ' "$1"
    echo 'return 0; }'
}

# The prototypes of a header in the compiler's own words, "function NAME RESULT (PARAMETERS)".
prototypes() { # compiler options...
    echo '#include <mpi.h>' >prototypes.c &&
    ${CC:-cc} "$@" -std=gnu99 -fsyntax-only -aux-info prototypes.X prototypes.c &&
    sed -nE 's,.* extern ([a-z]+) (P?MPI_[A-Za-z0-9_]+) (\(.*\));.*,function \2 \1 \3,p' \
        prototypes.X | sort
}

values() { # lines, compiler options...
    make_program "$1" >values.c && shift &&
    ${CC:-cc} "$@" -o values values.c && ./values | sort
}

# Sizes of the objects in a library.
objects() { # library
    "${READELF:-readelf}" -W --dyn-syms "$1" |
        awk '$4 == "OBJECT" && $7 != "UND" { sub("@.*", "", $8); print "object", $8, $3 }' | sort -u
}

of_kind integer pointer handle size offset >values
grep -v ' mpi1$' values | sort >values.common
sed 's/ mpi1$//' values | sort >values.expected
of_kind function | sort >functions.expected
of_kind object | sort >objects.expected

test_expect_success 'the table is whole' '
    test $(wc -l <values.expected) -gt 290 &&
    test $(wc -l <functions.expected) -gt 180 &&
    test $(wc -l <objects.expected) -gt 90
'

test_expect_success 'every value of mpi.h is the table'\''s' '
    values values.expected -I"$CPMP_SRCDIR/include" >values.ours &&
    test_cmp values.expected values.ours
'

test_expect_success 'the same in C++' '
    if command -v "${CXX:-c++}" >cxx
    then
        make_program values.expected >values.cc &&
        "${CXX:-c++}" -std=c++98 -I"$CPMP_SRCDIR/include" -o values values.cc &&
        ./values | sort >values.cxx && test_cmp values.expected values.cxx
    else
        echo "# no C++ compiler here"
    fi
'

test_expect_success 'every constant of mpi.h is in the table' '
    echo "#include <mpi.h>" >all.c &&
    { ${CC:-cc} -E -dM -I"$CPMP_SRCDIR/include" all.c |
          awk "\$2 ~ /^(MPI|OMPI|IMPI)_[A-Z0-9_]+\$/ { print \$2 }" &&
      ${CC:-cc} -E -P -I"$CPMP_SRCDIR/include" all.c | tr -s " ,{}" "\\n" |
          grep -E "^(MPI|OMPI|IMPI)_[A-Z0-9_]+\$"; } |
        grep -vE "_FN\$|^MPI_F_STATUS|^MPI_(SOURCE|TAG|ERROR)\$" | sort -u >names.ours &&
    awk "{ print \$2 }" values.expected | sort -u >names.table &&
    comm -23 names.ours names.table >missing &&
    test_must_be_empty missing
'

test_expect_success 'MPI_x and PMPI_x have the table'\''s prototypes, and no other is declared' '
    prototypes -I"$CPMP_SRCDIR/include" >functions.ours &&
    grep "^function MPI_" functions.ours >mpi.ours &&
    sed -n "s/^function PMPI_/function MPI_/p" functions.ours >pmpi.ours &&
    test_cmp functions.expected mpi.ours &&
    test_cmp functions.expected pmpi.ours
'

test_expect_success 'the library has every object, of its size' '
    objects "$CPMP_BUILDDIR/.libs/libmpi.so.40" >objects.all &&
    comm -23 objects.expected objects.all >missing &&
    test_must_be_empty missing
'

test_expect_success 'the library has MPI_x weak and PMPI_x strong for each function' '
    "${READELF:-readelf}" -W --dyn-syms "$CPMP_BUILDDIR/.libs/libmpi.so.40" |
        awk "\$4 == \"FUNC\" && \$7 != \"UND\" { print \$5, \$8 }" | sort >symbols &&
    awk "{ print \"WEAK\", \$2; print \"GLOBAL\", \"P\" \$2 }" functions.expected |
        sort >symbols.expected &&
    comm -23 symbols.expected symbols >missing &&
    test_must_be_empty missing
'

test_expect_success 'it is called libmpi.so.40 and needs nothing but libc' '
    "${READELF:-readelf}" -d "$CPMP_BUILDDIR/.libs/libmpi.so.40" >dynamic &&
    grep "SONAME.*\[libmpi.so.40\]" dynamic &&
    sed -nE "s/.*NEEDED.*\[(.*)\]/\1/p" dynamic |
        awk "!/^(libc\.so|libm\.so|ld-linux|libasan|libubsan|libtsan|libgcc_s)/" >needed &&
    test_must_be_empty needed
'

if incdirs=$(mpicc.openmpi -showme:incdirs 2>/dev/null) &&
    libdirs=$(mpicc.openmpi -showme:libdirs 2>/dev/null) &&
    mpicc.openmpi -showme:version 2>/dev/null | grep -q 'Open MPI 4\.1\.'; then
    for dir in $incdirs; do options="$options -I$dir"; done
    for dir in $libdirs /usr/lib/*-linux-gnu; do
        test -z "$library" && test -e "$dir/libmpi.so.40" && library=$dir/libmpi.so.40
    done
    test_set_prereq OPENMPI
else
    echo '# no Open MPI 4.1 here (mpicc.openmpi), so the table itself is not compared with it'
fi

test_expect_success OPENMPI 'the table holds the values of the Open MPI installed here' '
    values values.common $options >values.theirs &&
    test_cmp values.common values.theirs
'

test_expect_success OPENMPI 'and its prototypes' '
    prototypes $options >functions.theirs &&
    comm -23 functions.expected functions.theirs >differ &&
    removed="Address|Type_(extent|lb|ub|hvector|hindexed|struct)|Errhandler_(create|set|get)" &&
    awk "!/ MPI_($removed) /" differ >differ.live &&
    test_must_be_empty differ.live
'

test_expect_success OPENMPI 'and the sizes of its objects' '
    objects "$library" >objects.theirs &&
    comm -23 objects.expected objects.theirs >differ &&
    test_must_be_empty differ
'

test_done
