// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
package import Logging
import S3Protocol
import Synchronization

/// The access keys that there are: the root key, those of a file that is read again when it changes, and those that
/// somebody else follows and hands over.
package final class AccessKeys: Sendable {
    /// What tells whether a file was changed.
    private struct Stamp: Equatable {
        var seconds: Int
        var nanoseconds: Int
        var size: Int
        var inode: UInt64
    }

    private struct State {
        var more: [String: AccessKey] = [:]
        var followed: [String: AccessKey] = [:]
        var stamp: Stamp?
    }

    private static let maximumFileBytes = 4 << 20
    private static let maximumKeys = 10_000

    private let root: AccessKey
    private let file: String?
    private let state = Mutex(State())

    /// - Parameters:
    ///   - root: may do everything.
    ///   - file: more keys, in JSON; nil for none.
    /// - Throws: ``AccessKeyError`` when the file cannot be used.
    package init(root: AccessKey, file: String? = nil) throws(AccessKeyError) {
        self.root = root
        self.file = file
        guard let file else { return }
        let stamp = Self.stamp(file)
        let keys = try Self.read(file)
        state.withLock { state in
            state.more = keys
            state.stamp = stamp
        }
    }

    /// The key of that id.
    package func find(_ id: String) -> AccessKey? {
        id == root.id ? root : state.withLock { $0.more[id] ?? $0.followed[id] }
    }

    /// Keys beside the root key.
    package var count: Int {
        state.withLock { state in
            state.more.count + state.followed.keys.count { state.more[$0] == nil }
        }
    }

    /// Takes other keys in the place of those that were handed over before. Where the file has a key of the same id,
    /// the file's counts.
    package func replaceFollowed(_ keys: [AccessKey]) {
        let keys = Dictionary(keys.prefix(Self.maximumKeys).map { ($0.id, $0) }) { first, _ in first }
        state.withLock { $0.followed = keys }
    }

    /// Reads the file again whenever it changed, until the task is cancelled. One that is wrong changes nothing.
    package func watch(every interval: Duration = .seconds(1), logger: Logger) async {
        guard let file else { return }
        while !Task.isCancelled {
            try? await Task.sleep(for: interval)
            reload(file, logger)
        }
    }

    private func reload(_ file: String, _ logger: Logger) {
        let stamp = Self.stamp(file)
        guard stamp != state.withLock({ $0.stamp }) else { return }
        do {
            let keys = try Self.read(file)
            state.withLock { state in
                state.more = keys
                state.stamp = stamp
            }
            logger.notice("access keys were read again", metadata: ["file": "\(file)", "keys": "\(keys.count)"])
        } catch {
            let isNews = state.withLock { state in
                defer { state.stamp = stamp }
                return state.stamp != stamp
            }
            if isNews { logger.error("access keys stay as they were", metadata: ["why": "\(error)"]) }
        }
    }

    private static func stamp(_ path: String) -> Stamp? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Stamp(
            seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec, size: Int(status.st_size),
            inode: UInt64(status.st_ino))
    }

    private static func read(_ path: String) throws(AccessKeyError) -> [String: AccessKey] {
        guard let handle = FileHandle(forReadingAtPath: path),
            let data = try? handle.read(upToCount: maximumFileBytes + 1)
        else {
            throw AccessKeyError("the file of access keys \(path) cannot be read: is it there, and may Apus read it?")
        }
        guard data.count <= maximumFileBytes else {
            throw AccessKeyError("the file of access keys \(path) has more than \(maximumFileBytes) bytes")
        }
        return try parse([UInt8](data), path)
    }

    /// The keys of a file: `{"keys": [{"accessKey": …, "secretKey": …, "name": …, "policy": {…}}]}`.
    /// - Throws: ``AccessKeyError`` that says which key is wrong.
    package static func parse(_ bytes: [UInt8], _ path: String) throws(AccessKeyError) -> [String: AccessKey] {
        let document: JSONValue
        do {
            document = try JSONParser.parse(bytes, maxDepth: 32)
        } catch {
            throw AccessKeyError("the file of access keys \(path) is not JSON: \(error)")
        }
        guard let list = document["keys"].array, list.count <= maximumKeys else {
            throw AccessKeyError(
                "the file of access keys \(path) needs a member 'keys' with a list of up to \(maximumKeys) keys")
        }
        var keys: [String: AccessKey] = [:]
        for (number, entry) in list.enumerated() {
            guard let id = entry["accessKey"].string, let secret = entry["secretKey"].string else {
                throw AccessKeyError("\(path): key \(number + 1) needs the texts accessKey and secretKey")
            }
            do {
                let policies = Self.policies(entry)
                let key = try AccessKey(
                    id: id, secret: secret, name: entry["name"].string ?? id, policies: policies)
                guard keys.updateValue(key, forKey: id) == nil else {
                    throw AccessKeyError("it is there twice")
                }
            } catch {
                throw AccessKeyError("\(path): key \(number + 1) ('\(id.prefix(140))'): \(error)")
            }
        }
        return keys
    }

    /// A key's policies; none allow nothing.
    private static func policies(_ entry: JSONValue) -> [[UInt8]] {
        let policy = entry["policy"]
        let all = entry["policies"].array ?? (policy.isNull ? [] : [policy])
        return all.map { Array($0.text.utf8) }
    }
}
