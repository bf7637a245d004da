/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_CONTROL_RULES_H
#define CPI_CONTROL_RULES_H

/*
 * What launcher and agent promise each other beyond the messages' layout (wire/control.proto).
 *
 * Course: Setup -> Ready, Start -> Started or StartFailed per rank (after the first failure an
 * agent starts no more), then whatever the ranks do, Exited once per rank that was Started, End ->
 * Done. After Done the launcher closes the stream and the agent exits. A stream that closes at any
 * other moment is the end of the lease: the agent kills everything below it and exits.
 *
 * Setup.peers == 1: the agent opens no fabric, Ready.fabric_address is empty.
 *
 * StartFailed.what is one of "run" (execve), "directory" (chdir), "start" (pipes, fork), "segment"
 * (the job's memory); error_number an errno value. `program` is argv[0] or the directory.
 *
 * End{kill = true}: every descendant of the agent gets SIGKILL now. End{kill = false}: the agent
 * lets its ranks run to their own end first, then kills what they left behind (daemons,
 * grandchildren that hold a pipe). Either way Done comes after the last process is gone and the
 * last Output was sent; so the launcher sends End when every rank is Exited, without waiting for
 * the eof of each Output, and goes on to answer Output until Done. End may be sent again with kill
 * = true. Processes that could not be killed are named in Done.litter.
 *
 * Output: all ranks and both streams of one agent draw on one window: the sum of the lengths of
 * data sent never exceeds OutputTaken.bytes + CONTROL_OUTPUT_WINDOW_BYTES. eof comes once per rank
 * and stream.
 *
 * Stdin: Stdin.rank repeats Start.stdin_rank; -1 feeds every rank, each with all of it. The sum of
 * the lengths of data sent never exceeds StdinTaken.bytes + CONTROL_STDIN_WINDOW_BYTES.
 * StdinTaken.bytes tells how much the slowest local reader has taken; `closed` that nobody here
 * reads any more (what comes later is thrown away). Only agents that have a rank with a standard
 * input are sent Stdin.
 *
 * Between machines the stream is TLS 1.3 by a key of 32 bytes, one for each agent, and has
 * heartbeats (control/stream.h). A launcher that stops for Ctrl-Z says Heartbeat{absent} to its
 * agents; its job waits for it. One that is stopped without a word (kill -STOP) has lost its job
 * after the lease, for nobody can tell that from a host that is gone.
 *
 * TakenAway: the peer's owner wants the machine back. The agent says so and ends its ranks; their
 * Exited carry `ended`.
 *
 * Progress: the newest numbers of a rank, a few times a second at most, and before its Exited.
 */

#define CONTROL_VERSION 1u  /* in Setup and Ready; both sides must have the same */

#define CONTROL_OUTPUT_WINDOW_BYTES (1u << 20)
#define CONTROL_STDIN_WINDOW_BYTES  (256u << 10)
#define CONTROL_PIECE_BYTES         (64u << 10)  /* the most data in one Output or Stdin */

#define CONTROL_STDIN_ALL  (-1)
#define CONTROL_STDIN_NONE (-2)

enum control_trouble {
    CONTROL_TROUBLE_NOTE = 0,    /* worth telling with --verbose */
    CONTROL_TROUBLE_WARNING = 1, /* the job goes on */
    CONTROL_TROUBLE_FATAL = 2,   /* this agent can't do its part; the job can't go on */
};

#endif
