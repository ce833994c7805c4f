// SPDX-License-Identifier: Apache-2.0
import DatabaseFixtures
import SQLDatabases
import Synchronization
import Testing
import TrackingModel

@testable import TrackingStore

/// A clock that a test sets, in milliseconds since 1970.
final class TestClock: Sendable {
    private let time = Mutex<Int64>(1_000)
    var now: Int64 { time.withLock { $0 } }
    func pass(_ milliseconds: Int64) { time.withLock { $0 += milliseconds } }
}

/// Runs a test with an empty store.
func withStore(_ backend: Backend, _ body: (TrackingStore, TestClock) async throws -> Void) async throws {
    try await withDatabase(backend) { database in
        let clock = TestClock()
        let store = TrackingStore(database, now: { clock.now })
        try await store.prepare()
        try await body(store, clock)
    }
}

/// What a call is refused with: `CODE text`.
func refusal(_ body: () async throws -> Void) async -> String? {
    do {
        try await body()
        return nil
    } catch let error as TrackingError {
        return "\(error.code.rawValue) \(error.description)"
    } catch {
        return "\(error)"
    }
}

extension TrackingStore {
    /// A new run of the default experiment.
    func newRun(_ experiment: Int64 = 0) async throws -> String {
        try await createRun(experiment: "\(experiment)", userID: "", startTime: 0, tags: [], name: "").info.id
    }
}

/// Not the tests' tags.
typealias Tag = TrackingModel.Tag
