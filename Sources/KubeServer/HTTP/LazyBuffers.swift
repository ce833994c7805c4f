// SPDX-License-Identifier: Apache-2.0
@_spi(CustomByteBufferAllocator) import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Buffers of connections whose pages take memory only once they are used.
///
/// TLS keeps 48 KiB of buffers for as long as a connection lives (32 KiB for reading, 16 KiB for writing), of which a
/// watcher that hears little uses a page or two. Memory from `malloc` that was used before has all its pages; here
/// they are given back to the kernel, which makes fresh ones at their first use.
enum LazyBuffers {
    /// The sizes of TLS' own buffers, in bytes; others are left alone.
    private static let sizes = 16_384...32_768
    private static let page = 4096

    static let allocator = ByteBufferAllocator(
        allocate: { size in
            guard let memory = malloc(size) else { return nil }
            if LazyBuffers.sizes.contains(size) { LazyBuffers.giveBack(memory, size) }
            return memory
        },
        reallocate: { memory, _, size in realloc(memory, size) },
        deallocate: { free($0) },
        copy: { $0.copyMemory(from: $1, byteCount: $2) })

    /// Drops the pages that lie wholly in fresh memory; its bytes mean nothing yet.
    private static func giveBack(_ memory: UnsafeMutableRawPointer, _ size: Int) {
        let start = (Int(bitPattern: memory) + page - 1) / page * page
        let end = (Int(bitPattern: memory) + size) / page * page
        guard end > start, let address = UnsafeMutableRawPointer(bitPattern: start) else { return }
        madvise(address, end - start, CInt(MADV_DONTNEED))
    }
}
