// SPDX-License-Identifier: Apache-2.0
import EventLog
import NIOCore
import NIOPosix

/// A slice of a log as bytes to send.
struct SliceBytes: FileBytes {
    let slice: LogSlice

    var byteCount: Int { slice.byteCount }

    func read(at offset: Int, count: Int) throws -> [UInt8] {
        var part = slice
        part.position += Int64(offset)
        part.byteCount = count
        return try part.bytes()
    }

    func open() throws -> (handle: NIOFileHandle, position: Int) {
        guard let file = slice.file else { throw ReadError(.storage, "the slice has no file") }
        let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: try file.duplicate())
        return (handle, Int(slice.position))
    }
}
