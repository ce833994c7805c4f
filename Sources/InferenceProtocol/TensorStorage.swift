// SPDX-License-Identifier: Apache-2.0

/// Memory of a tensor, aligned to 64 bytes.
///
/// Sendable although it can be written: whoever makes it writes it before it is put into a tensor, and from then on it
/// is only read.
package final class TensorStorage: @unchecked Sendable {
    package let byteCount: Int
    private let base: UnsafeMutableRawPointer
    private let release: (@Sendable () -> Void)?

    /// Memory whose bytes mean nothing yet.
    package init(byteCount: Int) {
        self.byteCount = byteCount
        base = .allocate(byteCount: max(byteCount, 1), alignment: 64)
        release = nil
    }

    /// A copy.
    package convenience init(copying bytes: UnsafeRawBufferPointer) {
        self.init(byteCount: bytes.count)
        self.bytes.copyMemory(from: bytes)
    }

    /// Memory of somebody else, which is given back by `release`.
    package init(adopting base: UnsafeMutableRawPointer, byteCount: Int, release: @escaping @Sendable () -> Void) {
        self.byteCount = byteCount
        self.base = base
        self.release = release
    }

    deinit { if let release { release() } else { base.deallocate() } }

    package var bytes: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: base, count: byteCount) }
}
