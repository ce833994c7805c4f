// SPDX-License-Identifier: Apache-2.0
// The functions of LightGBM's C interface that Apus uses (lightgbm.readthedocs.io, "C API"), as types of our own: the
// library is opened at run time, and functions are found by name. Results are 0, or -1 and a text of
// LGBM_GetLastError, which is the thread's.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef void *LightGBMHandle;  // a booster, or the settings of predictions of single rows

typedef const char *_Nullable (*LightGBMErrorFunction)(void);
typedef void (*LightGBMLog)(const char *_Nullable text);
typedef int (*LightGBMLogFunction)(LightGBMLog _Nonnull log);
// The text ends with a zero.
typedef int (*LightGBMLoadFunction)(
    const char *_Nonnull text, int *_Nonnull iterations, LightGBMHandle _Nullable *_Nonnull booster);
typedef int (*LightGBMReleaseFunction)(LightGBMHandle _Nullable handle);
typedef int (*LightGBMCountFunction)(LightGBMHandle _Nullable booster, int *_Nonnull count);
typedef int (*LightGBMPredictCountFunction)(
    LightGBMHandle _Nullable booster, int rows, int kind, int first, int iterations, int64_t *_Nonnull count);
typedef int (*LightGBMPredictFunction)(
    LightGBMHandle _Nullable booster, const void *_Nonnull data, int element, int32_t rows, int32_t columns,
    int isRowMajor, int kind, int first, int iterations, const char *_Nonnull parameters, int64_t *_Nonnull count,
    double *_Nonnull result);
typedef int (*LightGBMSingleFunction)(
    LightGBMHandle _Nullable booster, int kind, int first, int iterations, int element, int32_t columns,
    const char *_Nonnull parameters, LightGBMHandle _Nullable *_Nonnull settings);
typedef int (*LightGBMSinglePredictFunction)(
    LightGBMHandle _Nullable settings, const void *_Nonnull row, int64_t *_Nonnull count, double *_Nonnull result);
