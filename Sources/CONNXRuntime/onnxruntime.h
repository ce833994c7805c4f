// SPDX-License-Identifier: Apache-2.0
// Made by scripts/generate-onnxruntime-header: the slots of ONNX Runtime's table of functions that Apus uses (C API 21),
// as declarations of our own. The table only ever grows, so numbers stay (onnxruntime.ai, "C API").
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef void *_Nullable OrtPointer;  // any of its objects; a status that is null is success
struct OrtApi { void *slots[286]; };
struct OrtApiBase { const struct OrtApi *_Nullable (*_Nonnull GetApi)(uint32_t version); const char *_Nullable (*_Nonnull GetVersionString)(void); };

static inline int OrtGetErrorCode(const struct OrtApi *_Nonnull api, OrtPointer status) {
    return ((int (*)(OrtPointer))api->slots[1])(status);
}

static inline const char *_Nullable OrtGetErrorMessage(const struct OrtApi *_Nonnull api, OrtPointer status) {
    return ((const char *_Nullable (*)(OrtPointer))api->slots[2])(status);
}

static inline OrtPointer OrtCreateEnv(const struct OrtApi *_Nonnull api, int level, const char *_Nullable id, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(int, const char *_Nullable, OrtPointer *_Nullable))api->slots[3])(level, id, out);
}

static inline OrtPointer OrtDisableTelemetryEvents(const struct OrtApi *_Nonnull api, OrtPointer env) {
    return ((OrtPointer (*)(OrtPointer))api->slots[6])(env);
}

static inline OrtPointer OrtCreateSession(const struct OrtApi *_Nonnull api, OrtPointer env, const char *_Nullable path, OrtPointer options, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, const char *_Nullable, OrtPointer, OrtPointer *_Nullable))api->slots[7])(env, path, options, out);
}

static inline OrtPointer OrtCreateSessionFromArray(const struct OrtApi *_Nonnull api, OrtPointer env, const void *_Nullable bytes, size_t count, OrtPointer options, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, const void *_Nullable, size_t, OrtPointer, OrtPointer *_Nullable))api->slots[8])(env, bytes, count, options, out);
}

static inline OrtPointer OrtRun(const struct OrtApi *_Nonnull api, OrtPointer session, OrtPointer runOptions, const char *_Nullable const *_Nullable inputNames, const OrtPointer *_Nullable inputs, size_t inputCount, const char *_Nullable const *_Nullable outputNames, size_t outputCount, OrtPointer *_Nullable outputs) {
    return ((OrtPointer (*)(OrtPointer, OrtPointer, const char *_Nullable const *_Nullable, const OrtPointer *_Nullable, size_t, const char *_Nullable const *_Nullable, size_t, OrtPointer *_Nullable))api->slots[9])(session, runOptions, inputNames, inputs, inputCount, outputNames, outputCount, outputs);
}

static inline OrtPointer OrtCreateSessionOptions(const struct OrtApi *_Nonnull api, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer *_Nullable))api->slots[10])(out);
}

static inline OrtPointer OrtDisableMemPattern(const struct OrtApi *_Nonnull api, OrtPointer options) {
    return ((OrtPointer (*)(OrtPointer))api->slots[17])(options);
}

static inline OrtPointer OrtDisableCpuMemArena(const struct OrtApi *_Nonnull api, OrtPointer options) {
    return ((OrtPointer (*)(OrtPointer))api->slots[19])(options);
}

static inline OrtPointer OrtSetSessionGraphOptimizationLevel(const struct OrtApi *_Nonnull api, OrtPointer options, int level) {
    return ((OrtPointer (*)(OrtPointer, int))api->slots[23])(options, level);
}

static inline OrtPointer OrtSetIntraOpNumThreads(const struct OrtApi *_Nonnull api, OrtPointer options, int threads) {
    return ((OrtPointer (*)(OrtPointer, int))api->slots[24])(options, threads);
}

static inline OrtPointer OrtSetInterOpNumThreads(const struct OrtApi *_Nonnull api, OrtPointer options, int threads) {
    return ((OrtPointer (*)(OrtPointer, int))api->slots[25])(options, threads);
}

