#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Make ./configure out of configure.ac. Needed once after a checkout.
set -eu
cd "$(dirname "$0")"

missing=
need() { # program, Debian package
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need autoreconf autoconf
need automake automake
need libtoolize libtool
need pkg-config pkg-config
if [ -n "$missing" ]; then
    echo "autogen.sh: tools are missing. On Debian, run: apt-get install$missing" >&2
    exit 1
fi

mkdir -p build-aux/m4
autoreconf --force --install --warnings=all
