#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
test_description='the units for systemd, and what is made for them'
. "${SHARNESS:-/usr/share/sharness/sharness.sh}"

units=$CPMP_BUILDDIR/doc/systemd
bindir=$(cd "$CPMP_BUILDDIR" && make -s -f - bindir 2>/dev/null <<-\EOT
	include Makefile
	bindir: ; @echo $(bindir)
	EOT
)

if systemd-analyze --version >/dev/null 2>&1; then
    test_set_prereq SYSTEMD
fi

test_expect_success 'both start the installed cpmpd, with options of the machine' '
    test -n "$bindir" &&
    for unit in system user; do
        grep "^ExecStart=$bindir/cpmpd .*\$CPMPD_OPTIONS\$" "$units/$unit/cpmpd.service" &&
        ! grep "@" "$units/$unit/cpmpd.service" || return 1
    done
'

test_expect_success 'in both, agents outlive a crash, and a refusal is not tried again' '
    for unit in system user; do
        for line in KillMode=process Restart=on-failure "RestartPreventExitStatus=2 3" \
            Delegate=yes OOMPolicy=continue; do
            grep -x "$line" "$units/$unit/cpmpd.service" || return 1
        done
    done
'

test_expect_success 'the user of the unit is the one that is made' '
    user=$(sed -n "s/^User=//p" "$units/system/cpmpd.service") &&
    grep "^u $user " "$CPMP_SRCDIR/doc/systemd/cpmp.conf"
'

# The programs needn't be installed where the units look for them.
for unit in system user; do
    test_expect_success SYSTEMD "systemd takes the unit: $unit" '
        mkdir -p '$unit' &&
        sed "s,^ExecStart=[^ ]*,ExecStart=/bin/true," "$units/'$unit'/cpmpd.service" \
            >'$unit'/cpmpd.service &&
        option= && if test '$unit' = user; then option=--user; fi &&
        mkdir -p runtime && chmod 700 runtime &&
        XDG_RUNTIME_DIR="$PWD/runtime" systemd-analyze verify --man=no $option \
            "$PWD/'$unit'/cpmpd.service" >said 2>&1 &&
        ! grep cpmpd.service: said
    '
done

test_done
