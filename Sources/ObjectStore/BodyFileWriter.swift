// SPDX-License-Identifier: Apache-2.0
internal import Crypto
import DataFolders
import Dispatch
import Synchronization

/// Writes a long body to its file, with what is computed of its bytes; on a thread of the files, one call at a time.
///
/// While many bytes are written, another thread computes their MD5, which takes longer than all else together: it is
/// what limits how fast one body can come.
final class BodyFileWriter: Sendable {
    private struct Output {
        var file: BodyFile?
        var size: Int64 = 0
        /// Where the bytes begin that the disk was not told of.
        var pending: Int64 = 0
        var sha256: SHA256?
        var sums = BlockSums()
    }

    private let output = Mutex(Output())
    private let md5 = Mutex(Insecure.MD5())
    private let claim: FileClaim
    private let files: BodyFiles
    /// So many bytes are gathered before the disk is told of them.
    private static let writebackBytes: Int64 = 8 << 20
    /// Fewer bytes are not worth another thread.
    private static let parallelBytes = 128 << 10

    init(claim: FileClaim, files: BodyFiles, sha256: Bool) {
        self.claim = claim
        self.files = files
        if sha256 { output.withLock { $0.sha256 = SHA256() } }
    }

    func write(_ chunks: [ArraySlice<UInt8>]) throws(ObjectStoreError) {
        let hashed = DispatchSemaphore(value: 0)
        let isParallel =
            chunks.reduce(0) { $0 + $1.count } >= Self.parallelBytes
            && files.hashPool.submit {
                self.computeMD5(chunks)
                hashed.signal()
            }
        // Threads of the hashes wait for nothing, so this ends.
        defer { if isParallel { hashed.wait() } }
        try output.withLock { output throws(ObjectStoreError) in try append(chunks, to: &output) }
        if !isParallel { computeMD5(chunks) }
    }

    private func computeMD5(_ chunks: [ArraySlice<UInt8>]) {
        md5.withLock { md5 in
            for chunk in chunks { chunk.withUnsafeBytes { md5.update(bufferPointer: $0) } }
        }
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
            chunk.withUnsafeBytes { bytes in
                output.sha256?.update(bufferPointer: bytes)
                output.sums.append(bytes)
            }
            output.size += Int64(chunk.count)
        }
        if output.size - output.pending >= Self.writebackBytes {
            file.startWriteback(at: output.pending, count: output.size - output.pending)
            output.pending = output.size
        }
    }

    /// Writes the checksums and makes the file and its name durable.
    func finish() -> Result<StoredBody, ObjectStoreError> {
        let md5 = md5.withLock { Array($0.finalize()) }
        return output.withLock { output in
            do throws(ObjectStoreError) {
                guard let file = output.file else {
                    throw ObjectStoreError(.storage, "a body without bytes has no file")
                }
                try file.write(output.sums.trailer(id: claim.id, size: output.size)[...], at: output.size)
                try file.sync()
                let folder = files.folder(of: claim.id)
                try ObjectStoreError.telling { () throws(FileError) in try Folder.sync(folder) }
                output.file = nil
                let sha256 = output.sha256.map { Array($0.finalize()) }
                return .success(StoredBody(size: output.size, md5: md5, sha256: sha256, claim: claim))
            } catch {
                return .failure(error)
            }
        }
    }
}
