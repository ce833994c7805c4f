// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension ContainerLife {
    /// The present attempt was given to the runtime and runs.
    mutating func begin(_ startedAt: Timestamp) {
        phase = .running(startedAt: startedAt)
        waiting = nil
        retryAt = nil
        stop = nil
        postStart = .none
        hasPassedStartup = plan.probes[.startup] == nil
        isPassingReadiness = plan.probes[.readiness] == nil
    }

    /// The present attempt ended.
    mutating func end(_ state: ContainerObservation, id: String, now: Timestamp) {
        var startedAt: Timestamp?
        if case .running(let start) = phase { startedAt = start }
        switch state {
        case .running:
            return
        case .exited(var termination):
            if termination.containerID.isEmpty { termination.containerID = id }
            phase = .exited(termination)
        case .failedToStart(let message):
            phase = .exited(
                Termination(
                    exitCode: 128, reason: "StartError", message: message, startedAt: startedAt, finishedAt: now,
                    containerID: id))
        case .lost:
            phase = .exited(
                Termination(
                    exitCode: 137, reason: "ContainerStatusUnknown",
                    message: "The container could not be located when the node agent looked for it",
                    startedAt: startedAt, finishedAt: now, containerID: id))
        }
        stop = nil
        postStart = .none
        waiting = nil
        retryAt = nil
        isPassingReadiness = false
    }

    /// Takes over what a status (core/v1 ContainerStatus) says of earlier runs. A run that it calls running counts as
    /// lost until ``adopt(_:now:)``.
    mutating func restore(_ status: JSONValue, now: Timestamp) {
        guard !status.isNull else { return }
        attempt = status["restartCount"].int ?? 0
        lastTermination = Termination(json: status["lastState"]["terminated"])
        if let termination = Termination(json: status["state"]["terminated"]) {
            phase = .exited(termination)
        } else if !status["state"]["running"].isNull {
            let start = status["state"]["running"]["startedAt"].string.flatMap(Timestamp.init(rfc3339:)) ?? now
            phase = .running(startedAt: start)
            let wasStarted = status["started"].bool ?? false
            let wasReady = status["ready"].bool ?? false
            end(.lost, id: status["containerID"].string ?? "", now: now)
            hasPassedStartup = wasStarted
            isPassingReadiness = wasReady
        } else if let termination = lastTermination {
            // It waited for its restart.
            phase = .exited(termination)
            lastTermination = nil
        }
    }

    /// Takes over a run that the runtime knows, at or after the one that the status told of.
    mutating func adopt(_ run: PodMachine.KnownRun, now: Timestamp) {
        let passedStartup = hasPassedStartup
        let passedReadiness = isPassingReadiness
        let isSameRun = run.attempt == attempt
        if !isSameRun { lastTermination = termination }
        attempt = run.attempt
        switch run.state {
        case .running(let startedAt):
            begin(startedAt)
            if isSameRun {
                hasPassedStartup = hasPassedStartup || passedStartup
                isPassingReadiness = isPassingReadiness || passedReadiness
            }
        case .exited, .failedToStart:
            phase = .starting
            end(run.state, id: "", now: now)
        case .lost:
            if termination == nil || !isSameRun {
                phase = .starting
                end(.lost, id: "", now: now)
            }
        }
    }
}
