// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import IcebergProtocol
import ServiceHTTP
import Synchronization

/// What the catalog did, for `/metrics`.
final class CatalogCounts: Sendable {
    private struct Request: Hashable, Sendable {
        var route: String
        var status: Int
    }

    private struct Values: Sendable {
        var requests: [Request: (count: Int, seconds: Double)] = [:]
        var commits = 0
        var conflicts = 0
        var deleted = 0
    }

    private let values = Mutex(Values())

    func add(commits: Int = 0, conflicts: Int = 0, deleted: Int = 0) {
        values.withLock { values in
            values.commits += commits
            values.conflicts += conflicts
            values.deleted += deleted
        }
    }

    /// One request. Routes are a few names.
    func add(route: String, status: Int, took: Duration) {
        let (seconds, attoseconds) = took.components
        let time = Double(seconds) + Double(attoseconds) / 1e18
        values.withLock { values in
            let old = values.requests[Request(route: route, status: status)] ?? (0, 0)
            values.requests[Request(route: route, status: status)] = (old.count + 1, old.seconds + time)
        }
    }

    /// The metrics, in Prometheus' text format.
    func text(_ state: CatalogState) -> String {
        let values = values.withLock { $0 }
        var text = MetricsText()
        let requests = values.requests.sorted { ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status) }
        text.family("apus_catalog_requests_total", .counter, "Requests by route and status.")
        for (key, value) in requests {
            text.sample(
                "apus_catalog_requests_total", [("route", key.route), ("status", String(key.status))], value.count)
        }
        text.family("apus_catalog_request_seconds_total", .counter, "Time that requests took, by route and status.")
        for (key, value) in requests {
            text.sample(
                "apus_catalog_request_seconds_total", [("route", key.route), ("status", String(key.status))],
                value.seconds)
        }
        text.family("apus_catalog_commits_total", .counter, "Commits of tables that were made.")
        text.sample("apus_catalog_commits_total", [], values.commits)
        text.family("apus_catalog_conflicts_total", .counter, "Commits whose requirements did not hold.")
        text.sample("apus_catalog_conflicts_total", [], values.conflicts)
        text.family(
            "apus_catalog_deleted_files_total", .counter, "Files of dropped tables and old metadata that were deleted.")
        text.sample("apus_catalog_deleted_files_total", [], values.deleted)
        text.family("apus_catalog_namespaces", .gauge, "Namespaces.")
        text.sample("apus_catalog_namespaces", [], state.namespaces.count)
        text.family("apus_catalog_tables", .gauge, "Tables.")
        text.sample("apus_catalog_tables", [], state.tableCount)
        text.family("apus_catalog_views", .gauge, "Views.")
        text.sample("apus_catalog_views", [], state.viewCount)
        text.family("apus_catalog_purges", .gauge, "Dropped tables whose files are still to be deleted.")
        text.sample("apus_catalog_purges", [], state.purging.count)
        return text.text
    }
}
