// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stddef.h>
#include <stdint.h>

// CRC32C (Castagnoli; RFC 3720, appendix B.4), by the processor's instruction where it has one. Debian 12 packages no
// library for it.
#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static inline uint32_t apus_crc32c_hardware(
    uint32_t crc, const uint8_t *bytes, size_t count) {
    uint64_t state = ~crc;
    while (count >= 8) {
        uint64_t word;
        __builtin_memcpy(&word, bytes, 8);
        state = __builtin_ia32_crc32di(state, word);
        bytes += 8;
        count -= 8;
    }
    uint32_t rest = (uint32_t)state;
    while (count-- > 0) rest = __builtin_ia32_crc32qi(rest, *bytes++);
    return ~rest;
}

static inline int apus_crc32c_has_hardware(void) { return __builtin_cpu_supports("sse4.2"); }
#else
static inline uint32_t apus_crc32c_hardware(uint32_t crc, const uint8_t *bytes, size_t count) { return crc; }
static inline int apus_crc32c_has_hardware(void) { return 0; }
#endif

/// By a table of 256 entries, for processors without the instruction. `table` is what apus_crc32c_fill_table made.
static inline uint32_t apus_crc32c_by_table(uint32_t crc, const uint8_t *bytes, size_t count, const uint32_t *table) {
    uint32_t state = ~crc;
    while (count-- > 0) state = table[(state ^ *bytes++) & 0xFF] ^ (state >> 8);
    return ~state;
}

/// Writes the 256 entries that apus_crc32c_by_table reads.
static inline void apus_crc32c_fill_table(uint32_t *table) {
    for (uint32_t index = 0; index < 256; index++) {
        uint32_t state = index;
        for (int bit = 0; bit < 8; bit++) state = (state >> 1) ^ (0x82F63B78u & (0u - (state & 1)));
        table[index] = state;
    }
}
