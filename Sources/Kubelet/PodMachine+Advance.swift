// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import KubeAPI

extension PodMachine {
    private static let deadlineMessage = "Pod was active on the node longer than the specified deadline"

    /// Compares what is with what is wanted and asks for the next steps.
    mutating func advance(_ now: Timestamp) {
        noticeEnd(now)
        escalate(now)
        if isConcluded {
            conclude()
        } else if stopping != nil {
            stopAll(now)
        } else if isPrepared(now) {
            if records.contains(where: { $0.plan.role == .main && $0.hasEverStarted }) {
                for index in records.indices where records[index].plan.role == .sidecar { ensureRunning(index, now) }
            } else {
                guard runInitializers(now) else { return }
            }
            for index in records.indices where records[index].plan.role == .main { ensureRunning(index, now) }
            let mains = records.filter { $0.plan.role == .main }
            if mains.allSatisfy({ $0.termination != nil && !$0.isRestarted(plan.restartPolicy) }) {
                beginStopping(plan.gracePeriod, now)
            }
        }
    }

    /// Whether the pod is to end: it is being deleted, gone, or past its deadline.
    private mutating func noticeEnd(_ now: Timestamp) {
        guard !isConcluded else { return }
        if pod.isBeingDeleted || isVanished {
            let grace = pod.metadata["deletionGracePeriodSeconds"].int.map { Duration.seconds($0) }
            // An object that is gone already was deleted by force; its processes still get a moment.
            beginStopping(isVanished ? max(grace ?? plan.gracePeriod, .seconds(1)) : grace ?? plan.gracePeriod, now)
        } else if let deadline = plan.activeDeadline, stopping == nil, now >= startTime + deadline {
            failure = ("DeadlineExceeded", Self.deadlineMessage)
            warn("DeadlineExceeded", Self.deadlineMessage)
            beginStopping(plan.gracePeriod, now)
        }
    }

    private mutating func beginStopping(_ grace: Duration, _ now: Timestamp) {
        if let present = stopping {
            stopping = (present.since, min(present.grace, grace))
        } else {
            stopping = (now, grace)
        }
        stopAll(now)
    }

    /// Stops the main and init containers together, then the sidecars in reverse order.
    private mutating func stopAll(_ now: Timestamp) {
        guard let stopping else { return }
        let left = max(.zero, stopping.since + stopping.grace - now)
        let first = records.indices.filter { records[$0].plan.role != .sidecar && records[$0].isActive }
        if first.isEmpty {
            if let last = records.indices.last(where: { records[$0].isActive }) {
                stop(last, within: max(left, .seconds(min(2, stopping.grace.inSeconds))), stopMessage(last), now: now)
            }
        } else {
            for index in first { stop(index, within: left, stopMessage(index), now: now) }
        }
        if !records.contains(where: \.isActive), preparation != .running {
            isConcluded = true
            conclude()
        }
    }

    private func stopMessage(_ index: Int) -> String { "Stopping container \(records[index].plan.name)" }

    private mutating func conclude() {
        if !isReleased {
            isReleased = true
            emit(.release)
        }
        if isVanished {
            if !isDiscarded { emit(.discard) }
            isDiscarded = true
        } else if pod.isBeingDeleted, !isDeleteAsked {
            isDeleteAsked = true
            emit(.deleteObject)
        }
    }

    private mutating func isPrepared(_ now: Timestamp) -> Bool {
        switch preparation {
        case .done: return true
        case .running: return false
        case .failed(let retryAt) where now < retryAt: return false
        case .none, .failed:
            preparation = .running
            emit(.prepare)
            return false
        }
    }

    /// Takes the init containers one step on; returns whether the main containers may start.
    private mutating func runInitializers(_ now: Timestamp) -> Bool {
        for index in records.indices where records[index].plan.role != .main {
            if let termination = records[index].termination, records[index].plan.role == .initializer {
                if termination.exitCode == 0 { continue }
                if plan.restartPolicy == .never {
                    beginStopping(plan.gracePeriod, now)
                    return false
                }
            }
            ensureRunning(index, now)
            guard records[index].plan.role == .sidecar, records[index].isStarted else { return false }
        }
        return true
    }

    /// Starts a container that does not run and should.
    private mutating func ensureRunning(_ index: Int, _ now: Timestamp) {
        switch records[index].phase {
        case .starting, .running:
            return
        case .idle:
            if let retryAt = records[index].retryAt, now < retryAt { return }
        case .exited(let termination):
            guard records[index].isRestarted(plan.restartPolicy) else { return }
            guard isBackoffOver(index, termination, now) else { return }
            let attempt = records[index].attempt
            if attempt > 0 { emit(.remove(records[index].plan.name, attempt: attempt - 1)) }
            records[index].lastTermination = termination
            records[index].attempt = attempt + 1
        }
        records[index].phase = .starting
        records[index].waiting = nil
        records[index].retryAt = nil
        emit(.start(records[index].plan.name, attempt: records[index].attempt))
    }

    /// The first restart is immediate; each further one waits twice as long, from the end of the run.
    private mutating func isBackoffOver(_ index: Int, _ termination: Termination, _ now: Timestamp) -> Bool {
        if let startedAt = termination.startedAt, termination.finishedAt - startedAt >= timing.backoffLimit * 2 {
            records[index].backoff = nil
        }
        guard let backoff = records[index].backoff else {
            records[index].backoff = timing.backoffBase
            return true
        }
        let restart = min(termination.finishedAt, now) + backoff
        guard now < restart else {
            records[index].backoff = min(backoff * 2, timing.backoffLimit)
            return true
        }
        if records[index].waiting == nil {
            let name = records[index].plan.name
            let pod = "\(plan.key.name)_\(plan.key.namespace)(\(plan.uid))"
            records[index].waiting = (
                "CrashLoopBackOff", "back-off \(Self.goText(backoff)) restarting failed container=\(name) pod=\(pod)"
            )
            warn("BackOff", "Back-off restarting failed container \(name) in pod \(pod)", container: name)
        }
        records[index].retryAt = restart
        return false
    }

    /// A duration as Go prints it: `10s`, `1m20s`, `5m0s`.
    static func goText(_ duration: Duration) -> String {
        let seconds = Int(duration.inSeconds)
        if duration < .seconds(1) { return "\(Int(duration.inSeconds * 1000))ms" }
        return seconds < 60 ? "\(seconds)s" : "\(seconds / 60)m\(seconds % 60)s"
    }

    /// When ``PodInput/tick`` is due; nil: not before another input.
    package var nextDeadline: Timestamp? {
        if isConcluded { return nil }
        var deadlines = records.compactMap { record in
            record.isRunning && record.stop?.step != .killed ? record.stop?.deadline : nil
        }
        if stopping == nil {
            deadlines += records.compactMap { $0.isActive ? nil : $0.retryAt }
            if let deadline = plan.activeDeadline { deadlines.append(startTime + deadline) }
            if case .failed(let retryAt) = preparation { deadlines.append(retryAt) }
        }
        return deadlines.filter { $0 > now }.min()
    }

    /// The probes that are to run now.
    package var activeProbes: Set<ProbeKey> {
        guard stopping == nil else { return [] }
        var keys: Set<ProbeKey> = []
        for record in records where record.isRunning && record.stop == nil && record.postStart != .running {
            let kinds: [ProbeKind] = record.hasPassedStartup ? [.liveness, .readiness] : [.startup]
            for kind in kinds where record.plan.probes[kind] != nil {
                keys.insert(ProbeKey(container: record.plan.name, attempt: record.attempt, kind: kind))
            }
        }
        return keys
    }
}
