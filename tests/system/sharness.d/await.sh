# SPDX-License-Identifier: BSD-3-Clause
# Until the command says yes, with a limit of 30 s.
await() { # command...
    for await_try in $(seq 3000); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.01
    done
    echo "waited in vain for: $*"
    return 1
}
