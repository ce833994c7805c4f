// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Kubelet

/// A node agent that starts again finds pods in any state.
@Suite struct PodAdoptionTests {
    private static let start = Timestamp(seconds: 900_000)

    private func running(ready: Bool = true, restarts: Int = 0, policy: String = "Always") -> KubeObject {
        PodHarness.pod(
            [
                "restartPolicy": .string(policy),
                "containers": [
                    [
                        "name": "a", "image": "x", "startupProbe": ["tcpSocket": ["port": 1]],
                        "readinessProbe": ["tcpSocket": ["port": 1]],
                    ]
                ],
            ],
            status: [
                "phase": "Running", "podIP": "127.80.0.9", "startTime": .string(Self.start.rfc3339),
                "containerStatuses": [
                    [
                        "name": "a", "restartCount": JSONValue(restarts), "ready": .bool(ready), "started": true,
                        "state": ["running": ["startedAt": .string(Self.start.rfc3339)]],
                    ]
                ],
            ])
    }

    @Test func `a running container is adopted without a restart and stays ready`() {
        let run = PodMachine.KnownRun(container: "a", attempt: 3, state: .running(startedAt: Self.start))
        var pod = PodHarness(running(restarts: 3), runs: [run])
        #expect(pod.feed(.tick) == [.prepare])
        #expect(pod.state()["ready"] == true)
        #expect(pod.feed(.prepared(address: "127.80.0.9")) == [])
        #expect(pod.condition("Ready") == "True")
        #expect(pod.status["startTime"].string == Self.start.rfc3339)
        #expect(pod.machine.activeProbes.map(\.kind) == [.readiness])
        // It ran for long, so its end is followed by a restart at once; the next one by the back-off.
        #expect(pod.exit(1, "a", 3) == [.remove("a", attempt: 2), .start("a", attempt: 4)])
        _ = pod.run("a", 4)
        #expect(pod.exit(1, "a", 4) == [])
        #expect(pod.state()["state"]["waiting"]["reason"] == "CrashLoopBackOff")
    }

    @Test func `a newer run than the status tells of`() {
        let run = PodMachine.KnownRun(container: "a", attempt: 1, state: .running(startedAt: Self.start))
        var pod = PodHarness(running(restarts: 0), runs: [run])
        #expect(pod.prepare() == [])
        #expect(pod.state()["restartCount"] == 1)
        #expect(pod.state()["ready"] == false)
        #expect(pod.state()["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown")
    }

    @Test func `a container that ended meanwhile is restarted, counting on`() {
        let end = Termination(exitCode: 2, startedAt: Self.start, finishedAt: Self.start + .seconds(5))
        let run = PodMachine.KnownRun(container: "a", attempt: 0, state: .exited(end))
        var pod = PodHarness(running(), runs: [run])
        #expect(pod.prepare() == [.start("a", attempt: 1)])
        #expect(pod.state()["lastState"]["terminated"]["exitCode"] == 2)
    }

    @Test func `a container that nobody knows any more is lost`() {
        var pod = PodHarness(running(policy: "Never"))
        #expect(pod.prepare() == [.release])
        #expect(pod.state()["state"]["terminated"]["reason"] == "ContainerStatusUnknown")
        #expect(pod.status["phase"] == "Failed")
    }

    @Test func `an ended pod is left as it is, until it is deleted`() {
        let status: JSONValue = [
            "phase": "Succeeded",
            "containerStatuses": [
                ["name": "a", "state": ["terminated": ["exitCode": 0, "finishedAt": "2026-01-01T00:00:00Z"]]]
            ],
        ]
        let object = PodHarness.pod(
            ["restartPolicy": "Never", "containers": [["name": "a", "image": "x"]]], status: status)
        var pod = PodHarness(object)
        #expect(pod.feed(.tick) == [.release])
        #expect(pod.status == status)
        var deleted = object
        deleted.metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        #expect(pod.feed(.pod(deleted)) == [.deleteObject])
    }

    @Test func `a pod that is being deleted is stopped, not prepared`() {
        var object = running()
        object.metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        let run = PodMachine.KnownRun(container: "a", attempt: 0, state: .running(startedAt: Self.start))
        var pod = PodHarness(object, runs: [run])
        #expect(pod.feed(.tick) == [.terminate("a", attempt: 0)])
    }

    @Test func `init containers that are done are not run again`() {
        let object = PodHarness.pod(
            ["initContainers": [["name": "i", "image": "x"]], "containers": [["name": "a", "image": "x"]]],
            status: [
                "phase": "Running",
                "containerStatuses": [
                    [
                        "name": "a", "restartCount": 0,
                        "state": ["running": ["startedAt": .string(Self.start.rfc3339)]],
                    ]
                ],
            ])
        let run = PodMachine.KnownRun(container: "a", attempt: 0, state: .running(startedAt: Self.start))
        var pod = PodHarness(object, runs: [run])
        #expect(pod.prepare() == [])
        #expect(pod.condition("Initialized") == "True")
    }

    @Test func `container identities`() {
        let identity = ContainerIdentity(pod: "0a-1b", container: "web-1", attempt: 12)
        #expect(ContainerIdentity(identity.description) == identity)
        for text in ["", "a_b", "a_b_c", "a_b_-1", "a_b_1_2"] { #expect(ContainerIdentity(text) == nil) }
    }
}
