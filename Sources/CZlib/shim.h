// SPDX-License-Identifier: Apache-2.0
#ifndef APUS_CZLIB_SHIM_H
#define APUS_CZLIB_SHIM_H
#include <zlib.h>

/// deflateInit2 is a macro, which Swift does not see. Window bits 15 + 16: a gzip header and trailer (RFC 1952).
static inline int apus_gzip_init(z_streamp stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

/// inflateInit2 likewise. Window bits 15 + 16: only gzip.
static inline int apus_gunzip_init(z_streamp stream) {
    return inflateInit2(stream, 15 + 16);
}
#endif
