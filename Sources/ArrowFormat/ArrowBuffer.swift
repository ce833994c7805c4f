// SPDX-License-Identifier: Apache-2.0

/// Memory of our own for buffers: written while it is made, never after.
final class BufferStorage {
    let bytes: UnsafeMutableRawBufferPointer

    /// 64-byte aligned, as the columnar format recommends, and zero.
    init(count: Int) {
        bytes = .allocate(byteCount: max(count, 1), alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { bytes.deallocate() }
}

/// Bytes that something keeps alive: a C array, a message of the IPC format, or memory of our own.
///
/// Sendable although it holds a pointer: what it points to is not written after the buffer is made (the C data
/// interface and the columnar format both say that arrays are immutable), and its owner frees it once, when the last
/// reference is let go.
package struct ArrowBuffer: @unchecked Sendable {
    package let bytes: UnsafeRawBufferPointer
    /// Kept for its lifetime only.
    let owner: AnyObject?

    init(_ bytes: UnsafeRawBufferPointer, owner: AnyObject?) {
        self.bytes = bytes
        self.owner = owner
    }

    static let empty = ArrowBuffer(UnsafeRawBufferPointer(start: nil, count: 0), owner: nil)

    /// A copy of bytes.
    init(copying source: some Collection<UInt8>) {
        let storage = BufferStorage(count: source.count)
        storage.bytes.copyBytes(from: source)
        self.init(UnsafeRawBufferPointer(rebasing: storage.bytes[..<source.count]), owner: storage)
    }

    /// Memory of a size, filled by the closure.
    init(count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        let storage = BufferStorage(count: count)
        let slice = UnsafeMutableRawBufferPointer(rebasing: storage.bytes[..<count])
        fill(slice)
        self.init(UnsafeRawBufferPointer(slice), owner: storage)
    }

    var count: Int { bytes.count }

    /// The value at a place, counted in values; the caller has checked `index`, and the pointer's check stays.
    @inline(__always)
    func load<Value>(_ index: Int, as type: Value.Type) -> Value {
        bytes.loadUnaligned(fromByteOffset: index &* MemoryLayout<Value>.size, as: type)
    }

    @inline(__always)
    func bit(_ index: Int) -> Bool { bytes[index >> 3] & (1 << UInt8(index & 7)) != 0 }

    /// A part of it, with the same owner.
    func slice(_ start: Int, _ count: Int) -> ArrowBuffer {
        ArrowBuffer(UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]), owner: owner)
    }
}