static inline OrtPointer OrtSessionGetInputCount(const struct OrtApi *_Nonnull api, OrtPointer session, size_t *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, size_t *_Nullable))api->slots[30])(session, out);
}

static inline OrtPointer OrtSessionGetOutputCount(const struct OrtApi *_Nonnull api, OrtPointer session, size_t *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, size_t *_Nullable))api->slots[31])(session, out);
}

static inline OrtPointer OrtSessionGetInputTypeInfo(const struct OrtApi *_Nonnull api, OrtPointer session, size_t index, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, size_t, OrtPointer *_Nullable))api->slots[33])(session, index, out);
}

static inline OrtPointer OrtSessionGetOutputTypeInfo(const struct OrtApi *_Nonnull api, OrtPointer session, size_t index, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, size_t, OrtPointer *_Nullable))api->slots[34])(session, index, out);
}

static inline OrtPointer OrtSessionGetInputName(const struct OrtApi *_Nonnull api, OrtPointer session, size_t index, OrtPointer allocator, char *_Nullable *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, size_t, OrtPointer, char *_Nullable *_Nullable))api->slots[36])(session, index, allocator, out);
}

static inline OrtPointer OrtSessionGetOutputName(const struct OrtApi *_Nonnull api, OrtPointer session, size_t index, OrtPointer allocator, char *_Nullable *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, size_t, OrtPointer, char *_Nullable *_Nullable))api->slots[37])(session, index, allocator, out);
}

static inline OrtPointer OrtCreateRunOptions(const struct OrtApi *_Nonnull api, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer *_Nullable))api->slots[39])(out);
}

static inline OrtPointer OrtRunOptionsSetTerminate(const struct OrtApi *_Nonnull api, OrtPointer options) {
    return ((OrtPointer (*)(OrtPointer))api->slots[46])(options);
}

static inline OrtPointer OrtRunOptionsUnsetTerminate(const struct OrtApi *_Nonnull api, OrtPointer options) {
    return ((OrtPointer (*)(OrtPointer))api->slots[47])(options);
}

static inline OrtPointer OrtCreateTensorAsOrtValue(const struct OrtApi *_Nonnull api, OrtPointer allocator, const int64_t *_Nullable shape, size_t rank, int element, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, const int64_t *_Nullable, size_t, int, OrtPointer *_Nullable))api->slots[48])(allocator, shape, rank, element, out);
}

static inline OrtPointer OrtCreateTensorWithDataAsOrtValue(const struct OrtApi *_Nonnull api, OrtPointer memory, void *_Nullable bytes, size_t byteCount, const int64_t *_Nullable shape, size_t rank, int element, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, void *_Nullable, size_t, const int64_t *_Nullable, size_t, int, OrtPointer *_Nullable))api->slots[49])(memory, bytes, byteCount, shape, rank, element, out);
}

static inline OrtPointer OrtGetTensorMutableData(const struct OrtApi *_Nonnull api, OrtPointer value, void *_Nullable *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, void *_Nullable *_Nullable))api->slots[51])(value, out);
}

static inline OrtPointer OrtFillStringTensor(const struct OrtApi *_Nonnull api, OrtPointer value, const char *_Nullable const *_Nullable texts, size_t count) {
    return ((OrtPointer (*)(OrtPointer, const char *_Nullable const *_Nullable, size_t))api->slots[52])(value, texts, count);
}

static inline OrtPointer OrtGetStringTensorDataLength(const struct OrtApi *_Nonnull api, OrtPointer value, size_t *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, size_t *_Nullable))api->slots[53])(value, out);
}

static inline OrtPointer OrtGetStringTensorContent(const struct OrtApi *_Nonnull api, OrtPointer value, void *_Nullable bytes, size_t byteCount, size_t *_Nullable offsets, size_t count) {
    return ((OrtPointer (*)(OrtPointer, void *_Nullable, size_t, size_t *_Nullable, size_t))api->slots[54])(value, bytes, byteCount, offsets, count);
}

static inline OrtPointer OrtCastTypeInfoToTensorInfo(const struct OrtApi *_Nonnull api, OrtPointer type, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, OrtPointer *_Nullable))api->slots[55])(type, out);
}

static inline OrtPointer OrtGetOnnxTypeFromTypeInfo(const struct OrtApi *_Nonnull api, OrtPointer type, int *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, int *_Nullable))api->slots[56])(type, out);
}

