// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// The life of one pod on its node as a state machine without I/O: what happened goes in, what to do comes out.
///
/// Level-based: each input changes what is known, then ``advance(_:)`` compares it with what is wanted. Inputs about a
/// run that is not the present one are ignored.
package struct PodMachine: Sendable {
    /// A run of a container that the runtime knew when the node agent started.
    package struct KnownRun: Sendable {
        package var container: String
        package var attempt: Int
        package var state: ContainerObservation

        package init(container: String, attempt: Int, state: ContainerObservation) {
            self.container = container
            self.attempt = attempt
            self.state = state
        }
    }

    enum Preparation: Sendable, Equatable {
        case none
        case running
        case done
        case failed(retryAt: Timestamp)
    }

    /// The object as last seen.
    package internal(set) var pod: KubeObject
    package let plan: PodPlan
    let timing: PodTiming
    /// Init containers first, then main containers.
    package internal(set) var records: [ContainerLife]
    var preparation = Preparation.none
    /// The pod's address; empty before ``PodInput/prepared(address:)``.
    package internal(set) var address: String
    package internal(set) var startTime: Timestamp
    /// When the containers began to be stopped, and how long that may take.
    var stopping: (since: Timestamp, grace: Duration)?
    /// Why the pod failed as a whole.
    var failure: (reason: String, message: String)?
    package internal(set) var isVanished = false
    /// Nothing runs and nothing will.
    package internal(set) var isConcluded = false
    var isReleased = false
    var isDeleteAsked = false
    var isDiscarded = false
    /// The status of a pod that had ended before the node agent started.
    var frozenStatus: JSONValue?
    /// The time of the latest input.
    var now: Timestamp
    private var actions: [PodAction] = []

    /// Whether its containers are being stopped, or have been.
    package var isStopping: Bool { stopping != nil || isConcluded }

    /// Whether address and volumes are there.
    package var isPreparedForContainers: Bool { preparation == .done }

    /// - Parameters:
    ///   - pod: the object; counts and ends of earlier runs are taken from its status.
    ///   - timing: how long to wait before a restart or another try.
    ///   - runs: what the runtime still knows; running ones are adopted.
    ///   - now: the present time.
    package init(_ pod: KubeObject, timing: PodTiming = PodTiming(), runs: [KnownRun] = [], now: Timestamp) {
        self.pod = pod
        self.timing = timing
        self.now = now
        plan = PodPlan(pod)
        let status = pod.status
        address = status["podIP"].string ?? ""
        startTime = status["startTime"].string.flatMap(Timestamp.init(rfc3339:)) ?? now
        let known = Dictionary(
            (status["initContainerStatuses"].elements + status["containerStatuses"].elements)
                .map { ($0["name"].string ?? "", $0) }, uniquingKeysWith: { first, _ in first })
        let limit = timing.backoffLimit
        let base = timing.backoffBase
        records = plan.containers.map { container in
            var record = ContainerLife(container)
            record.restore(known[container.name] ?? .null, now: now)
            let latest = runs.filter { $0.container == container.name }.max { $0.attempt < $1.attempt }
            if let latest, latest.attempt >= record.attempt { record.adopt(latest, now: now) }
            if record.attempt > 0 { record.backoff = min(base * (1 << min(record.attempt - 1, 10)), limit) }
            return record
        }
        if ["Succeeded", "Failed"].contains(status["phase"].string ?? ""), !records.contains(where: \.isActive) {
            isConcluded = true
            frozenStatus = status
        }
    }

    /// Takes in one input and says what to do now.
    package mutating func handle(_ input: PodInput, now: Timestamp) -> [PodAction] {
        self.now = now
        take(input, now: now)
        advance(now)
        defer { actions = [] }
        return actions
    }

    private mutating func take(_ input: PodInput, now: Timestamp) {
        switch input {
        case .pod(let new):
            pod = new
        case .vanished:
            isVanished = true
        case .prepared(let address):
            self.address = address
            preparation = .done
        case .preparationFailed(let message):
            preparation = .failed(retryAt: now + timing.retryInterval)
            warn("FailedMount", message)
        case .retry:
            if case .failed = preparation { preparation = .failed(retryAt: now) }
            for index in records.indices where records[index].phase == .idle { records[index].retryAt = nil }
        case .tick:
            break
        case .container(let name, let attempt, let state):
            with(name, attempt) { machine, index in machine.observe(index, state, now: now) }
        case .startRefused(let name, let attempt, let reason, let message):
            with(name, attempt) { machine, index in
                guard machine.records[index].phase == .starting else { return }
                machine.records[index].phase = .idle
                machine.records[index].waiting = (reason, message)
                machine.records[index].retryAt = now + machine.timing.retryInterval
                if machine.stopping == nil { machine.warn("Failed", "Error: \(message)", container: name) }
            }
        case .probe(let name, let attempt, let kind, let isPassing):
            with(name, attempt) { machine, index in
                machine.probed(index, kind, isPassing: isPassing, now: now)
            }
        case .postStartEnded(let name, let attempt, let failure):
            with(name, attempt) { machine, index in
                guard machine.records[index].postStart == .running else { return }
                machine.records[index].postStart = .done
                guard let failure else { return }
                machine.warn("FailedPostStartHook", "PostStartHook failed: \(failure)", container: name)
                machine.stop(index, within: machine.plan.gracePeriod, "FailedPostStartHook", now: now)
            }
        case .preStopEnded(let name, let attempt, let failure):
            with(name, attempt) { machine, index in
                if let failure {
                    machine.warn("FailedPreStopHook", "PreStopHook failed: \(failure)", container: name)
                }
                guard machine.records[index].stop?.step == .preStop else { return }
                machine.terminate(index, now: now)
            }
        }
    }

    /// Finds the record of a run; does nothing when that run is not the present one.
    private mutating func with(_ name: String, _ attempt: Int, _ body: (inout PodMachine, Int) -> Void) {
        guard let index = records.firstIndex(where: { $0.plan.name == name && $0.attempt == attempt }) else { return }
        body(&self, index)
    }

    private mutating func observe(_ index: Int, _ state: ContainerObservation, now: Timestamp) {
        let name = records[index].plan.name
        switch state {
        case .running(let startedAt):
            guard records[index].phase == .starting else { return }
            records[index].begin(startedAt)
            emit(.event(isWarning: false, reason: "Started", message: "Started container \(name)", container: name))
            if records[index].plan.postStart != nil {
                records[index].postStart = .running
                emit(.runPostStart(name, attempt: records[index].attempt))
            }
        case .failedToStart(let message):
            guard records[index].isActive else { return }
            warn("Failed", "Error: \(message)", container: name)
            records[index].end(state, id: containerID(index), now: now)
        case .exited, .lost:
            guard records[index].isActive else { return }
            records[index].end(state, id: containerID(index), now: now)
        }
    }

    private mutating func probed(_ index: Int, _ kind: ProbeKind, isPassing: Bool, now: Timestamp) {
        guard records[index].isRunning else { return }
        switch (kind, isPassing) {
        case (.readiness, _):
            records[index].isPassingReadiness = isPassing
        case (.startup, true):
            records[index].hasPassedStartup = true
        case (.liveness, true):
            break
        case (.startup, false), (.liveness, false):
            let container = records[index].plan
            let grace = container.probes[kind]?.gracePeriod ?? plan.gracePeriod
            stop(
                index, within: grace,
                "Container \(container.name) failed \(kind.rawValue.lowercased()) probe, will be restarted", now: now)
        }
    }

    // MARK: - Stopping one container

    /// Begins to stop a running container; nothing when it is being stopped already, except that the deadline may move
    /// forward.
    mutating func stop(_ index: Int, within grace: Duration, _ message: String, now: Timestamp) {
        guard records[index].isRunning else { return }
        let name = records[index].plan.name
        if let deadline = records[index].stop?.deadline {
            records[index].stop?.deadline = min(deadline, now + grace)
            return
        }
        emit(.event(isWarning: false, reason: "Killing", message: message, container: name))
        records[index].stop = .init(step: .preStop, deadline: now + grace)
        if records[index].plan.preStop != nil, grace > .zero {
            emit(.runPreStop(name, attempt: records[index].attempt))
        } else {
            records[index].stop?.step = .terminating
            emit(.terminate(name, attempt: records[index].attempt))
        }
    }

    /// Ends the pre-stop hook's turn: SIGTERM, with at least 2 s to obey it, as upstream grants.
    private mutating func terminate(_ index: Int, now: Timestamp) {
        guard let stop = records[index].stop else { return }
        records[index].stop = .init(step: .terminating, deadline: max(stop.deadline, now + .seconds(2)))
        emit(.terminate(records[index].plan.name, attempt: records[index].attempt))
    }

    /// Goes to the next step of each stop whose time is over.
    mutating func escalate(_ now: Timestamp) {
        for index in records.indices {
            guard records[index].isRunning, let stop = records[index].stop, now >= stop.deadline else { continue }
            switch stop.step {
            case .preStop:
                terminate(index, now: now)
            case .terminating:
                records[index].stop?.step = .killed
                emit(.kill(records[index].plan.name, attempt: records[index].attempt))
            case .killed:
                break
            }
        }
    }

    // MARK: - Helpers

    mutating func emit(_ action: PodAction) { actions.append(action) }

    mutating func warn(_ reason: String, _ message: String, container: String? = nil) {
        emit(.event(isWarning: true, reason: reason, message: message, container: container))
    }

    func containerID(_ index: Int) -> String {
        ContainerIdentity(pod: plan.uid, container: records[index].plan.name, attempt: records[index].attempt).url
    }
}

/// Names one run of a container to the runtime: `UID_CONTAINER_ATTEMPT`.
package struct ContainerIdentity: Hashable, Sendable, CustomStringConvertible {
    package var pod: String
    package var container: String
    package var attempt: Int

    package init(pod: String, container: String, attempt: Int) {
        self.pod = pod
        self.container = container
        self.attempt = attempt
    }

    /// Reads what ``description`` writes; nil for any other text.
    package init?(_ text: String) {
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 3, let attempt = Int(parts[2]), attempt >= 0 else { return nil }
        self.init(pod: String(parts[0]), container: String(parts[1]), attempt: attempt)
    }

    package var description: String { "\(pod)_\(container)_\(attempt)" }

    /// As `containerID` in a status shows it.
    package var url: String { "process://\(description)" }
}
