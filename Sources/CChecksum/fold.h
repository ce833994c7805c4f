// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stddef.h>
#include <stdint.h>

// Reflected cyclic redundancy checks of up to 64 bits by carry-less multiplication: 64 bytes a step are folded into
// four registers, then into one, whose 16 bytes (and what is left of the input) a table finishes. A register's bit i
// stands for x^(127-i). A product of two reflected 64-bit polynomials is their product times x, hence constants of one
// power less: k[0] = x^(512+63), k[1] = x^(512-1), k[2] = x^(128+63), k[3] = x^(128-1), all modulo the polynomial.
#if defined(__x86_64__)

typedef long long apus_fold_v2di __attribute__((vector_size(16)));

__attribute__((target("sse4.2,pclmul"))) static inline apus_fold_v2di apus_fold_step(
    apus_fold_v2di value, apus_fold_v2di constants, apus_fold_v2di next) {
    return __builtin_ia32_pclmulqdq128(value, constants, 0x00) ^ __builtin_ia32_pclmulqdq128(value, constants, 0x11) ^
           next;
}

__attribute__((target("sse4.2,pclmul"))) static inline apus_fold_v2di apus_fold_load(const uint8_t *bytes) {
    apus_fold_v2di value;
    __builtin_memcpy(&value, bytes, 16);
    return value;
}

/// Folds the first `count - count % 16` of at least 64 bytes, begun with `state`, into 16 bytes.
__attribute__((target("sse4.2,pclmul"))) static inline void apus_fold(
    uint64_t state, const uint8_t *bytes, size_t count, const uint64_t *k, uint8_t *result) {
    const apus_fold_v2di by512 = {(long long)k[0], (long long)k[1]};
    const apus_fold_v2di by128 = {(long long)k[2], (long long)k[3]};
    const apus_fold_v2di begin = {(long long)state, 0};
    apus_fold_v2di a = apus_fold_load(bytes) ^ begin, b = apus_fold_load(bytes + 16), c = apus_fold_load(bytes + 32),
                   d = apus_fold_load(bytes + 48);
    bytes += 64;
    count -= 64;
    while (count >= 64) {
        a = apus_fold_step(a, by512, apus_fold_load(bytes));
        b = apus_fold_step(b, by512, apus_fold_load(bytes + 16));
        c = apus_fold_step(c, by512, apus_fold_load(bytes + 32));
        d = apus_fold_step(d, by512, apus_fold_load(bytes + 48));
        bytes += 64;
        count -= 64;
    }
    b = apus_fold_step(a, by128, b);
    c = apus_fold_step(b, by128, c);
    d = apus_fold_step(c, by128, d);
    while (count >= 16) {
        d = apus_fold_step(d, by128, apus_fold_load(bytes));
        bytes += 16;
        count -= 16;
    }
    __builtin_memcpy(result, &d, 16);
}

static inline int apus_fold_has_hardware(void) {
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}
#else
static inline void apus_fold(uint64_t state, const uint8_t *bytes, size_t count, const uint64_t *k, uint8_t *result) {}
static inline int apus_fold_has_hardware(void) { return 0; }
#endif