static inline OrtPointer OrtGetTensorElementType(const struct OrtApi *_Nonnull api, OrtPointer info, int *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, int *_Nullable))api->slots[60])(info, out);
}

static inline OrtPointer OrtGetDimensionsCount(const struct OrtApi *_Nonnull api, OrtPointer info, size_t *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, size_t *_Nullable))api->slots[61])(info, out);
}

static inline OrtPointer OrtGetDimensions(const struct OrtApi *_Nonnull api, OrtPointer info, int64_t *_Nullable out, size_t count) {
    return ((OrtPointer (*)(OrtPointer, int64_t *_Nullable, size_t))api->slots[62])(info, out, count);
}

static inline OrtPointer OrtGetSymbolicDimensions(const struct OrtApi *_Nonnull api, OrtPointer info, const char *_Nullable *_Nullable out, size_t count) {
    return ((OrtPointer (*)(OrtPointer, const char *_Nullable *_Nullable, size_t))api->slots[63])(info, out, count);
}

static inline OrtPointer OrtGetTensorShapeElementCount(const struct OrtApi *_Nonnull api, OrtPointer info, size_t *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, size_t *_Nullable))api->slots[64])(info, out);
}

static inline OrtPointer OrtGetTensorTypeAndShape(const struct OrtApi *_Nonnull api, OrtPointer value, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, OrtPointer *_Nullable))api->slots[65])(value, out);
}

static inline OrtPointer OrtGetValueType(const struct OrtApi *_Nonnull api, OrtPointer value, int *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, int *_Nullable))api->slots[67])(value, out);
}

static inline OrtPointer OrtCreateCpuMemoryInfo(const struct OrtApi *_Nonnull api, int allocator, int memory, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(int, int, OrtPointer *_Nullable))api->slots[69])(allocator, memory, out);
}

static inline OrtPointer OrtAllocatorFree(const struct OrtApi *_Nonnull api, OrtPointer allocator, void *_Nullable bytes) {
    return ((OrtPointer (*)(OrtPointer, void *_Nullable))api->slots[76])(allocator, bytes);
}

static inline OrtPointer OrtGetAllocatorWithDefaultOptions(const struct OrtApi *_Nonnull api, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer *_Nullable))api->slots[78])(out);
}

static inline OrtPointer OrtGetValue(const struct OrtApi *_Nonnull api, OrtPointer value, int index, OrtPointer allocator, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, int, OrtPointer, OrtPointer *_Nullable))api->slots[80])(value, index, allocator, out);
}

static inline OrtPointer OrtGetValueCount(const struct OrtApi *_Nonnull api, OrtPointer value, size_t *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, size_t *_Nullable))api->slots[81])(value, out);
}

static inline void OrtReleaseEnv(const struct OrtApi *_Nonnull api, OrtPointer object) {
    ((void (*)(OrtPointer))api->slots[92])(object);
}

static inline void OrtReleaseStatus(const struct OrtApi *_Nonnull api, OrtPointer object) {
    ((void (*)(OrtPointer))api->slots[93])(object);
}

static inline void OrtReleaseMemoryInfo(const struct OrtApi *_Nonnull api, OrtPointer object) {
    ((void (*)(OrtPointer))api->slots[94])(object);
}

static inline void OrtReleaseSession(const struct OrtApi *_Nonnull api, OrtPointer object) {
    ((void (*)(OrtPointer))api->slots[95])(object);
}

static inline void OrtReleaseValue(const struct OrtApi *_Nonnull api, OrtPointer object) {
    ((void (*)(OrtPointer))api->slots[96])(object);
}

static inline void OrtReleaseRunOptions(const struct OrtApi *_Nonnull api, OrtPointer object) {
    ((void (*)(OrtPointer))api->slots[97])(object);
}

static inline void OrtReleaseTypeInfo(const struct OrtApi *_Nonnull api, OrtPointer object) {
    ((void (*)(OrtPointer))api->slots[98])(object);
}

static inline void OrtReleaseTensorTypeAndShapeInfo(const struct OrtApi *_Nonnull api, OrtPointer object) {
    ((void (*)(OrtPointer))api->slots[99])(object);
}

