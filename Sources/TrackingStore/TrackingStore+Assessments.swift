// SPDX-License-Identifier: Apache-2.0
import ApusCore
import SQLDatabases
package import TrackingModel

/// What is to change of an assessment; nil: nothing.
package struct AssessmentChange: Sendable {
    package var name: String?
    /// A new value of a feedback.
    package var feedback: (value: String, fault: Assessment.Fault?)?
    /// A new value of an expectation.
    package var expectation: String?
    package var rationale: String?
    /// Added to what there is.
    package var metadata: [String: String]?

    package init() {}
}

/// Assessments of traces (MLflow, `SqlAlchemyStore`).
extension TrackingStore {
    /// - Returns: the assessment with its id and times.
    /// - Throws: INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, RESOURCE_ALREADY_EXISTS.
    package func createAssessment(_ assessment: Assessment) async throws -> Assessment {
        let time = now()
        return try await database.write { session in
            var assessment = assessment
            let trace = try TraceRows.existing(assessment.traceID, session).integer(0)
            if let overridden = assessment.overrides {
                let count = try session.run(
                    "UPDATE assessments SET valid = 0 WHERE trace = ? AND id = ?", [.integer(trace), .text(overridden)])
                guard count > 0 else {
                    throw TrackingError.missing(
                        "Assessment with ID '\(overridden)' not found for trace '\(assessment.traceID)'")
                }
            }
            assessment.isValid = true
            guard try Self.insert(&assessment, trace, time, session) else {
                throw TrackingError(
                    .internalError,
                    "Failed to create assessment for trace '\(assessment.traceID)' due to a constraint violation.")
            }
            return assessment
        }
    }

    /// Adds an assessment; one without an id gets one.
    /// - Returns: whether it was added; not where the id is taken.
    @discardableResult
    static func insert(
        _ assessment: inout Assessment, _ trace: Int64, _ time: Int64, _ session: any SQLSession
    ) throws -> Bool {
        _ = try TraceLimits.check("assessment_name", assessment.name, 250)
        if assessment.id.isEmpty { assessment.id = "a-" + RandomID.uuid().filter { $0 != "-" } }
        _ = try TraceLimits.check("assessment_id", assessment.id, 50)
        if assessment.created == 0 { assessment.created = time }
        if assessment.updated == 0 { assessment.updated = time }
        let (sum, isNumber) = assessment.aggregate
        return try session.run(
            """
            INSERT INTO assessments (trace, \(TraceRows.assessmentColumns), sum_value, is_number)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
            """,
            [
                .integer(trace), .text(assessment.id), .text(assessment.name), .text(assessment.kind.rawValue),
                .text(assessment.value), SQLValue(assessment.fault?.json.text), .integer(assessment.created),
                .integer(assessment.updated), .text(assessment.sourceType), SQLValue(assessment.sourceID),
                SQLValue(assessment.spanID), SQLValue(assessment.rationale), SQLValue(assessment.overrides),
                .integer(assessment.isValid ? 1 : 0), Self.text(assessment.metadata), sum.map { .real($0) } ?? .null,
                .integer(isNumber ? 1 : 0),
            ]) > 0
    }

    /// Metadata as MLflow writes them, so that a search finds a key in the text.
    private static func text(_ metadata: [String: String]) -> SQLValue {
        guard !metadata.isEmpty else { return .null }
        let members = metadata.sorted { $0.key < $1.key }.map { Attribute($0.key, .string($0.value)) }
        return .text(AttributeText.of(.map(members)))
    }

    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    package func assessment(_ id: String, ofTrace trace: String) async throws -> Assessment {
        try await database.read { session in try Self.assessment(id, trace, session) }
    }

    private static func assessment(_ id: String, _ trace: String, _ session: any SQLSession) throws -> Assessment {
        guard let row = try session.row("SELECT id FROM traces WHERE trace = ?", [.text(trace)]) else {
            throw TrackingError.missing("Trace with request_id '\(trace)' not found")
        }
        let found = try session.row(
            "SELECT \(TraceRows.assessmentColumns) FROM assessments WHERE trace = ? AND id = ?", [row[0], .text(id)])
        guard let found else {
            throw TrackingError.missing("Assessment with ID '\(id)' not found for trace '\(trace)'")
        }
        return TraceRows.assessment(found, from: 0, trace: trace)
    }

    /// - Returns: the assessment as it is then.
    /// - Throws: INVALID_PARAMETER_VALUE where the value is of another kind, RESOURCE_DOES_NOT_EXIST.
    package func updateAssessment(
        _ id: String, ofTrace trace: String, _ change: AssessmentChange
    ) async throws -> Assessment {
        let time = now()
        return try await database.write { session in
            var assessment = try Self.assessment(id, trace, session)
            if change.expectation != nil, change.feedback != nil {
                throw TrackingError.invalid("Cannot specify both `expectation` and `feedback` parameters.")
            }
            if let value = change.expectation {
                guard assessment.kind == .expectation else {
                    throw TrackingError.invalid("Cannot update expectation value on a Feedback assessment.")
                }
                assessment.value = value
            }
            if let (value, fault) = change.feedback {
                guard assessment.kind != .expectation else {
                    throw TrackingError.invalid("Cannot update feedback value on an Expectation assessment.")
                }
                assessment.value = value
                assessment.fault = fault
            }
            if let name = change.name { assessment.name = try TraceLimits.check("assessment_name", name, 250) }
            if let rationale = change.rationale, assessment.kind != .expectation { assessment.rationale = rationale }
            assessment.metadata.merge(change.metadata ?? [:]) { $1 }
            assessment.updated = time
            let (sum, isNumber) = assessment.aggregate
            try session.run(
                """
                UPDATE assessments SET name = ?, value = ?, fault = ?, updated = ?, rationale = ?, metadata = ?,
                sum_value = ?, is_number = ? WHERE id = ?
                """,
                [
                    .text(assessment.name), .text(assessment.value), SQLValue(assessment.fault?.json.text),
                    .integer(time), SQLValue(assessment.rationale), Self.text(assessment.metadata),
                    sum.map { .real($0) } ?? .null, .integer(isNumber ? 1 : 0), .text(id),
                ])
            return assessment
        }
    }

    /// Deletes an assessment, where there is one; what it took the place of counts again.
    package func deleteAssessment(_ id: String, ofTrace trace: String) async throws {
        try await database.write { session in
            let row = try session.row(
                """
                DELETE FROM assessments WHERE id = ? AND trace = (SELECT id FROM traces WHERE trace = ?)
                RETURNING overrides
                """, [.text(id), .text(trace)])
            guard let overridden = row?.textIfAny(0) else { return }
            try session.run("UPDATE assessments SET valid = 1 WHERE id = ?", [.text(overridden)])
        }
    }
}
