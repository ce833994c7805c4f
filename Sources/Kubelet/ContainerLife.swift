// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// How one run of a container ended (core/v1 ContainerStateTerminated).
package struct Termination: Sendable, Equatable {
    package var exitCode: Int
    package var signal: Int?
    /// `Completed`, `Error`, `OOMKilled`, `StartError`, `ContainerStatusUnknown`, …
    package var reason: String
    package var message: String
    package var startedAt: Timestamp?
    package var finishedAt: Timestamp
    /// `process://…`
    package var containerID: String

    package init(
        exitCode: Int, signal: Int? = nil, reason: String? = nil, message: String = "", startedAt: Timestamp? = nil,
        finishedAt: Timestamp, containerID: String = ""
    ) {
        self.exitCode = exitCode
        self.signal = signal
        self.reason = reason ?? (exitCode == 0 ? "Completed" : "Error")
        self.message = message
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.containerID = containerID
    }

    package init?(json: JSONValue) {
        guard let code = json["exitCode"].int else { return nil }
        self.init(
            exitCode: code, signal: json["signal"].int, reason: json["reason"].string,
            message: json["message"].string ?? "",
            startedAt: json["startedAt"].string.flatMap(Timestamp.init(rfc3339:)),
            finishedAt: json["finishedAt"].string.flatMap(Timestamp.init(rfc3339:)) ?? Timestamp(seconds: 0),
            containerID: json["containerID"].string ?? "")
    }

    package var json: JSONValue {
        [
            "exitCode": JSONValue(exitCode), "signal": signal.map { JSONValue($0) } ?? nil,
            "reason": .string(reason), "message": message.isEmpty ? nil : .string(message),
            "startedAt": startedAt.map { .string($0.rfc3339) } ?? nil, "finishedAt": .string(finishedAt.rfc3339),
            "containerID": containerID.isEmpty ? nil : .string(containerID),
        ]
    }
}

/// What the runtime says about one run of a container.
package enum ContainerObservation: Sendable, Equatable {
    case running(startedAt: Timestamp)
    case exited(Termination)
    /// The program could not be started; says why.
    case failedToStart(String)
    /// It was running and cannot be found any more.
    case lost
}

/// What is known of one container of a pod; part of ``PodMachine``.
package struct ContainerLife: Sendable, Equatable {
    /// Legal transitions: idle → starting → running → exited → starting (next attempt); starting → exited, idle.
    package enum Phase: Sendable, Equatable {
        case idle
        case starting
        case running(startedAt: Timestamp)
        case exited(Termination)
    }

    /// A stop in progress: pre-stop hook, then SIGTERM, then SIGKILL at the deadline.
    package struct Stop: Sendable, Equatable {
        package enum Step: Sendable, Equatable {
            case preStop
            case terminating
            case killed
        }

        package var step: Step
        package var deadline: Timestamp
    }

    /// The post-start hook of the present attempt.
    package enum PostStart: Sendable, Equatable {
        case none
        case running
        case done
    }

    package var plan: ContainerPlan
    package var phase = Phase.idle
    /// Number of the present or latest run, from 0; equals `restartCount`.
    package var attempt = 0
    /// How the run before the present one ended.
    package var lastTermination: Termination?
    /// Why it is not running although it should.
    package var waiting: (reason: String, message: String)?
    /// When to try again.
    package var retryAt: Timestamp?
    /// The waiting time before the next restart; nil: at once.
    package var backoff: Duration?
    package var stop: Stop?
    package var hasPassedStartup = false
    package var isPassingReadiness = false
    package var postStart = PostStart.none

    package init(_ plan: ContainerPlan) { self.plan = plan }

    package static func == (left: ContainerLife, right: ContainerLife) -> Bool {
        left.plan == right.plan && left.phase == right.phase && left.attempt == right.attempt
            && left.lastTermination == right.lastTermination && left.waiting?.reason == right.waiting?.reason
            && left.waiting?.message == right.waiting?.message && left.retryAt == right.retryAt
            && left.backoff == right.backoff && left.stop == right.stop
            && left.hasPassedStartup == right.hasPassedStartup
            && left.isPassingReadiness == right.isPassingReadiness && left.postStart == right.postStart
    }

    package var isRunning: Bool { if case .running = phase { true } else { false } }

    /// Whether a process of it may exist.
    package var isActive: Bool { isRunning || phase == .starting }

    package var termination: Termination? { if case .exited(let termination) = phase { termination } else { nil } }

    /// Whether any run of it ever began.
    package var hasEverStarted: Bool { isActive || termination != nil || attempt > 0 || lastTermination != nil }

    /// `started` of its status: running, past its startup probe and its post-start hook.
    package var isStarted: Bool { isRunning && hasPassedStartup && postStart != .running }

    /// `ready` of its status.
    package var isReady: Bool {
        switch plan.role {
        case .initializer: termination?.exitCode == 0
        case .sidecar, .main: isStarted && isPassingReadiness
        }
    }

    /// Whether the run that ended is followed by another.
    func isRestarted(_ policy: PodPlan.RestartPolicy) -> Bool {
        guard let termination else { return false }
        switch (plan.role, policy) {
        case (.sidecar, _): return true
        case (.initializer, .never): return false
        case (.initializer, _), (.main, .onFailure): return termination.exitCode != 0
        case (.main, .always): return true
        case (.main, .never): return false
        }
    }
}
