// SPDX-License-Identifier: Apache-2.0
// Single-precision kernels of alternating least squares, each compiled for AVX-512, AVX2+FMA and the baseline, and
// chosen by the processor at run time. They are here and not in OpenBLAS because Debian's libopenblas-serial is built
// without locking, so that calling it from several threads corrupts results, and because the problems are too small
// (tens of factors) for a general BLAS to pay off.
//
// Matrices are row-major. `width` is the padded row length: a multiple of 16, at most 1024.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef float als_v4 __attribute__((vector_size(16), aligned(4)));
typedef float als_v8 __attribute__((vector_size(32), aligned(4)));
typedef float als_v16 __attribute__((vector_size(64), aligned(4)));

#define ALS_BODY static inline __attribute__((always_inline))
#define ALS_MAX_VECTORS 64
/// A loop over the vectors of a row or tile; unrolled where their number is a constant, so that they stay in registers.
#define ALS_EACH(v, count) _Pragma("clang loop unroll(full)") for (ptrdiff_t v = 0; v < (count); v++)

ALS_BODY float als_sum_of(const als_v16 *v) {
    als_v16 x = *v;
    als_v8 e = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) +
               __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
    als_v4 f = __builtin_shufflevector(e, e, 0, 1, 2, 3) + __builtin_shufflevector(e, e, 4, 5, 6, 7);
    return (f[0] + f[2]) + (f[1] + f[3]);
}

/// The row that entry `i` refers to; without `columns` the rows are consecutive.
ALS_BODY const float *als_row(const float *rows, const int32_t *columns, ptrdiff_t i, ptrdiff_t width) {
    return rows + (columns ? (ptrdiff_t)columns[i] : i) * width;
}

ALS_BODY void als_prefetch_row(const float *row, ptrdiff_t vectors) {
    ALS_EACH(v, vectors) __builtin_prefetch(row + v * 16);
}

/// out += Σ (constant[i] + slope[i]·(row·direction))·row
ALS_BODY void als_normal_pass_body(ptrdiff_t vectors, const float *rows, const int32_t *columns, ptrdiff_t count,
                                   const float *constant, const float *slope, const float *direction, float *out) {
    const ptrdiff_t width = vectors * 16;
    als_v16 sum[ALS_MAX_VECTORS], p[ALS_MAX_VECTORS];
    ALS_EACH(v, vectors) {
        sum[v] = ((const als_v16 *)out)[v];
        p[v] = ((const als_v16 *)direction)[v];
    }
    for (ptrdiff_t i = 0; i < count; i++) {
        if (columns && i + 12 < count) als_prefetch_row(als_row(rows, columns, i + 12, width), vectors);
        const als_v16 *row = (const als_v16 *)als_row(rows, columns, i, width);
        als_v16 product = row[0] * p[0];
        ALS_EACH(v, vectors - 1) product += row[v + 1] * p[v + 1];
        float weight = slope[i] * als_sum_of(&product) + (constant ? constant[i] : 0.0f);
        ALS_EACH(v, vectors) sum[v] += row[v] * weight;
    }
    ALS_EACH(v, vectors) ((als_v16 *)out)[v] = sum[v];
}

/// out += Σ weight[i]·row
ALS_BODY void als_weighted_sum_body(ptrdiff_t vectors, const float *rows, const int32_t *columns, ptrdiff_t count,
                                    const float *weight, float *out) {
    als_v16 sum[ALS_MAX_VECTORS];
    ALS_EACH(v, vectors) sum[v] = ((const als_v16 *)out)[v];
    for (ptrdiff_t i = 0; i < count; i++) {
        const als_v16 *row = (const als_v16 *)als_row(rows, columns, i, vectors * 16);
        ALS_EACH(v, vectors) sum[v] += row[v] * weight[i];
    }
    ALS_EACH(v, vectors) ((als_v16 *)out)[v] = sum[v];
}

/// out[i] = row·vector
ALS_BODY void als_scores_body(ptrdiff_t vectors, const float *rows, const int32_t *columns, ptrdiff_t count,
                              const float *vector, float *out) {
    als_v16 p[ALS_MAX_VECTORS];
    ALS_EACH(v, vectors) p[v] = ((const als_v16 *)vector)[v];
    for (ptrdiff_t i = 0; i < count; i++) {
        const als_v16 *row = (const als_v16 *)als_row(rows, columns, i, vectors * 16);
        als_v16 product = row[0] * p[0];
        ALS_EACH(v, vectors - 1) product += row[v + 1] * p[v + 1];
        out[i] = als_sum_of(&product);
    }
}

/// block[i] = scale[i]·row, or row without `scale`.
ALS_BODY void als_gather_body(ptrdiff_t vectors, const float *rows, const int32_t *columns, ptrdiff_t count,
                              const float *scale, float *block) {
    const ptrdiff_t width = vectors * 16;
    for (ptrdiff_t i = 0; i < count; i++) {
        if (i + 12 < count) als_prefetch_row(als_row(rows, columns, i + 12, width), vectors);
        const als_v16 *row = (const als_v16 *)als_row(rows, columns, i, width);
        als_v16 *target = (als_v16 *)(block + i * width);
        ALS_EACH(v, vectors) target[v] = scale ? row[v] * scale[i] : row[v];
    }
}

