// SPDX-License-Identifier: Apache-2.0

/// A hash that is the same in every process, unlike `Hashable`'s.
enum StableHash {
    /// FNV-1a over the text's bytes.
    static func of(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
