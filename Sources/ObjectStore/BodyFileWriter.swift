internal import Crypto
// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Dispatch
import Synchronization

/// Writes a long body to its file, with what is computed of its bytes; on a thread of the files, one call at a time.
///
/// While many bytes are written, another thread computes their hashes: each takes as long as the other.
final class BodyFileWriter: Sendable {
    private struct Output {
        var file: BodyFile?
        var size: Int64 = 0
        /// Where the bytes begin that the disk was not told of.
        var pending: Int64 = 0
    }

    private struct Hashes {
        var md5 = Insecure.MD5()
        var sha256: SHA256?
        var sums = BlockSums()

        mutating func update(_ chunks: [ArraySlice<UInt8>]) {
            for chunk in chunks {
                chunk.withUnsafeBytes { bytes in
                    md5.update(bufferPointer: bytes)
                    sha256?.update(bufferPointer: bytes)
                    sums.append(bytes)
                }
            }
        }
    }

    private let output = Mutex(Output())
    private let hashes: Mutex<Hashes>
    private let claim: FileClaim
    private let files: BodyFiles
    /// So many bytes are gathered before the disk is told of them.
    private static let writebackBytes: Int64 = 8 << 20
    /// Fewer bytes are not worth another thread.
    private static let parallelBytes = 256 << 10

    init(claim: FileClaim, files: BodyFiles, sha256: Bool) {
        self.claim = claim
        self.files = files
        var hashes = Hashes()
        if sha256 { hashes.sha256 = SHA256() }
        self.hashes = Mutex(hashes)
    }

    func write(_ chunks: [ArraySlice<UInt8>]) throws(ObjectStoreError) {
        let hashed = DispatchSemaphore(value: 0)
        let isParallel =
            chunks.reduce(0) { $0 + $1.count } >= Self.parallelBytes
            && files.hashPool.submit {
                self.hashes.withLock { $0.update(chunks) }
                hashed.signal()
            }
        // Threads of the hashes wait for nothing, so this ends.
        defer { if isParallel { hashed.wait() } }
        try output.withLock { output throws(ObjectStoreError) in try append(chunks, to: &output) }
        if !isParallel { hashes.withLock { $0.update(chunks) } }
    }

    private func append(_ chunks: [ArraySlice<UInt8>], to output: inout Output) throws(ObjectStoreError) {
        let file: BodyFile
        if let open = output.file {
            file = open
        } else {
            file = try BodyFile(creating: files.path(of: claim.id))
            output.file = file
        }
        for chunk in chunks {
            try file.write(chunk, at: output.size)
            output.size += Int64(chunk.count)
        }
        if output.size - output.pending >= Self.writebackBytes {
            file.startWriteback(at: output.pending, count: output.size - output.pending)
            output.pending = output.size
        }
    }

    /// Writes the checksums and makes the file and its name durable.
    func finish() -> Result<StoredBody, ObjectStoreError> {
        let (sums, md5, sha256) = hashes.withLock {
            ($0.sums, Array($0.md5.finalize()), $0.sha256.map { Array($0.finalize()) })
        }
        return output.withLock { output in
            do throws(ObjectStoreError) {
                guard let file = output.file else {
                    throw ObjectStoreError(.storage, "a body without bytes has no file")
                }
                try file.write(sums.trailer(id: claim.id, size: output.size)[...], at: output.size)
                try file.sync()
                let folder = files.folder(of: claim.id)
                try ObjectStoreError.telling { () throws(FileError) in try Folder.sync(folder) }
                output.file = nil
                return .success(StoredBody(size: output.size, md5: md5, sha256: sha256, claim: claim))
            } catch {
                return .failure(error)
            }
        }
    }
}
