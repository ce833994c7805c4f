// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
import TrackingModel

/// A run with its number inside.
struct RunRow: Sendable {
    /// The run's number in all tables.
    let id: Int64
    let info: RunInfo

    /// The columns of a query for runs, in the order of ``init(_:)``, of the table or its alias `runs`.
    static let columns = """
        runs.id, runs.uuid, runs.experiment, runs.name, runs.user_id, runs.status, runs.started, runs.ended, \
        runs.artifact_uri, runs.deleted
        """

    /// How many columns there are.
    static let count = 10

    init(_ row: SQLRow) {
        id = row.integer(0)
        info = RunInfo(
            id: row.text(1), experimentID: row.integer(2), name: row.text(3), userID: row.text(4),
            status: RunStatus(rawValue: row.integer(5)) ?? .running, startTime: row.integer(6),
            endTime: row.integerIfAny(7), artifactURI: row.text(8), stage: LifecycleStage(row: row.integer(9)))
    }

    /// - Throws: INVALID_PARAMETER_VALUE where it was deleted.
    func requireActive() throws(TrackingError) {
        guard info.stage != .active else { return }
        throw .invalid("The run \(info.id) must be in the 'active' state. Current state is \(info.stage.rawValue).")
    }
}

extension Experiment {
    /// The columns of a query for experiments, in the order of ``init(_:)``.
    static let columns = "id, name, artifact_location, deleted, created, updated"

    /// Without its tags.
    init(_ row: SQLRow) {
        self.init(
            id: row.integer(0), name: row.text(1), artifactLocation: row.text(2),
            stage: LifecycleStage(row: row.integer(3)), creationTime: row.integer(4), lastUpdateTime: row.integer(5))
    }

    /// - Throws: INVALID_PARAMETER_VALUE where it was deleted.
    func requireActive() throws(TrackingError) {
        guard stage != .active else { return }
        throw .invalid("The experiment \(id) must be in the 'active' state. Current state is \(stage.rawValue).")
    }
}

extension SQLSession {
    /// An experiment without its tags, of the stages that are seen; the default one for an empty id.
    /// - Throws: INVALID_PARAMETER_VALUE for what is no id, RESOURCE_DOES_NOT_EXIST.
    func experimentRow(_ id: String, _ view: ViewType = .all) throws -> Experiment {
        let number = try Validation.experimentID(id)
        let row = try row("SELECT \(Experiment.columns) FROM experiments WHERE id = ?", [.integer(number)])
        guard let experiment = row.map({ Experiment($0) }), view.stages.contains(experiment.stage) else {
            throw TrackingError.missing("No Experiment with id=\(number < 0 ? id : "\(number)") exists")
        }
        return experiment
    }

    /// An experiment that takes changes.
    /// - Throws: as ``experimentRow(_:_:)``, and INVALID_PARAMETER_VALUE where it was deleted.
    func activeExperiment(_ id: String) throws -> Experiment {
        let experiment = try experimentRow(id)
        try experiment.requireActive()
        return experiment
    }

    /// A run by MLflow's id.
    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    func runRow(_ id: String) throws -> RunRow {
        let row = try row("SELECT \(RunRow.columns) FROM runs WHERE uuid = ?", [.text(id)])
        guard let row else { throw TrackingError.missing("Run with id=\(id) not found") }
        return RunRow(row)
    }

    /// A run that takes changes.
    /// - Throws: RESOURCE_DOES_NOT_EXIST, and INVALID_PARAMETER_VALUE where it was deleted.
    func activeRun(_ id: String) throws -> RunRow {
        let run = try runRow(id)
        try run.requireActive()
        return run
    }
}
