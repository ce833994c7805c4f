// SPDX-License-Identifier: Apache-2.0
internal import ApusCore
internal import DataFolders
internal import Glibc
internal import InferenceProtocol
internal import Synchronization

/// A folder of fetched models: `CACHE/KEY` is whole once it is there, for it comes by a rename; `CACHE/.KEY-…` is one
/// that is being fetched. What is in use may lose its name, for a model is in memory (or mapped) when it answers.
final class ModelCache: Sendable {
    /// Seconds without a byte after which what is being fetched was given up, by a process that was killed: servers that
    /// are silent are given up much earlier.
    private static let abandoned = 3600

    private let folder: String
    private let limit: Int
    /// The newest of each key: who asks for what is being fetched waits for it.
    private let fetching = Mutex<[String: Task<Result<String, InferenceFault>, Never>]>([:])

    init(_ folder: String, limit: Int) {
        self.folder = folder
        self.limit = limit
    }

    /// The path of an entry; where it is not there, `fill` puts it into an empty folder.
    func entry(
        _ key: String, fill: @escaping @Sendable (String) async throws(InferenceFault) -> Void
    ) async throws(InferenceFault) -> String {
        let task = fetching.withLock { fetching in
            if let task = fetching[key] { return task }
            let task = Task { await self.made(key, fill) }
            fetching[key] = task
            return task
        }
        let result = await task.value
        fetching.withLock { fetching in if fetching[key] == task { fetching[key] = nil } }
        return try result.get()
    }

    private func made(
        _ key: String, _ fill: @Sendable (String) async throws(InferenceFault) -> Void
    ) async -> Result<String, InferenceFault> {
        let path = folder + "/" + key
        let partial = "\(folder)/.\(key)-\(RandomID.suffix(length: 8))"
        do {
            if try await FileWork.run({ try Self.use(path) }) { return .success(try await inner(path)) }
            try await FileWork.run { try Folder.create(partial) }
            do {
                try await fill(partial)
                try await FileWork.run {
                    // The name is for good, so all that it names is on the disk before it.
                    try Tree.sync(partial)
                    // Another process may have been quicker: its files are as good.
                    if rename(partial, path) != 0, !Folder.isFolder(path) { throw FileError("make", path) }
                }
            } catch {
                try? await FileWork.run { Tree.remove(partial) }
                throw error
            }
            try await FileWork.run {
                Tree.remove(partial)
                self.trim(keeping: key)
            }
            return .success(try await inner(path))
        } catch let fault as InferenceFault {
            return .failure(fault)
        } catch {
            return .failure(InferenceFault(.runtime, "the cache of models at \(folder) cannot be used: \(error)"))
        }
    }

    /// Whether the entry is there; if so its time is now.
    private static func use(_ path: String) throws -> Bool {
        guard Folder.isFolder(path) else { return false }
        return utimensat(AT_FDCWD, path, nil, 0) == 0
    }

    /// An archive often has one folder in which all is.
    private func inner(_ path: String) async throws -> String {
        try await FileWork.run {
            let names = try Folder.names(in: path)
            guard names.count == 1, Folder.isFolder(path + "/" + names[0]) else { return path }
            return path + "/" + names[0]
        }
    }

    /// Removes what a killed process left, and what was used longest ago until the rest is within the limit.
    private func trim(keeping key: String) {
        let names = (try? Folder.names(in: folder)) ?? []
        let oldest = time(nil) - Self.abandoned
        for name in names where name.hasPrefix(".") && Tree.lastChange(folder + "/" + name) < oldest {
            Tree.remove(folder + "/" + name)
        }
        var entries = names.filter { !$0.hasPrefix(".") }.map { name -> (name: String, time: timespec, size: Int) in
            var status = stat()
            _ = stat(folder + "/" + name, &status)
            return (name, status.st_mtim, Tree.size(folder + "/" + name))
        }
        var total = entries.reduce(0) { $0 + $1.size }
        entries.sort { ($0.time.tv_sec, $0.time.tv_nsec) < ($1.time.tv_sec, $1.time.tv_nsec) }
        for entry in entries where total > limit && entry.name != key {
            Tree.remove(folder + "/" + entry.name)
            total -= entry.size
        }
    }
}

/// Folders with all that is in them. Links are not followed.
enum Tree {
    static func size(_ path: String) -> Int {
        var status = stat()
        guard lstat(path, &status) == 0 else { return 0 }
        guard status.st_mode & S_IFMT == S_IFDIR else { return Int(status.st_size) }
        return ((try? Folder.names(in: path)) ?? []).reduce(0) { $0 + size(path + "/" + $1) }
    }

    /// Puts all of it on the disk.
    static func sync(_ path: String) throws(FileError) {
        if Folder.isFolder(path) {
            for name in try Folder.names(in: path) { try sync(path + "/" + name) }
        }
        try Folder.sync(path)
    }

    /// The latest change of it, in seconds of the clock; of what is gone, now.
    static func lastChange(_ path: String) -> Int {
        var status = stat()
        guard lstat(path, &status) == 0 else { return time(nil) }
        let own = Int(status.st_mtim.tv_sec)
        guard status.st_mode & S_IFMT == S_IFDIR else { return own }
        return ((try? Folder.names(in: path)) ?? []).reduce(own) { max($0, lastChange(path + "/" + $1)) }
    }

    static func remove(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            unlink(path)
            return
        }
        for name in (try? Folder.names(in: path)) ?? [] { remove(path + "/" + name) }
        rmdir(path)
    }
}
