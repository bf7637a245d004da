#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='the manual pages: they render, and say what is so'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

pages=$CPMP_BUILDDIR/doc/man

# Some systems have a man that only tells that it isn't there.
if man --version 2>/dev/null | grep -q "^man [0-9]"; then
    test_set_prereq MAN
fi

# A section of a page, without roff's escapes.
section() {
    sed -n "/^\.SH $2\$/,/^\.SH /p" "$pages/$1" |
        sed 's/\\f[BIR]//g; s/\\&//g; s/\\-/-/g; s/\\(aq/'"'"'/g; s/\\e/\\/g; s/\\\\/\\/g'
}

# The literal blocks that hold a whole program, a file each: PAGE.c, in the current directory.
programs_extract() {
    section "$1" EXAMPLES |
        awk -v file="$1.c" '/^\.nf/ { block = ""; inside = 1; next }
            /^\.[A-Z]/ { next }
            /^\.fi/ { if (block ~ /int main\(/) printf "%s", block >file; inside = 0 }
            inside { block = block $0 "\n" }'
}

functions=$(sed -n 's/^[a-z][a-z0-9_ *]*\(cpmp_[a-z_]*\)(.*/\1/p' "$CPMP_SRCDIR/include/cpmp.h" |
    grep -v "_fn$" | sort -u)

test_expect_success 'the functions of cpmp.h were found' '
    for name in cpmp_init cpmp_isend cpmp_strerror cpmp_var_fetch_add cpmp_emit_text; do
        printf "%s\n" "$functions" | grep -x "$name" || return 1
    done
'

test_expect_success 'each function of cpmp.h leads to a page that names and declares it' '
    for name in $functions; do
        target=$(sed -n "s,^\.so man3/,,p" "$pages/$name.3") &&
        section "${target:-$name.3}" NAME | grep -w "$name" &&
        section "${target:-$name.3}" SYNOPSIS | grep "[ *]$name(" || return 1
    done
'

test_expect_success 'each name in section 3 is a function of cpmp.h, or a page' '
    for file in "$pages"/*.3; do
        name=$(basename "$file" .3)
        test -f "$CPMP_SRCDIR/doc/man/$name.3.scd" ||
            printf "%s\n" "$functions" | grep -x "$name" || return 1
    done
'

test_expect_success 'pages that others refer to are there' '
    sed -n "/^\.SH SEE ALSO/,\$p" "$pages"/*.[13578] |
        grep -o "cp[a-z_-]*\\\\fR([13578])" | sed "s/\\\\fR(\(.\))/.\1/" | sort -u >references &&
    grep -x cpmp.7 references &&
    while read -r page; do
        test -s "$pages/$page" || return 1
    done <references
'

test_expect_success 'each error of cpmp.h is in cpmp_strerror(3), with number and text' '
    sed -n "s/^    X(\([A-Z]*\), \(-*[0-9]*\), \"\(.*\)\").*/CPMP_\1 \2 \3/p" \
        "$CPMP_SRCDIR/include/cpmp.h" >expected &&
    test $(wc -l <expected) -ge 20 &&
    section cpmp_strerror.3 ERRORS | sed "s/T[{}]//g" | tr -s "\n\t" "  " >actual &&
    while read -r name number text; do
        grep -F -e "$name $number $text " actual >/dev/null || {
            echo "missing: $name $number $text"
            return 1
        }
    done <expected
'

test_expect_success 'each option that --help shows is in cpexec(1)' '
    cpexec --help >help &&
    sed -n "s/^  \(-[^ []*\(, -[^ []*\)*\).*/\1/p" help | tr -d , | tr " " "\n" >options &&
    test $(wc -l <options) -ge 20 &&
    section cpexec.1 OPTIONS >text &&
    while read -r option; do
        grep -e "^\(.*, \)*$option\([ ,]\|\$\)" text >/dev/null || {
            echo "missing: $option"
            return 1
        }
    done <options
'

test_expect_success 'each command and option of cpmp --help is in cpmp(1), and each there is one' '
    cpmp --help >help &&
    sed -n "s/^  \([a-z]* \?[a-z]*\)  *.*/\1/p" help | sed "s/ *$//" >commands &&
    test $(wc -l <commands) -ge 12 &&
    section cpmp.1 COMMANDS | sed -n "/^\.SS /s/^\.SS \([a-z ]*[a-z]\).*/\1/p" >sections &&
    grep -vx "help.*" commands | sort >expected && sort sections >actual &&
    test_cmp expected actual &&
    while read -r command; do
        cpmp help $command >page && sed -n "s/^  \(--[a-z]*\).*/\1/p" page || return 1
    done <commands | sort -u >expected &&
    section cpmp.1 OPTIONS >text && section cpmp.1 COMMANDS >>text &&
    grep -e "^--" text | grep -o -e "^--[a-z]*" | sort -u >actual &&
    test_cmp expected actual
'

# Without a program nothing is run; what is said of a missing value doesn't matter here.
test_expect_success 'each option in cpexec(1) is one' '
    section cpexec.1 OPTIONS >text &&
    section cpexec.1 "OPTIONS OF MPIRUN" | tr " ,." "\n" | grep -e "^-" >more &&
    grep -e "^-" text | grep -o -e "\(^\|, \)-[-a-zA-Z]*" | tr -d ", " | cat - more >options &&
    test $(wc -l <options) -ge 60 &&
    while read -r option; do
        cpexec --do-not-launch "$option" </dev/null >out 2>&1
        ! grep "unknown option" out || return 1
    done <options &&
    test_must_fail cpexec --no-such-option 2>err &&
    grep "unknown option" err
'

test_expect_success 'each option of mpirun that cpexec takes is in cpexec(1)' '
    section cpexec.1 OPTIONS >text &&
    section cpexec.1 "OPTIONS OF MPIRUN" >>text &&
    sed -n "/^static const struct options_row option_table/,/^};/p" \
        "$CPMP_SRCDIR/launcher/exec/options.c" | tr -d "\n" | sed "s/\"  *\"//g" |
        grep -o "{\"[^\"]*\"" | tr -d "{\"" | tr " " "\n" >names &&
    test $(wc -l <names) -ge 80 &&
    while read -r name; do
        grep -e "\(^\|[ ,]\)--*$name\([ ,.]\|\$\)" text >/dev/null || {
            echo "missing: $name"
            return 1
        }
    done <names
'

test_expect_success 'each variable that ranks get is in cpexec(1)' '
    env -i PATH="$PATH" LD_LIBRARY_PATH="$LD_LIBRARY_PATH" CPMP_AGENT="$CPMP_AGENT" \
        "$(command -v cpexec)" -np 1 env >environment &&
    sed -n "s/^\(CPMP_[A-Z_]*\|OMPI_[A-Z_]*\)=.*/\1/p" environment >names &&
    grep -x CPMP_RANK names &&
    section cpexec.1 ENVIRONMENT >text &&
    while read -r name; do
        grep -w "$name" text >/dev/null || {
            echo "missing: $name"
            return 1
        }
    done <names
'

for page in "$pages"/*.[37]; do
    page=$(basename "$page")
    programs_extract "$page"
    test -f "$page.c" || continue
    test_expect_success "the program in $page compiles, and runs on three ranks and alone" "
        cpcc -Wall -Wextra -Werror -o program $page.c &&
        cpexec -np 3 --timeout 120 ./program >out &&
        test -s out &&
        ./program >out
    "
done

test_expect_success 'most pages of functions have such a program' '
    test $(ls cpmp*.c | wc -l) -ge 8
'

test_expect_success MAN 'man finds a page by the name of each function' '
    for page in "$pages"/*.[13578]; do
        mkdir -p "manuals/man${page##*.}" && cp "$page" "manuals/man${page##*.}" || return 1
    done &&
    for name in $functions cpexec cpcc cpmp cpmpd cpmp-policy; do
        MANWIDTH=100 man -M "$PWD/manuals" -P cat "$name" >shown &&
        grep -w "$name" shown >/dev/null || return 1
    done
'

test_expect_success MAN 'man renders each page without a warning' '
    for file in "$pages"/*.[13578]; do
        grep -q "^\.so " "$file" && continue
        MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$file" 2>&1 >/dev/null |
            sed "s,^,$(basename "$file"): ,"
    done >warnings &&
    test_must_be_empty warnings
'

test_done
