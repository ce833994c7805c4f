// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import Hummingbird
import Logging
import ServiceHTTP
import TrackingModel
import TrackingStore

extension TrackingServer {
    /// `POST /api/2.0/mlflow/apus/gc`: erases deleted runs, logged models and experiments, as `mlflow gc` does (docs/tracking.md).
    var garbageRoutes: [Route] {
        [
            Route("collectGarbage", .post, ["/api/2.0/mlflow/apus/gc"]) { call in
                .json(try await collectGarbage(try await call.json()))
            }
        ]
    }

    /// How long one request works; then it tells how much is left.
    private static let time = Duration.seconds(10)
    /// Places of artifacts that an answer names.
    private static let mostPlaces = 100
    /// Ids that a request may name.
    private static let mostIDs = 1000

    private func collectGarbage(_ request: JSONValue) async throws -> JSONValue {
        let age = request["older_than_ms"]
        guard age.isNull || (age.int ?? -1) >= 0 else {
            throw TrackingError.invalid("'older_than_ms' must be an integer that is not negative")
        }
        try await store.discard(
            olderThan: Int64(age.int ?? 0), runs: try Self.ids(request, "run_ids"),
            experiments: try Self.ids(request, "experiment_ids"))
        var report = GarbageReport()
        let end = ContinuousClock.now + Self.time
        var last: Discarded?
        while ContinuousClock.now < end {
            let found = try await store.discarded(after: last, limit: 100)
            guard !found.isEmpty else {
                report.isDone = true
                break
            }
            for item in found {
                last = item
                try await erase(item, &report)
                guard ContinuousClock.now < end else { break }
            }
        }
        return report.json
    }

    private func erase(_ item: Discarded, _ report: inout GarbageReport) async throws {
        if item.kind != .experiment {
            if let path = Self.path(item) {
                do {
                    try await artifacts.delete(path)
                } catch .failed(let reason) {
                    // It stays for the next time.
                    logger.error("artifacts were not erased", metadata: ["of": "\(item.name)", "error": "\(reason)"])
                    report.failed += 1
                    return
                } catch {
                    report.kept(item.location, Self.mostPlaces)
                }
            } else {
                report.kept(item.location, Self.mostPlaces)
            }
        }
        try await store.erase(item)
        switch item.kind {
        case .run: report.runs += 1
        case .model: report.models += 1
        case .experiment: report.experiments += 1
        }
    }

    /// The folder of a run or model in this server's artifacts; nil where they are elsewhere, or the place is not its own.
    static func path(_ item: Discarded) -> ArtifactPath? {
        let scheme = "mlflow-artifacts:/"
        guard item.location.hasPrefix(scheme), !item.location.hasPrefix(scheme + "/"),
            let path = try? ArtifactPath(String(item.location.dropFirst(scheme.count))),
            path.names.suffix(2) == [item.name, "artifacts"]
        else { return nil }
        return try? ArtifactPath(path.names.dropLast().joined(separator: "/"))
    }

    private static func ids(_ request: JSONValue, _ name: String) throws(TrackingError) -> [String]? {
        let value = request[name]
        if value.isNull { return nil }
        let ids = value.elements.compactMap(\.string)
        guard let elements = value.array, ids.count == elements.count, ids.count <= mostIDs else {
            throw .invalid("'\(name)' must be a list of at most \(mostIDs) ids")
        }
        return ids
    }
}

/// What became of what was to be erased.
private struct GarbageReport {
    var runs = 0
    var experiments = 0
    /// Logged models.
    var models = 0
    /// Runs and models whose artifacts could not be erased now.
    var failed = 0
    /// Places of artifacts that are not this server's.
    var places: [String] = []
    /// Whether all was tried.
    var isDone = false

    mutating func kept(_ place: String, _ most: Int) {
        if places.count < most { places.append(place) }
    }

    var json: JSONValue {
        [
            "runs": .int(Int64(runs)), "experiments": .int(Int64(experiments)), "models": .int(Int64(models)),
            "failed": .int(Int64(failed)), "kept_artifacts": .array(places.map { .string($0) }), "done": .bool(isDone),
        ]
    }
}
