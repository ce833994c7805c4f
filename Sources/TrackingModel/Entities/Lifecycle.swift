// SPDX-License-Identifier: Apache-2.0

/// Whether an experiment, a run or a model was deleted: it stays readable, can be restored, and refuses changes.
package enum LifecycleStage: String, Sendable, Hashable {
    case active
    case deleted

    /// As the database has it: 0, or 1 where it is deleted.
    package init(row: Int64) { self = row == 0 ? .active : .deleted }

    package var row: Int64 { self == .active ? 0 : 1 }
}

/// Which stages a search sees (MLflow, `ViewType`).
package enum ViewType: String, Sendable, Hashable {
    case activeOnly = "ACTIVE_ONLY"
    case deletedOnly = "DELETED_ONLY"
    case all = "ALL"

    /// The stages that are seen.
    package var stages: [LifecycleStage] {
        switch self {
        case .activeOnly: [.active]
        case .deletedOnly: [.deleted]
        case .all: [.active, .deleted]
        }
    }
}

/// What became of a run (MLflow, `RunStatus`); the numbers are those of the protocol and of the database.
package enum RunStatus: Int64, Sendable, Hashable, CaseIterable {
    case running = 1
    case scheduled = 2
    case finished = 3
    case failed = 4
    case killed = 5

    /// The name of the protocol, as `RUNNING`; nil where there is no such status.
    package init?(name: String) {
        guard let status = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = status
    }

    package var name: String {
        switch self {
        case .running: "RUNNING"
        case .scheduled: "SCHEDULED"
        case .finished: "FINISHED"
        case .failed: "FAILED"
        case .killed: "KILLED"
        }
    }
}
