// SPDX-License-Identifier: Apache-2.0
import ApusCore
import DataFolders
package import DeltaProtocol
import Foundation
import Synchronization

/// Copies of files in a folder of this machine, of a number of bytes at most: what was not used for the longest time
/// goes first, and nothing goes that a statement reads. A key names one content for ever; a file is there for others
/// when it is whole.
package final class FileCache: Sendable {
    /// Keeps files where they are until it is let go.
    package final class Lease: Sendable {
        private let cache: FileCache
        private let keys = Mutex<[String]>([])

        fileprivate init(_ cache: FileCache) { self.cache = cache }

        deinit { cache.release(keys.withLock { $0 }) }

        fileprivate func add(_ key: String) { keys.withLock { $0.append(key) } }
    }

    private struct Entry {
        let path: String
        let size: Int64
        var pins = 1
        var lastUse: UInt64
        var isWhole = false
        /// Tasks that wait for it to be whole, or to have failed.
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var bytes: Int64 = 0
        var next: UInt64 = 0
    }

    private enum Step {
        case whole(String)
        case fetch(String, evicted: [String])
        case wait
        case noRoom
    }

    /// Where the files are; its own, and gone with it.
    package let folder: String
    /// Bytes at most.
    package let capacity: Int64
    private let lock: CInt
    private let state = Mutex(State())
    private static let pool = WorkPool(label: "apus.lake.cache", threads: 2)
    private static let name = "apus-cache-"

    /// Makes a folder below `parent`; those of processes that are gone are taken away.
    package init(in parent: String, capacity: Int64) throws(DeltaError) {
        self.capacity = capacity
        let manager = FileManager.default
        try? manager.createDirectory(atPath: parent, withIntermediateDirectories: true)
        for name in (try? manager.contentsOfDirectory(atPath: parent)) ?? [] where name.hasPrefix(Self.name) {
            let other = "\(parent)/\(name)"
            let file = open(other + "/lock", O_RDWR | O_CLOEXEC)
            guard file >= 0 else { continue }
            if flock(file, LOCK_EX | LOCK_NB) == 0 { try? manager.removeItem(atPath: other) }
            close(file)
        }
        folder = "\(parent)/\(Self.name)\(RandomID.uuid())"
        let place = folder
        guard mkdir(place, 0o700) == 0 else {
            throw DeltaError(.storage, "cannot create the folder \(place): \(String(cString: strerror(errno)))")
        }
        lock = open(place + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            throw DeltaError(.storage, "cannot lock the folder \(place): \(String(cString: strerror(errno)))")
        }
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder)
        close(lock)
    }

    package func lease() -> Lease { Lease(self) }

    /// Bytes of the copies that are here or on their way.
    package var size: Int64 { state.withLock { $0.bytes } }

    /// The path of a file of `size` bytes, kept by the lease; `fetch` writes it to a path where it is not here.
    /// - Throws: `tooLarge` where it does not fit beside what is being read; what `fetch` throws.
    package func file(
        _ key: String, size: Int64, for lease: Lease, fetch: (String) async throws(DeltaError) -> Void
    ) async throws(DeltaError) -> String {
        while true {
            switch begin(key, size) {
            case .whole(let path):
                lease.add(key)
                return path
            case .wait: await wait(for: key)
            case .noRoom:
                throw DeltaError(
                    .tooLarge,
                    "a file of \(size) bytes does not fit the cache of \(capacity) bytes beside the files that "
                        + "statements are reading: read less at a time, or give the cache more room")
            case .fetch(let path, let evicted):
                await Self.remove(evicted)
                do throws(DeltaError) {
                    try await fetch(path)
                } catch {
                    await Self.remove([path])
                    end(key, isWhole: false)
                    throw error
                }
                end(key, isWhole: true)
                lease.add(key)
                return path
            }
        }
    }

    private func begin(_ key: String, _ size: Int64) -> Step {
        state.withLock { state in
            state.next += 1
            if let entry = state.entries[key] {
                guard entry.isWhole else { return .wait }
                state.entries[key]?.pins += 1
                state.entries[key]?.lastUse = state.next
                return .whole(entry.path)
            }
            guard size >= 0, size <= capacity else { return .noRoom }
            var evicted: [String] = []
            if state.bytes + size > capacity {
                let idle = state.entries.filter { $0.value.pins == 0 && $0.value.isWhole }
                let freeable = idle.values.reduce(0) { $0 + $1.size }
                guard state.bytes - freeable + size <= capacity else { return .noRoom }
                for (key, entry) in idle.sorted(by: { $0.value.lastUse < $1.value.lastUse }) {
                    if state.bytes + size <= capacity { break }
                    state.entries[key] = nil
                    state.bytes -= entry.size
                    evicted.append(entry.path)
                }
            }
            let path = "\(folder)/\(state.next).parquet"
            state.entries[key] = Entry(path: path, size: size, lastUse: state.next)
            state.bytes += size
            return .fetch(path, evicted: evicted)
        }
    }

    private func end(_ key: String, isWhole: Bool) {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard let entry = state.entries[key] else { return [] }
            if isWhole {
                state.entries[key]?.isWhole = true
                state.entries[key]?.waiting = []
            } else {
                state.entries[key] = nil
                state.bytes -= entry.size
            }
            return entry.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func wait(for key: String) async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard let entry = state.entries[key], !entry.isWhole else { return true }
                state.entries[key]?.waiting.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    private func release(_ keys: [String]) {
        state.withLock { state in
            for key in keys { state.entries[key]?.pins -= 1 }
        }
    }

    private static func remove(_ paths: [String]) async {
        guard !paths.isEmpty else { return }
        await pool.run { for path in paths { unlink(path) } }
    }
}
