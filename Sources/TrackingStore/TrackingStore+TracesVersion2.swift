// SPDX-License-Identifier: Apache-2.0
import ApusCore
import SQLDatabases
package import TrackingModel

/// What clients of the protocol's version 2 do with traces.
extension TrackingStore {
    /// Makes a trace that goes on.
    /// - Returns: the trace, with an id of the server's.
    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST.
    package func startTraceVersion2(
        experiment: String, time: Int64, metadata: [String: String], tags: [String: String]
    ) async throws -> TraceInfo {
        var info = TraceInfo()
        info.id = RandomID.uuid().filter { $0 != "-" }
        info.experiment = experiment
        info.time = time
        info.state = TraceInfo.inProgress
        var tags = tags
        let name = try tags.removeValue(forKey: TraceKey.name).map { text throws(TrackingError) in
            try TraceLimits.name(text)
        }
        var metadata = metadata
        let amounts = try TraceAmounts(takingFrom: &metadata)
        return try await database.write { [info, tags, metadata] session in
            let experiment = try session.activeExperiment(info.experiment)
            let trace = try Self.insertTrace(info, name, experiment, session)
            for (column, value) in amounts.values {
                try session.run("UPDATE traces SET \(column) = ? WHERE id = ?", [value, .integer(trace)])
            }
            var tags = tags
            tags[TraceKey.artifactLocation] = Self.artifactLocation(info.id, experiment)
            try Self.setTags(tags, trace, session)
            try Self.setMetadata(metadata, trace, info.id, session)
            return try Self.trace(info.id, session)
        }
    }

    /// Ends a trace.
    /// - Returns: the trace as it is then.
    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST.
    package func endTraceVersion2(
        _ id: String, time: Int64, state: String, metadata: [String: String], tags: [String: String]
    ) async throws -> TraceInfo {
        var tags = tags
        let name = try tags.removeValue(forKey: TraceKey.name).map { text throws(TrackingError) in
            try TraceLimits.name(text)
        }
        var metadata = metadata
        let amounts = try TraceAmounts(takingFrom: &metadata)
        return try await database.write { [tags, metadata] session in
            let row = try TraceRows.existing(id, session)
            let trace = row.integer(0)
            let (duration, isTooLong) = time.subtractingReportingOverflow(row.integer(3))
            guard !isTooLong else { throw TrackingError.invalid("timestamp_ms is out of range") }
            try session.run(
                "UPDATE traces SET duration = ?, state = ?, name = COALESCE(?, name) WHERE id = ?",
                [.integer(duration), .text(state), SQLValue(name), .integer(trace)])
            for (column, value) in amounts.values {
                try session.run("UPDATE traces SET \(column) = ? WHERE id = ?", [value, .integer(trace)])
            }
            try Self.setTags(tags, trace, session)
            try Self.setMetadata(metadata, trace, id, session)
            return try Self.trace(id, session)
        }
    }
}
