// SPDX-License-Identifier: Apache-2.0

/// How the records of a batch are compressed. The raw value is the one in the batch's attributes.
package enum CompressionCodec: UInt8, Sendable, CaseIterable {
    /// Not compressed.
    case none = 0
    /// gzip members (RFC 1952).
    case gzip = 1
    /// Snappy, as one raw block or in the framing of the Java library (xerial).
    case snappy = 2
    /// LZ4 frames.
    case lz4 = 3
    /// Zstandard frames (RFC 8878).
    case zstd = 4
}