static inline void OrtReleaseSessionOptions(const struct OrtApi *_Nonnull api, OrtPointer object) {
    ((void (*)(OrtPointer))api->slots[100])(object);
}

static inline OrtPointer OrtCastTypeInfoToMapTypeInfo(const struct OrtApi *_Nonnull api, OrtPointer type, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, OrtPointer *_Nullable))api->slots[103])(type, out);
}

static inline OrtPointer OrtCastTypeInfoToSequenceTypeInfo(const struct OrtApi *_Nonnull api, OrtPointer type, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, OrtPointer *_Nullable))api->slots[104])(type, out);
}

static inline OrtPointer OrtGetMapKeyType(const struct OrtApi *_Nonnull api, OrtPointer map, int *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, int *_Nullable))api->slots[105])(map, out);
}

static inline OrtPointer OrtGetMapValueType(const struct OrtApi *_Nonnull api, OrtPointer map, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, OrtPointer *_Nullable))api->slots[106])(map, out);
}

static inline OrtPointer OrtGetSequenceElementType(const struct OrtApi *_Nonnull api, OrtPointer sequence, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, OrtPointer *_Nullable))api->slots[107])(sequence, out);
}

static inline OrtPointer OrtSessionGetModelMetadata(const struct OrtApi *_Nonnull api, OrtPointer session, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, OrtPointer *_Nullable))api->slots[111])(session, out);
}

static inline OrtPointer OrtModelMetadataLookupCustomMetadataMap(const struct OrtApi *_Nonnull api, OrtPointer metadata, OrtPointer allocator, const char *_Nullable key, char *_Nullable *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, OrtPointer, const char *_Nullable, char *_Nullable *_Nullable))api->slots[116])(metadata, allocator, key, out);
}

static inline void OrtReleaseModelMetadata(const struct OrtApi *_Nonnull api, OrtPointer object) {
    ((void (*)(OrtPointer))api->slots[118])(object);
}

static inline OrtPointer OrtAddSessionConfigEntry(const struct OrtApi *_Nonnull api, OrtPointer options, const char *_Nullable key, const char *_Nullable value) {
    return ((OrtPointer (*)(OrtPointer, const char *_Nullable, const char *_Nullable))api->slots[130])(options, key, value);
}

static inline OrtPointer OrtRunWithBinding(const struct OrtApi *_Nonnull api, OrtPointer session, OrtPointer runOptions, OrtPointer binding) {
    return ((OrtPointer (*)(OrtPointer, OrtPointer, OrtPointer))api->slots[133])(session, runOptions, binding);
}

static inline OrtPointer OrtCreateIoBinding(const struct OrtApi *_Nonnull api, OrtPointer session, OrtPointer *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, OrtPointer *_Nullable))api->slots[134])(session, out);
}

static inline void OrtReleaseIoBinding(const struct OrtApi *_Nonnull api, OrtPointer object) {
    ((void (*)(OrtPointer))api->slots[135])(object);
}

static inline OrtPointer OrtBindInput(const struct OrtApi *_Nonnull api, OrtPointer binding, const char *_Nullable name, OrtPointer value) {
    return ((OrtPointer (*)(OrtPointer, const char *_Nullable, OrtPointer))api->slots[136])(binding, name, value);
}

static inline OrtPointer OrtBindOutput(const struct OrtApi *_Nonnull api, OrtPointer binding, const char *_Nullable name, OrtPointer value) {
    return ((OrtPointer (*)(OrtPointer, const char *_Nullable, OrtPointer))api->slots[137])(binding, name, value);
}

static inline OrtPointer OrtAddRunConfigEntry(const struct OrtApi *_Nonnull api, OrtPointer options, const char *_Nullable key, const char *_Nullable value) {
    return ((OrtPointer (*)(OrtPointer, const char *_Nullable, const char *_Nullable))api->slots[165])(options, key, value);
}

static inline OrtPointer OrtGetResizedStringTensorElementBuffer(const struct OrtApi *_Nonnull api, OrtPointer value, size_t index, size_t byteCount, char *_Nullable *_Nullable out) {
    return ((OrtPointer (*)(OrtPointer, size_t, size_t, char *_Nullable *_Nullable))api->slots[252])(value, index, byteCount, out);
}
