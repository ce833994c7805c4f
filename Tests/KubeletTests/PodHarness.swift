// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

@testable import Kubelet

/// Drives a ``PodMachine`` with a clock of its own.
struct PodHarness {
    var machine: PodMachine
    var now: Timestamp
    var events: [String] = []

    init(_ pod: KubeObject, runs: [PodMachine.KnownRun] = [], at now: Timestamp = Timestamp(seconds: 1_000_000)) {
        self.now = now
        machine = PodMachine(pod, runs: runs, now: now)
    }

    /// A pod of one namespace, made from its spec.
    static func pod(_ spec: JSONValue, status: JSONValue = nil, metadata: [String: JSONValue] = [:]) -> KubeObject {
        var pod = KubeObject(.pods, namespace: "shop", name: "web")
        pod.metadata["uid"] = "u1"
        for (key, value) in metadata { pod.metadata[key] = value }
        pod.spec = spec
        if !status.isNull { pod.status = status }
        return pod
    }

    static func simple(_ policy: String = "Always", containers: JSONValue = [["name": "a", "image": "x"]]) -> KubeObject
    {
        pod(["restartPolicy": .string(policy), "containers": containers])
    }

    /// Feeds an input; returns the actions that are not events, which are kept in `events` as `Reason: message`.
    mutating func feed(_ input: PodInput) -> [PodAction] {
        machine.handle(input, now: now).filter { action in
            if case .event(_, let reason, let message, _) = action {
                events.append("\(reason): \(message)")
                return false
            }
            return true
        }
    }

    mutating func pass(_ duration: Duration) -> [PodAction] {
        now = now + duration
        return feed(.tick)
    }

    /// Prepares the pod; returns what follows.
    mutating func prepare() -> [PodAction] {
        _ = feed(.tick)
        return feed(.prepared(address: "127.80.0.1"))
    }

    mutating func run(_ name: String = "a", _ attempt: Int = 0) -> [PodAction] {
        feed(.container(name, attempt: attempt, .running(startedAt: now)))
    }

    mutating func exit(_ code: Int, _ name: String = "a", _ attempt: Int = 0) -> [PodAction] {
        let record = machine.records.first { $0.plan.name == name }
        var startedAt = now
        if case .running(let start) = record?.phase { startedAt = start }
        return feed(
            .container(
                name, attempt: attempt,
                .exited(Termination(exitCode: code, startedAt: startedAt, finishedAt: now))))
    }

    var status: JSONValue { machine.status(hostAddress: "127.0.0.1", now: now) }

    func state(_ index: Int = 0) -> JSONValue { status["containerStatuses"][index] }

    func condition(_ type: String) -> String {
        let condition = Conditions.find(type, in: status)
        return [condition["status"].string, condition["reason"].string, condition["message"].string]
            .compactMap { $0 }.joined(separator: " | ")
    }
}
