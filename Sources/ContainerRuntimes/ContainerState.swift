// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What is known of a container's life.
///
/// `created` becomes `running` or `failedToStart`; `running` becomes `exited` or `lost`; the other three are final.
package enum ContainerState: Sendable, Equatable {
    /// It is being started.
    case created
    /// Its main process runs, with this number in the host's process table.
    case running(pid: Int32, startedAt: Timestamp)
    /// Its main process ended. `code` is 128 plus the signal's number after a signal.
    case exited(
        code: Int32, signal: Int32?, startedAt: Timestamp, finishedAt: Timestamp, oomKilled: Bool, message: String?)
    /// Its program could not be executed; the text says why.
    case failedToStart(String)
    /// Its shim died without leaving the exit status; whatever was left of the container has been killed.
    case lost

    /// Whether nothing of it runs and the state can change no more.
    package var isFinal: Bool {
        switch self {
        case .created, .running: false
        case .exited, .failedToStart, .lost: true
        }
    }
}

/// A container that the runtime knows, with its state when it was asked for.
package struct ContainerRecord: Sendable, Equatable {
    /// What it was started from.
    package var spec: ContainerSpec
    /// What became of it.
    package var state: ContainerState

    /// Pairs a container with its state.
    package init(spec: ContainerSpec, state: ContainerState) {
        self.spec = spec
        self.state = state
    }
}

/// How a command in a container ended.
package struct ExecResult: Sendable, Equatable {
    /// The exit code; 128 plus the signal's number after a signal, 126 or 127 when it could not be executed.
    package var exitCode: Int32
    /// Standard output and error as they came, at most as long as was asked for; the rest is dropped.
    package var output: [UInt8]
    /// Whether it was killed because its time was over.
    package var timedOut: Bool

    /// Describes an end.
    package init(exitCode: Int32, output: [UInt8], timedOut: Bool) {
        self.exitCode = exitCode
        self.output = output
        self.timedOut = timedOut
    }
}

/// Something in a container's description that this host cannot enforce.
package struct RuntimeNotice: Sendable, Hashable {
    /// An event reason in CamelCase.
    package var reason: String
    /// What is not enforced and why.
    package var message: String

    /// Describes what is not enforced.
    package init(reason: String, message: String) {
        self.reason = reason
        self.message = message
    }
}
