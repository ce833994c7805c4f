// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ContainerRuntimes

/// Running the probes and lifecycle hooks of a pod's containers.
extension PodWorker {
    private static let outputLimit = 10 << 10
    /// Time after a container's start in which a readiness or startup probe that does not pass yet is asked more often
    /// than its period, to notice a quick start quickly. Such early failures do not count.
    private static let eagerTime = Duration.seconds(10)

    /// The two moments at which a hook runs.
    enum Hook: Sendable {
        case postStart
        case preStop
    }

    func runHook(_ name: String, _ attempt: Int, _ hook: Hook, timeout: Duration) async {
        let snapshot = snapshot
        let plan = snapshot.plan.containers.first { $0.name == name }
        guard let action = hook == .postStart ? plan?.postStart : plan?.preStop else { return }
        let outcome = await node.prober.ask(
            action, address: snapshot.address, timeout: timeout, exec: execFunction(name, attempt))
        var failure: String?
        if case .failure(let message) = outcome { failure = message }
        send(
            hook == .postStart
                ? .postStartEnded(name, attempt: attempt, failure: failure)
                : .preStopEnded(name, attempt: attempt, failure: failure))
    }

    private func execFunction(_ name: String, _ attempt: Int) -> ExecFunction {
        let id = id(name, attempt)
        let runtime = node.runtime
        return { command, timeout in
            let result = try await runtime.exec(
                id, argv: command, timeout: timeout, outputLimit: Self.outputLimit)
            if result.timedOut { return (-1, "command timed out after \(PodMachine.goText(timeout))") }
            return (Int(result.exitCode), String(decoding: result.output, as: UTF8.self))
        }
    }

    /// Asks one probe again and again until the machine no longer wants it.
    func runProbe(_ key: ProbeKey) async {
        let begin = snapshot
        guard let record = begin.records.first(where: { $0.plan.name == key.container }),
            let probe = record.plan.probes[key.kind], case .running(let startedAt) = record.phase
        else { return }
        let isAdopted = key.kind == .readiness && record.isPassingReadiness
        var machine = ProbeMachine(probe, isPassing: isAdopted ? true : nil)
        let delay = startedAt + probe.initialDelay - .now()
        if delay > .zero, (try? await Task.sleep(for: delay)) == nil { return }
        let exec = execFunction(key.container, key.attempt)
        let isEager: Bool
        switch probe.action {
        case .http, .tcp: isEager = key.kind != .liveness
        case .exec, .sleep, .unsupported: isEager = false
        }
        func ask() async -> ProbeOutcome {
            await node.prober.ask(probe.action, address: begin.address, timeout: probe.timeout, exec: exec)
        }
        while snapshot.activeProbes.contains(key) {
            let next = ContinuousClock.now + probe.period
            let outcome = await ask()
            guard !Task.isCancelled, snapshot.activeProbes.contains(key) else { return }
            settle(outcome, key, &machine)
            var pause = Duration.milliseconds(100)
            while isEager, machine.isPassing != true, .now() < startedAt + probe.initialDelay + Self.eagerTime,
                ContinuousClock.now + pause < next
            {
                guard (try? await Task.sleep(for: pause)) != nil, snapshot.activeProbes.contains(key) else { return }
                let early = await ask()
                if early == .success { settle(early, key, &machine) }
                pause = min(pause * 2, .seconds(1))
            }
            guard (try? await Task.sleep(until: next, clock: .continuous)) != nil else { return }
        }
    }

    private func settle(_ outcome: ProbeOutcome, _ key: ProbeKey, _ machine: inout ProbeMachine) {
        if case .failure(let message) = outcome {
            tell(
                isWarning: true, "Unhealthy", "\(key.kind.rawValue) probe failed: \(message)",
                container: key.container)
        }
        if let isPassing = machine.record(success: outcome == .success) {
            send(.probe(key.container, attempt: key.attempt, key.kind, isPassing: isPassing))
        }
    }
}
