// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
import Synchronization

/// Numbers of metrics' keys that are known to be in the database. Keys are never deleted, so none grows stale.
final class MetricKeys: Sendable {
    /// The most keys that are remembered; then all are forgotten.
    private static let most = 100_000

    private let ids = Mutex<[String: Int64]>([:])

    /// Those of the names that are known.
    func known(_ names: some Sequence<String>) -> [String: Int64] {
        ids.withLock { ids in
            names.reduce(into: [:]) { known, name in
                if known[name] == nil { known[name] = ids[name] }
            }
        }
    }

    /// Remembers what is in the database for good: only after its change was acknowledged.
    func remember(_ made: [String: Int64]) {
        guard !made.isEmpty else { return }
        ids.withLock { ids in
            if ids.count + made.count > Self.most { ids = [:] }
            ids.merge(made) { $1 }
        }
    }

    /// Numbers of names that are not known, which are made where they are new.
    static func make(_ names: some Sequence<String>, _ session: any SQLSession) throws -> [String: Int64] {
        var made: [String: Int64] = [:]
        // In order, so that two servers on one database do not wait for each other.
        for name in names.sorted() {
            made[name] = try find(name, session)
            guard made[name] == nil else { continue }
            try session.run("INSERT INTO metric_keys (name) VALUES (?) ON CONFLICT DO NOTHING", [.text(name)])
            made[name] = try find(name, session)
        }
        return made
    }

    /// The number of a name; nil where nobody logged it.
    static func find(_ name: String, _ session: any SQLSession) throws -> Int64? {
        try session.row("SELECT id FROM metric_keys WHERE name = ?", [.text(name)])?.integer(0)
    }
}
