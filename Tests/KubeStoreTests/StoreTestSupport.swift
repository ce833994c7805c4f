// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import KubeStore
import Logging

/// A directory that is removed with the last reference to it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/kubestore-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A small generator with a seed, so that a failing run can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

let quiet: Logger = {
    var logger = Logger(label: "kubestore.tests")
    logger.logLevel = .critical
    return logger
}()

func pod(_ name: String, in namespace: String = "default") -> StoreKey {
    StoreKey(resource: "pods", namespace: namespace, name: name)
}

/// The bytes that `value(text)` has at a revision.
func bytes(_ text: String, _ revision: Int64) -> [UInt8] { Array("{\"rv\":\"\(revision)\",\"text\":\"\(text)\"}".utf8) }

func value(_ text: String, labels: [String: String] = [:], fields: [String: String] = [:]) -> StoreValue {
    StoreValue(labels: labels, fields: fields) { revision in bytes(text, revision) }
}

extension KubeStore {
    @discardableResult
    func create(_ key: StoreKey, _ text: String = "") async throws(StoreError) -> StoredObject {
        try await commit(.create(key, value(text)))
    }

    @discardableResult
    func update(_ object: StoredObject, _ text: String) async throws(StoreError) -> StoredObject {
        try await commit(.update(object.key, expectedRevision: object.revision, value(text)))
    }

    @discardableResult
    func delete(_ object: StoredObject) async throws(StoreError) -> StoredObject {
        try await commit(.delete(object.key, expectedRevision: object.revision, value("last")))
    }
}

extension StoreWatch.Iterator {
    /// Reads until it has as many events; fewer only at the end.
    mutating func events(_ count: Int) async throws -> [StoreEvent] {
        var events: [StoreEvent] = []
        while events.count < count, let items = try await next() {
            for case .event(let event) in items { events.append(event) }
        }
        return events
    }
}

/// The error that an operation throws; nil when it succeeds.
func storeError<T>(_ operation: () async throws(StoreError) -> T) async -> StoreError? {
    do throws(StoreError) {
        _ = try await operation()
        return nil
    } catch {
        return error
    }
}
