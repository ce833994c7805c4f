// SPDX-License-Identifier: Apache-2.0
#include "CRE2.h"

#include <cstring>
#include <new>
#include <re2/re2.h>

struct cre2_expression {
    re2::RE2 expression;
};

static re2::RE2::Options options(size_t memory) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(static_cast<int64_t>(memory));
    return options;
}

extern "C" cre2_expression *cre2_compile(const char *pattern, size_t length, size_t memory, char *error,
                                         size_t error_size) {
    re2::StringPiece piece(pattern, length);
    auto *compiled = new (std::nothrow) cre2_expression{re2::RE2(piece, options(memory))};
    if (compiled == nullptr) {
        if (error_size > 0) error[0] = '\0';
        return nullptr;
    }
    if (compiled->expression.ok()) return compiled;
    if (error_size > 0) {
        std::strncpy(error, compiled->expression.error().c_str(), error_size - 1);
        error[error_size - 1] = '\0';
    }
    delete compiled;
    return nullptr;
}

extern "C" bool cre2_matches(const cre2_expression *expression, const char *text, size_t length) {
    return re2::RE2::PartialMatch(re2::StringPiece(text, length), expression->expression);
}

extern "C" bool cre2_find(const cre2_expression *expression, const char *text, size_t length, size_t start,
                          size_t *match_start, size_t *match_length) {
    re2::StringPiece match;
    if (!expression->expression.Match(re2::StringPiece(text, length), start, length, re2::RE2::UNANCHORED, &match, 1))
        return false;
    *match_start = static_cast<size_t>(match.data() - text);
    *match_length = match.size();
    return true;
}

extern "C" void cre2_free(cre2_expression *expression) { delete expression; }