/// One register tile of matrix += blockᵀ·block: `tileRows` rows from `i`, `tileVectors` vectors from column `j`.
ALS_BODY void als_tile(const ptrdiff_t tileRows, const ptrdiff_t tileVectors, ptrdiff_t width, const float *block,
                       ptrdiff_t count, ptrdiff_t i, ptrdiff_t j, float *matrix) {
    als_v16 sum[16];
    ALS_EACH(r, tileRows)
        ALS_EACH(v, tileVectors)
            sum[r * tileVectors + v] = ((const als_v16 *)(matrix + (i + r) * width + j))[v];
    for (ptrdiff_t k = 0; k < count; k++) {
        const float *row = block + k * width;
        ALS_EACH(v, tileVectors) {
            als_v16 right = ((const als_v16 *)(row + j))[v];
            ALS_EACH(r, tileRows) sum[r * tileVectors + v] += right * row[i + r];
        }
    }
    ALS_EACH(r, tileRows)
        ALS_EACH(v, tileVectors)
            ((als_v16 *)(matrix + (i + r) * width + j))[v] = sum[r * tileVectors + v];
}

/// Upper triangle (and some of the rest) of matrix += blockᵀ·block.
ALS_BODY void als_gram_body(ptrdiff_t vectors, const ptrdiff_t tileRows, const ptrdiff_t tileVectors,
                            const float *block, ptrdiff_t count, float *matrix) {
    const ptrdiff_t width = vectors * 16;
    for (ptrdiff_t start = 0; start < count; start += 256) {
        const float *part = block + start * width;
        const ptrdiff_t length = count - start < 256 ? count - start : 256;
        for (ptrdiff_t i = 0; i < width; i += tileRows) {
            ptrdiff_t j = i & ~(ptrdiff_t)15;
            for (; j + tileVectors * 16 <= width; j += tileVectors * 16)
                als_tile(tileRows, tileVectors, width, part, length, i, j, matrix);
            for (; j < width; j += 16) als_tile(tileRows, 1, width, part, length, i, j, matrix);
        }
    }
}

/// Solves matrix·x = right by Cholesky (UᵀU) from the upper triangle; x replaces `right`, U the matrix. Gives 0, or
/// the number of the pivot that was not positive, from 1.
ALS_BODY int als_cholesky_body(ptrdiff_t vectors, float *matrix, float *right) {
    const ptrdiff_t width = vectors * 16;
    for (ptrdiff_t k = 0; k < width; k++) {
        float *pivotRow = matrix + k * width;
        if (!(pivotRow[k] > 0)) return (int)k + 1;
        const float inverse = 1.0f / __builtin_sqrtf(pivotRow[k]);
        const ptrdiff_t first = k / 16;
        for (ptrdiff_t v = first; v < vectors; v++) ((als_v16 *)pivotRow)[v] *= inverse;
        for (ptrdiff_t c = first * 16; c < k; c++) pivotRow[c] = 0;
        for (ptrdiff_t i = k + 1; i < width; i++) {
            const float factor = pivotRow[i];
            als_v16 *row = (als_v16 *)(matrix + i * width);
            for (ptrdiff_t v = i / 16; v < vectors; v++) row[v] -= ((const als_v16 *)pivotRow)[v] * factor;
        }
    }
    for (ptrdiff_t k = 0; k < width; k++) {
        const float *row = matrix + k * width;
        const float value = right[k] / row[k];
        for (ptrdiff_t v = k / 16; v < vectors; v++) ((als_v16 *)right)[v] -= ((const als_v16 *)row)[v] * value;
        right[k] = value;
    }
    for (ptrdiff_t k = width - 1; k >= 0; k--) {
        const float *row = matrix + k * width;
        const float value = right[k];
        right[k] = 0;
        als_v16 product = ((const als_v16 *)row)[k / 16] * ((const als_v16 *)right)[k / 16];
        for (ptrdiff_t v = k / 16 + 1; v < vectors; v++)
            product += ((const als_v16 *)row)[v] * ((const als_v16 *)right)[v];
        right[k] = (value - als_sum_of(&product)) / row[k];
    }
    return 0;
}

// A constant number of vectors lets the compiler keep whole rows in registers.
#define ALS_SPECIALISE(vectors, call)                                                                                  \
    switch (vectors) {                                                                                                 \
    case 1: { const ptrdiff_t n = 1; call; break; }                                                                    \
    case 2: { const ptrdiff_t n = 2; call; break; }                                                                    \
    case 3: { const ptrdiff_t n = 3; call; break; }                                                                    \
    case 4: { const ptrdiff_t n = 4; call; break; }                                                                    \
    case 6: { const ptrdiff_t n = 6; call; break; }                                                                    \
    case 8: { const ptrdiff_t n = 8; call; break; }                                                                    \
    default: { const ptrdiff_t n = vectors; call; break; }                                                             \
    }

