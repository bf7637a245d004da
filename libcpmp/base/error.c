/* SPDX-License-Identifier: BSD-3-Clause */
#include <cpmp.h>

const char *
cpmp_strerror(int error)
{
    switch (error) {
#define ERROR_CASE(name, number, text)                                                             \
    case number:                                                                                   \
        return text;
        CPMP_ERROR_MAP(ERROR_CASE)
#undef ERROR_CASE
    }
    return "unknown error";
}
