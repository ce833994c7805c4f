// SPDX-License-Identifier: Apache-2.0
#ifndef CRE2_H
#define CRE2_H
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A compiled expression of RE2; see LinearRegex.
typedef struct cre2_expression cre2_expression;

/// Compiles an expression; `memory` bounds in bytes what it may take. Returns NULL and fills `error` (NUL-terminated,
/// cut to `error_size`) when it is not one.
cre2_expression *cre2_compile(const char *pattern, size_t length, size_t memory, char *error, size_t error_size);

/// Whether the expression matches anywhere in the text.
bool cre2_matches(const cre2_expression *expression, const char *text, size_t length);

/// The leftmost match at or after the byte `start`: where it begins and how long it is, in bytes.
bool cre2_find(const cre2_expression *expression, const char *text, size_t length, size_t start, size_t *match_start,
               size_t *match_length);

void cre2_free(cre2_expression *expression);

#ifdef __cplusplus
}
#endif
#endif
