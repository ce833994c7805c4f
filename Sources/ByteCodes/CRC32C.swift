// SPDX-License-Identifier: Apache-2.0
internal import CChecksum

/// CRC32C (Castagnoli; RFC 3720, appendix B.4), by the processor's instruction where it has one.
package enum CRC32C {
    private static let hasHardware = apus_crc32c_has_hardware() != 0
    private static let table = [UInt32](unsafeUninitializedCapacity: 256) { buffer, count in
        if let base = buffer.baseAddress { apus_crc32c_fill_table(base) }
        count = 256
    }

    /// The checksum of `bytes`, continuing from the checksum of what lies before them.
    package static func checksum(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt32 = 0) -> UInt32 {
        guard hasHardware else { return checksumByTable(bytes, continuing: crc) }
        guard let base = bytes.baseAddress else { return crc }
        return apus_crc32c_hardware(crc, base.assumingMemoryBound(to: UInt8.self), bytes.count)
    }

    /// The same, by a table and not the instruction.
    package static func checksumByTable(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt32 = 0) -> UInt32 {
        guard let base = bytes.baseAddress else { return crc }
        return table.withUnsafeBufferPointer { table in
            apus_crc32c_by_table(crc, base.assumingMemoryBound(to: UInt8.self), bytes.count, table.baseAddress)
        }
    }
}