#define ALS_VARIANT(name, attribute, tileRows, tileVectors)                                                            \
    attribute static void als_normal_pass_##name(ptrdiff_t vectors, const float *rows, const int32_t *columns,         \
                                                 ptrdiff_t count, const float *constant, const float *slope,           \
                                                 const float *direction, float *out) {                                 \
        ALS_SPECIALISE(vectors, als_normal_pass_body(n, rows, columns, count, constant, slope, direction, out))        \
    }                                                                                                                  \
    attribute static void als_weighted_sum_##name(ptrdiff_t vectors, const float *rows, const int32_t *columns,        \
                                                  ptrdiff_t count, const float *weight, float *out) {                  \
        ALS_SPECIALISE(vectors, als_weighted_sum_body(n, rows, columns, count, weight, out))                           \
    }                                                                                                                  \
    attribute static void als_scores_##name(ptrdiff_t vectors, const float *rows, const int32_t *columns,              \
                                            ptrdiff_t count, const float *vector, float *out) {                        \
        ALS_SPECIALISE(vectors, als_scores_body(n, rows, columns, count, vector, out))                                 \
    }                                                                                                                  \
    attribute static void als_gather_##name(ptrdiff_t vectors, const float *rows, const int32_t *columns,              \
                                            ptrdiff_t count, const float *scale, float *block) {                       \
        als_gather_body(vectors, rows, columns, count, scale, block);                                                  \
    }                                                                                                                  \
    attribute static void als_gram_##name(ptrdiff_t vectors, const float *block, ptrdiff_t count, float *matrix) {     \
        als_gram_body(vectors, tileRows, tileVectors, block, count, matrix);                                           \
    }                                                                                                                  \
    attribute static int als_cholesky_##name(ptrdiff_t vectors, float *matrix, float *right) {                         \
        ALS_SPECIALISE(vectors, return als_cholesky_body(n, matrix, right))                                            \
        return 0;                                                                                                      \
    }

/// The instructions in use: 2 AVX-512, 1 AVX2 and FMA, 0 the baseline.
static inline int als_level(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return 2;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1 : 0;
#else
    return 0;
#endif
}

ALS_VARIANT(baseline, , 2, 1)
#if defined(__x86_64__)
ALS_VARIANT(avx2, __attribute__((target("avx2,fma"))), 4, 1)
ALS_VARIANT(avx512, __attribute__((target("avx512f,avx512vl,avx512dq,fma"))), 8, 2)
#define ALS_CALL(function, ...)                                                                                        \
    (als_level() == 2   ? als_##function##_avx512(__VA_ARGS__)                                                         \
     : als_level() == 1 ? als_##function##_avx2(__VA_ARGS__)                                                           \
                        : als_##function##_baseline(__VA_ARGS__))
#else
#define ALS_CALL(function, ...) als_##function##_baseline(__VA_ARGS__)
#endif

/// out += Σ (constant[i] + slope[i]·(row·direction))·row, over the rows that `columns` names (all, in order, when
/// null). `constant` may be null.
static inline void als_normal_pass(ptrdiff_t width, const float *rows, const int32_t *columns, ptrdiff_t count,
                                   const float *constant, const float *slope, const float *direction, float *out) {
    ALS_CALL(normal_pass, width / 16, rows, columns, count, constant, slope, direction, out);
}

/// out += Σ weight[i]·row
static inline void als_weighted_sum(ptrdiff_t width, const float *rows, const int32_t *columns, ptrdiff_t count,
                                    const float *weight, float *out) {
    ALS_CALL(weighted_sum, width / 16, rows, columns, count, weight, out);
}

/// out[i] = row·vector
static inline void als_scores(ptrdiff_t width, const float *rows, const int32_t *columns, ptrdiff_t count,
                              const float *vector, float *out) {
    ALS_CALL(scores, width / 16, rows, columns, count, vector, out);
}

/// block[i] = scale[i]·row; without `scale` the row itself.
static inline void als_gather(ptrdiff_t width, const float *rows, const int32_t *columns, ptrdiff_t count,
                              const float *scale, float *block) {
    ALS_CALL(gather, width / 16, rows, columns, count, scale, block);
}

/// Upper triangle of matrix += blockᵀ·block (the rest of the matrix is undefined afterwards).
static inline void als_gram(ptrdiff_t width, const float *block, ptrdiff_t count, float *matrix) {
    ALS_CALL(gram, width / 16, block, count, matrix);
}

/// Solves matrix·x = right from the upper triangle; x replaces `right`. Gives 0, or the number (from 1) of the pivot
/// that was not positive.
static inline int als_cholesky(ptrdiff_t width, float *matrix, float *right) {
    return ALS_CALL(cholesky, width / 16, matrix, right);
}
