/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that are easy to get wrong do not compile. Use strbuf for building
 * strings, gmtime_r for dates, strtol with its error checks for numbers.
 */
#ifndef STAGEDOOR_BANNED_H
#define STAGEDOOR_BANNED_H

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef strtok
#undef gmtime
#undef localtime
#undef atoi
#undef atol

#define SD_BANNED(f) banned_call_##f##_see_banned_h
#define strcpy(d, s) SD_BANNED(strcpy)
#define strcat(d, s) SD_BANNED(strcat)
#define strncpy(d, s, n) SD_BANNED(strncpy)
#define strncat(d, s, n) SD_BANNED(strncat)
#define sprintf(...) SD_BANNED(sprintf)
#define vsprintf(...) SD_BANNED(vsprintf)
#define strtok(s, d) SD_BANNED(strtok)
#define gmtime(t) SD_BANNED(gmtime)
#define localtime(t) SD_BANNED(localtime)
#define atoi(s) SD_BANNED(atoi)
#define atol(s) SD_BANNED(atol)

#endif
