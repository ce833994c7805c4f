// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import DataFolders
import Synchronization

/// A piece of a body, for a reader.
struct ReaderPiece: Sendable {
    enum Source: Sendable {
        /// Checked already.
        case memory([UInt8])
        case file(Int64)
    }

    /// Where it begins in the object.
    var offset: Int64
    var size: Int64
    var source: Source
    var end: Int64 { offset + size }
}

/// Reads the bytes of a version; each block of 1 MiB is checked before any of its bytes is given out.
///
/// By one task at a time. The files stay there while this is held, though the object is deleted or replaced.
package final class ObjectReader: Sendable {
    private struct State {
        /// The file that was read last, and its checksums.
        var piece = -1
        var file: BodyFile?
        var sums = BlockSums()
        /// The block of it that was read last.
        var block: Int64 = -1
        var bytes: [UInt8] = []
        /// The block that is read ahead, once a thread gets to it; -1 for none.
        var ahead: Int64 = -1
    }

    /// Bytes of the object.
    package let size: Int64
    private let pieces: [ReaderPiece]
    private let files: BodyFiles?
    private let pinned: [Int64]
    private let name: String
    private let state: Mutex<State>

    /// A reader of bytes that are there.
    init(_ bytes: [UInt8]) {
        size = Int64(bytes.count)
        pieces = [ReaderPiece(offset: 0, size: size, source: .memory(bytes))]
        files = nil
        pinned = []
        name = ""
        state = Mutex(State())
    }

    /// A reader of files; it takes over the pins of those in `pinned`.
    ///
    /// - Parameters:
    ///   - pieces: what the object is made of.
    ///   - files: the files.
    ///   - pinned: those that are pinned.
    ///   - first: the open file of the only piece.
    ///   - name: the object, for messages.
    init(_ pieces: [ReaderPiece], files: BodyFiles, pinned: [Int64], first: (BodyFile, BlockSums)?, name: String) {
        self.pieces = pieces
        self.files = files
        self.pinned = pinned
        self.name = name
        size = pieces.last?.end ?? 0
        var state = State()
        if let first {
            state.piece = 0
            state.file = first.0
            state.sums = first.1
        }
        self.state = Mutex(state)
    }

    deinit { if !pinned.isEmpty { files?.unpin(pinned) } }

    /// The first bytes of a range: at least one unless the range is empty, at most `maximum`.
    ///
    /// Throws `corrupt` when the bytes are not those that were written, `storage` when the disk fails.
    package func read(_ range: Range<Int64>, maximum: Int = 1 << 20) async throws(ObjectStoreError) -> [UInt8] {
        let range = range.clamped(to: 0..<size)
        guard !range.isEmpty, maximum > 0, let index = piece(at: range.lowerBound) else { return [] }
        let piece = pieces[index]
        let from = range.lowerBound - piece.offset
        let to = min(range.upperBound, piece.end, range.lowerBound + Int64(min(maximum, 1 << 30))) - piece.offset
        switch piece.source {
        case .memory(let bytes):
            return from == 0 && to == Int64(bytes.count) ? bytes : Array(bytes[Int(from)..<Int(to)])
        case .file(let id):
            guard let files else { throw ObjectStore.closed }
            let answer: Result<[UInt8], ObjectStoreError>?
            if let bytes = state.withLockIfAvailable({ Self.cached(&$0, index, from, to) }) ?? nil {
                answer = .success(bytes)
            } else {
                answer = await files.readPool.runIfOpen { self.readFile(index, id, from, to, files) }
            }
            guard let answer else { throw ObjectStore.closed }
            let bytes = try answer.get()
            let next = from + Int64(bytes.count)
            if next % Int64(BodyFile.blockBytes) == 0, next < min(range.upperBound, piece.end) - piece.offset {
                readAhead(index, id, next / Int64(BodyFile.blockBytes), files)
            }
            return bytes
        }
    }

    /// Reads the next block of a file while the caller is at the one before it. Whoever asks for it meanwhile waits for
    /// the lock; what goes wrong is said to who asks, for then it goes wrong again.
    private func readAhead(_ index: Int, _ id: Int64, _ block: Int64, _ files: BodyFiles) {
        guard state.withLockIfAvailable({ $0.ahead = block }) != nil else { return }
        files.readPool.submit {
            self.state.withLock { state in
                guard state.ahead == block, state.piece == index else { return }
                do throws(ObjectStoreError) { try self.load(block, of: index, id, &state, files) } catch {}
            }
        }
    }

    private func piece(at position: Int64) -> Int? {
        var low = 0
        var high = pieces.count
        while low < high {
            let middle = (low + high) / 2
            if pieces[middle].end <= position { low = middle + 1 } else { high = middle }
        }
        return low < pieces.count ? low : nil
    }

    /// Bytes of the block that was read last, up to its end. Given out as a whole, it is not kept.
    private static func cached(_ state: inout State, _ piece: Int, _ from: Int64, _ to: Int64) -> [UInt8]? {
        let block = from / Int64(BodyFile.blockBytes)
        guard state.piece == piece, state.block == block else { return nil }
        let start = Int(from - block * Int64(BodyFile.blockBytes))
        let end = min(start + Int(min(to - from, Int64(BodyFile.blockBytes))), state.bytes.count)
        guard start < end else { return nil }
        guard end == state.bytes.count else { return Array(state.bytes[start..<end]) }
        defer {
            state.block = -1
            state.bytes = []
        }
        return start == 0 ? state.bytes : Array(state.bytes[start..<end])
    }

    private func readFile(
        _ index: Int, _ id: Int64, _ from: Int64, _ to: Int64, _ files: BodyFiles
    ) -> Result<[UInt8], ObjectStoreError> {
        state.withLock { state in
            do throws(ObjectStoreError) {
                // It may have been read ahead since.
                if let bytes = Self.cached(&state, index, from, to) { return .success(bytes) }
                try load(from / Int64(BodyFile.blockBytes), of: index, id, &state, files)
                guard let answer = Self.cached(&state, index, from, to) else {
                    throw Self.damage(name, "its bytes from \(from) on in \(state.file?.path ?? name)")
                }
                return .success(answer)
            } catch {
                return .failure(error)
            }
        }
    }

    /// Reads a block and checks it.
    private func load(
        _ block: Int64, of index: Int, _ id: Int64, _ state: inout State, _ files: BodyFiles
    ) throws(ObjectStoreError) {
        let size = pieces[index].size
        state.ahead = -1
        if state.piece != index || state.file == nil {
            let (file, sums) = try Self.open(id, size: size, files: files, name: name)
            state = State(piece: index, file: file, sums: sums)
        }
        guard let file = state.file else { throw ObjectStore.closed }
        let start = block * Int64(BodyFile.blockBytes)
        let count = Int(min(Int64(BodyFile.blockBytes), size - start))
        let bytes = try file.read(at: start, count: count)
        let sum = bytes.withUnsafeBytes { CRC32C.checksum($0) }
        guard bytes.count == count, Int(block) < state.sums.sums.count, state.sums.sums[Int(block)] == sum else {
            throw Self.damage(name, "its bytes from \(pieces[index].offset + start) on in \(file.path)")
        }
        state.block = block
        state.bytes = bytes
    }

    static func damage(_ name: String, _ what: String) -> ObjectStoreError {
        ObjectStoreError(
            .corrupt, "\(name) is damaged: \(what) are not what was written; restore it from a copy or delete it")
    }

    static func missing(_ name: String, _ path: String) -> ObjectStoreError {
        ObjectStoreError(.corrupt, "\(name) is damaged: the file \(path) is missing; restore it from a backup")
    }

    /// Opens a file and checks its checksums' own; throws `corrupt` when it is not there.
    static func open(
        _ id: Int64, size: Int64, files: BodyFiles, name: String
    ) throws(ObjectStoreError) -> (BodyFile, BlockSums) {
        guard let file = try BodyFile(opening: files.path(of: id)) else {
            throw missing(name, files.path(of: id))
        }
        return (file, try sums(of: file, id: id, size: size, name: name))
    }

    /// The checksums that a file ends with.
    static func sums(
        of file: BodyFile, id: Int64, size: Int64, name: String
    ) throws(ObjectStoreError) -> BlockSums {
        let trailer = try file.read(at: size, count: BlockSums.trailerBytes(size) + 1)
        do throws(RecordDamage) {
            return try BlockSums(trailer, id: id, size: size)
        } catch {
            throw damage(name, "the checksums of \(file.path)")
        }
    }
}
