// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The files of long bodies, `data/xx/ID`: which are being written, which are read, and which may go.
final class BodyFiles: Sendable {
    private struct State {
        /// Those that no row names yet, and that are not to be removed.
        var claimed: Set<Int64> = []
        /// How many readers each file has that may open it later.
        var pins: [Int64: Int] = [:]
        /// Those that no row names any longer, and that go when they are not pinned.
        var doomed: Set<Int64> = []
    }

    let folder: String
    /// Threads that write files, and wait for the disk.
    let pool: WorkPool
    /// Threads that read them, so that readers do not wait for writers.
    let readPool: WorkPool
    /// Threads that compute, and wait for nothing.
    let hashPool = WorkPool(label: "apus.objectstore.hashes", threads: 2)
    /// One thread that removes files, so that nobody waits for it.
    private let janitor = WorkPool(label: "apus.objectstore.janitor", threads: 1)
    private let state = Mutex(State())
    private let next: Atomic<Int64>

    /// Makes the folders where they are missing.
    init(folder: String, firstIdentifier: Int64, configuration: ObjectStoreConfiguration) throws(ObjectStoreError) {
        self.folder = folder + "/data"
        next = Atomic(firstIdentifier)
        pool = WorkPool(label: "apus.objectstore.files", threads: configuration.fileThreads)
        readPool = WorkPool(label: "apus.objectstore.reads", threads: configuration.readers)
        let folder = self.folder
        let present = try ObjectStoreError.telling { () throws(FileError) in
            try Folder.create(folder)
            return Set(try Folder.names(in: folder))
        }
        for name in (0..<256).map({ Hex.encode(CollectionOfOne(UInt8($0))) }) where !present.contains(name) {
            guard mkdir(self.folder + "/" + name, 0o700) == 0 else {
                throw ObjectStoreError(FileError("create the folder", self.folder + "/" + name))
            }
        }
        if present.count < 256 { try ObjectStoreError.telling { () throws(FileError) in try Folder.sync(folder) } }
    }

    /// An identifier that was never given out, greater than all before it.
    func nextIdentifier() -> Int64 { next.add(1, ordering: .relaxed).oldValue }

    /// The folder of a file.
    func folder(of id: Int64) -> String {
        folder + "/" + Hex.encode(CollectionOfOne(UInt8(truncatingIfNeeded: id)))
    }

    func path(of id: Int64) -> String { folder(of: id) + "/" + Hex.encode(id) }

    /// A new file's identifier, which is safe from `sweep` until it is let go of.
    func claim() -> FileClaim {
        let id = nextIdentifier()
        state.withLock { _ = $0.claimed.insert(id) }
        return FileClaim(id, self)
    }

    /// A row names the file now.
    fileprivate func settle(_ id: Int64) { state.withLock { _ = $0.claimed.remove(id) } }

    /// No row will name the file.
    fileprivate func discard(_ id: Int64) {
        janitor.submit {
            unlink(self.path(of: id))
            self.settle(id)
        }
    }

    /// Removes files that no row names any longer, when their readers are done.
    func remove(_ ids: [Int64]) {
        guard !ids.isEmpty else { return }
        janitor.submit {
            for id in ids {
                let goes = self.state.withLock { state in
                    guard state.pins[id] == nil else {
                        state.doomed.insert(id)
                        return false
                    }
                    return true
                }
                if goes { unlink(self.path(of: id)) }
            }
        }
    }

    /// Keeps files from being removed until `unpin`.
    func pin(_ ids: [Int64]) { state.withLock { state in for id in ids { state.pins[id, default: 0] += 1 } } }

    func unpin(_ ids: [Int64]) {
        let free = state.withLock { state in
            var free: [Int64] = []
            for id in ids {
                let count = (state.pins[id] ?? 1) - 1
                state.pins[id] = count > 0 ? count : nil
                if count <= 0, state.doomed.remove(id) != nil { free.append(id) }
            }
            return free
        }
        remove(free)
    }

    /// Removes files that no row names: what a crash has left.
    ///
    /// - Parameter isNamed: whether a row names a file; asked after the file was seen not to be in use.
    /// - Returns: how many were removed; nil when the store is closed.
    func sweep(_ isNamed: @escaping @Sendable (Int64) -> Bool) async -> Int? {
        await janitor.runIfOpen { self.sweepNow(isNamed) }
    }

    /// The same, without waiting for it.
    func startSweep(_ isNamed: @escaping @Sendable (Int64) -> Bool, done: @escaping @Sendable (Int) -> Void) {
        janitor.submit { done(self.sweepNow(isNamed)) }
    }

    private func sweepNow(_ isNamed: (Int64) -> Bool) -> Int {
        var removed = 0
        for index in 0..<256 {
            let folder = folder + "/" + Hex.encode(CollectionOfOne(UInt8(index)))
            for name in (try? Folder.names(in: folder)) ?? [] {
                guard let id = Hex.integer(Substring(name).utf8), UInt8(truncatingIfNeeded: id) == index else {
                    continue
                }
                let inUse = state.withLock { $0.claimed.contains(id) || $0.pins[id] != nil }
                guard !inUse, !isNamed(id) else { continue }
                if unlink(folder + "/" + name) == 0 { removed += 1 }
            }
        }
        return removed
    }

    /// Returns when the removals that were asked for are done.
    func settled() async {
        for pool in [pool, hashPool, readPool, janitor] { await pool.idle() }
    }

    func close() async {
        await pool.close()
        await hashPool.close()
        await readPool.close()
        await janitor.close()
    }
}

/// A file that no row names yet. Let go of before one does, it is removed.
final class FileClaim: Sendable {
    let id: Int64
    private let files: BodyFiles
    private let isKept = Atomic<Bool>(false)

    fileprivate init(_ id: Int64, _ files: BodyFiles) {
        self.id = id
        self.files = files
    }

    /// Says that a row names the file.
    func keep() {
        if !isKept.exchange(true, ordering: .acquiringAndReleasing) { files.settle(id) }
    }

    /// Leaves the file to the next start, which knows whether a row names it.
    func leave() { isKept.store(true, ordering: .releasing) }

    deinit { if !isKept.load(ordering: .acquiring) { files.discard(id) } }
}
