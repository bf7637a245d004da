# SPDX-License-Identifier: BSD-3-Clause
# Under tests/run, what the commands of a test print goes to the log beside the TAP, never into it.
if [ -n "${CPMP_TEST_RUN:-}" ]; then
    exec 3>&2 4>&2
fi
