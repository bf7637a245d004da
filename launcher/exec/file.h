/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CPI_EXEC_FILE_H
#define CPI_EXEC_FILE_H

/* Makes, or empties, the file that output goes to; what is written is appended. The descriptor is
 * close-on-exec. -1 with the reason in `*why_p`, a static or strerror's text. A pipe is refused:
 * its reader could hold up the whole job, from the opening on. */
int exec_file_make(const char *path, const char **why_p);

#endif
