// SPDX-License-Identifier: Apache-2.0
// The functions of XGBoost's C interface that Apus uses (xgboost.readthedocs.io, "XGBoost C Package"), as types of our
// own: the library is opened at run time, and functions are found by name. Results are 0, or -1 and a text of
// XGBGetLastError, which is the thread's.
#pragma once
#include <stdint.h>

typedef void *XGBoostHandle;  // a booster, or a matrix

typedef void (*XGBoostVersionFunction)(int *_Nonnull major, int *_Nonnull minor, int *_Nonnull patch);
typedef const char *_Nullable (*XGBoostErrorFunction)(void);
typedef void (*XGBoostLog)(const char *_Nullable text);
typedef int (*XGBoostLogFunction)(XGBoostLog _Nonnull log);
typedef int (*XGBoostConfigFunction)(const char *_Nonnull json);
typedef int (*XGBoostCreateFunction)(
    const XGBoostHandle _Nullable *_Nullable matrices, uint64_t count, XGBoostHandle _Nullable *_Nonnull booster);
typedef int (*XGBoostReleaseFunction)(XGBoostHandle _Nullable handle);
typedef int (*XGBoostLoadFunction)(XGBoostHandle _Nullable booster, const void *_Nullable bytes, uint64_t count);
typedef int (*XGBoostParameterFunction)(
    XGBoostHandle _Nullable booster, const char *_Nonnull name, const char *_Nonnull value);
typedef int (*XGBoostCountFunction)(XGBoostHandle _Nullable booster, uint64_t *_Nonnull count);
typedef int (*XGBoostProxyFunction)(XGBoostHandle _Nullable *_Nonnull matrix);
// The result and its shape lie in memory of the booster and the thread until the thread's next call.
typedef int (*XGBoostPredictFunction)(
    XGBoostHandle _Nullable booster, const char *_Nonnull array, const char *_Nonnull configuration,
    XGBoostHandle _Nullable proxy, const uint64_t *_Nullable *_Nonnull shape, uint64_t *_Nonnull rank,
    const float *_Nullable *_Nonnull result);
typedef int (*XGBoostMatrixFunction)(
    const char *_Nonnull array, const char *_Nonnull configuration, XGBoostHandle _Nullable *_Nonnull matrix);
typedef int (*XGBoostPredictMatrixFunction)(
    XGBoostHandle _Nullable booster, XGBoostHandle _Nullable matrix, const char *_Nonnull configuration,
    const uint64_t *_Nullable *_Nonnull shape, uint64_t *_Nonnull rank, const float *_Nullable *_Nonnull result);
