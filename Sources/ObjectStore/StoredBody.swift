// SPDX-License-Identifier: Apache-2.0
internal import Crypto
import Synchronization

/// A body that was written as a whole, and can be given to one object or part. Let go of before, its file is removed.
package final class StoredBody: Sendable {
    /// Bytes.
    package let size: Int64
    /// 16 bytes.
    package let md5: [UInt8]
    /// 32 bytes, where it was asked for.
    package let sha256: [UInt8]?
    /// The MD5 in hexadecimal.
    package var etag: String { Hex.encode(md5) }

    /// The bytes, where they are to be kept in a row.
    let inline: [UInt8]
    /// Their CRC32C.
    let crc: UInt32
    /// The file, where they are in one.
    let claim: FileClaim?
    private let isTaken = Atomic<Bool>(false)

    /// Whether it can be given to a row, which nobody else can then.
    func take() -> Bool { !isTaken.exchange(true, ordering: .acquiringAndReleasing) }

    /// Bytes that a body can have: what files can.
    static let sizes: ClosedRange<Int64> = 0...(1 << 50)

    /// No row has it.
    func giveBack() { isTaken.store(false, ordering: .releasing) }

    /// Nobody knows whether a row has it: what a disk that failed has taken of a commit shows at the next start.
    func leave() { claim?.leave() }

    /// A short body.
    init(_ bytes: [UInt8], sha256 computesSHA256: Bool) {
        size = Int64(bytes.count)
        inline = bytes
        claim = nil
        (md5, sha256, crc) = bytes.withUnsafeBytes { buffer in
            var md5 = Insecure.MD5()
            md5.update(bufferPointer: buffer)
            var sha256: [UInt8]?
            if computesSHA256 {
                var hash = SHA256()
                hash.update(bufferPointer: buffer)
                sha256 = Array(hash.finalize())
            }
            return (Array(md5.finalize()), sha256, CRC32C.checksum(buffer))
        }
    }

    /// A long one.
    init(size: Int64, md5: [UInt8], sha256: [UInt8]?, claim: FileClaim) {
        self.size = size
        self.md5 = md5
        self.sha256 = sha256
        self.claim = claim
        inline = []
        crc = 0
    }
}

/// Writes a long body to its file, with what is computed of its bytes; on a thread of the files.
final class BodyFileWriter: Sendable {
    private struct State {
        var file: BodyFile?
        var size: Int64 = 0
        var started: Int64 = 0
        var md5 = Insecure.MD5()
        var sha256: SHA256?
        var sums = BlockSums()
    }

    private let state: Mutex<State>
    private let claim: FileClaim
    private let files: BodyFiles
    /// So many bytes are gathered before the disk is told of them.
    private static let writebackBytes: Int64 = 8 << 20

    init(claim: FileClaim, files: BodyFiles, sha256: Bool) {
        self.claim = claim
        self.files = files
        var state = State()
        if sha256 { state.sha256 = SHA256() }
        self.state = Mutex(state)
    }

    func write(_ chunks: [ArraySlice<UInt8>]) throws(ObjectStoreError) {
        try state.withLock { state throws(ObjectStoreError) in
            let file: BodyFile
            if let open = state.file {
                file = open
            } else {
                file = try BodyFile(creating: files.path(of: claim.id))
                state.file = file
            }
            for chunk in chunks {
                let result: Result<Void, ObjectStoreError> = chunk.withUnsafeBytes { bytes in
                    do throws(ObjectStoreError) {
                        try file.write(bytes, at: state.size)
                        state.size += Int64(bytes.count)
                        state.md5.update(bufferPointer: bytes)
                        state.sha256?.update(bufferPointer: bytes)
                        state.sums.append(bytes)
                        return .success(())
                    } catch {
                        return .failure(error)
                    }
                }
                try result.get()
            }
            if state.size - state.started >= Self.writebackBytes {
                file.startWriteback(at: state.started, count: state.size - state.started)
                state.started = state.size
            }
        }
    }

    /// Writes the checksums and makes the file and its name durable.
    func finish() -> Result<StoredBody, ObjectStoreError> {
        state.withLock { state in
            guard let file = state.file else {
                return .failure(ObjectStoreError(.storage, "a body without bytes has no file"))
            }
            do throws(ObjectStoreError) {
                let trailer = state.sums.trailer(id: claim.id, size: state.size)
                let result: Result<Void, ObjectStoreError> = trailer.withUnsafeBytes { bytes in
                    do throws(ObjectStoreError) {
                        try file.write(bytes, at: state.size)
                        return .success(())
                    } catch {
                        return .failure(error)
                    }
                }
                try result.get()
                try file.sync()
                try Folder.sync(files.folder(of: claim.id))
                state.file = nil
                return .success(
                    StoredBody(
                        size: state.size, md5: Array(state.md5.finalize()),
                        sha256: state.sha256.map { Array($0.finalize()) }, claim: claim))
            } catch {
                return .failure(error)
            }
        }
    }
}
