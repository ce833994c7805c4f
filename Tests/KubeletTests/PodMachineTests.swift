// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Kubelet

@Suite struct PodMachineTests {
    @Test func `runs one container to readiness`() {
        var pod = PodHarness(PodHarness.simple())
        #expect(pod.feed(.tick) == [.prepare])
        #expect(pod.state()["state"]["waiting"]["reason"] == "ContainerCreating")
        #expect(pod.status["phase"] == "Pending")
        #expect(pod.feed(.tick) == [])
        #expect(pod.feed(.prepared(address: "127.80.0.1")) == [.start("a", attempt: 0)])
        #expect(pod.status["podIP"] == "127.80.0.1")
        #expect(pod.condition("Ready") == "False | ContainersNotReady | containers with unready status: [a]")
        #expect(pod.run() == [])
        #expect(pod.events == ["Started: Started container a"])
        #expect(pod.status["phase"] == "Running")
        #expect(pod.state()["ready"] == true)
        #expect(pod.state()["started"] == true)
        #expect(pod.state()["containerID"] == "process://u1_a_0")
        #expect(pod.condition("Ready") == "True")
        #expect(pod.condition("Initialized") == "True")
        #expect(pod.condition("PodReadyToStartContainers") == "True")
    }

    /// What follows the end of the only container, by policy and exit code.
    @Test(arguments: [
        ("Always", 0, "Running", true), ("Always", 1, "Running", true), ("OnFailure", 0, "Succeeded", false),
        ("OnFailure", 1, "Running", true), ("Never", 0, "Succeeded", false), ("Never", 1, "Failed", false),
    ])
    func `restart policy`(policy: String, code: Int, phase: String, isRestarted: Bool) {
        var pod = PodHarness(PodHarness.simple(policy))
        _ = pod.prepare()
        _ = pod.run()
        let actions = pod.exit(code)
        #expect(actions == (isRestarted ? [.start("a", attempt: 1)] : [.release]))
        #expect(pod.status["phase"].string == phase)
        let last = isRestarted ? pod.state()["lastState"] : pod.state()["state"]
        #expect(last["terminated"]["exitCode"].int == code)
        #expect(last["terminated"]["reason"].string == (code == 0 ? "Completed" : "Error"))
        #expect(pod.state()["restartCount"].int == (isRestarted ? 1 : 0))
        if phase == "Succeeded" { #expect(pod.condition("Ready") == "False | PodCompleted") }
        if phase == "Failed" { #expect(pod.condition("Ready") == "False | PodFailed") }
    }

    @Test func `crash back-off doubles to its limit and resets after a long run`() {
        var pod = PodHarness(PodHarness.simple())
        _ = pod.prepare()
        _ = pod.run()
        #expect(pod.exit(1) == [.start("a", attempt: 1)])
        var attempt = 1
        for wait in [10, 20, 40, 80, 160, 300, 300] {
            _ = pod.run("a", attempt)
            #expect(pod.exit(1, "a", attempt) == [])
            #expect(pod.state()["state"]["waiting"]["reason"] == "CrashLoopBackOff")
            #expect(pod.state()["lastState"]["terminated"]["exitCode"] == 1)
            #expect(pod.machine.nextDeadline == pod.now + .seconds(wait))
            #expect(pod.pass(.seconds(wait) - .milliseconds(1)) == [])
            #expect(
                pod.pass(.milliseconds(1)) == [.remove("a", attempt: attempt - 1), .start("a", attempt: attempt + 1)])
            attempt += 1
        }
        #expect(pod.events.contains("BackOff: Back-off restarting failed container a in pod web_shop(u1)"))
        _ = pod.run("a", attempt)
        _ = pod.pass(.seconds(600))
        #expect(pod.exit(1, "a", attempt).last == .start("a", attempt: attempt + 1))
    }

    @Test func `init containers run in order before the main ones`() {
        var pod = PodHarness(
            PodHarness.pod([
                "initContainers": [["name": "i1", "image": "x"], ["name": "i2", "image": "x"]],
                "containers": [["name": "a", "image": "x"], ["name": "b", "image": "x"]],
            ]))
        #expect(pod.prepare() == [.start("i1", attempt: 0)])
        #expect(pod.condition("Initialized").contains("containers with incomplete status: [i1 i2]"))
        #expect(pod.state()["state"]["waiting"]["reason"] == "PodInitializing")
        _ = pod.run("i1")
        #expect(pod.exit(0, "i1") == [.start("i2", attempt: 0)])
        _ = pod.run("i2")
        #expect(pod.exit(3, "i2") == [.start("i2", attempt: 1)])
        _ = pod.run("i2", 1)
        #expect(pod.exit(0, "i2", 1) == [.start("a", attempt: 0), .start("b", attempt: 0)])
        #expect(pod.condition("Initialized") == "True")
    }

    @Test func `a failed init container of a pod that never restarts fails the pod`() {
        var pod = PodHarness(
            PodHarness.pod([
                "restartPolicy": "Never", "initContainers": [["name": "i", "image": "x"]],
                "containers": [["name": "a", "image": "x"]],
            ]))
        _ = pod.prepare()
        _ = pod.run("i")
        #expect(pod.exit(1, "i") == [.release])
        #expect(pod.status["phase"] == "Failed")
    }

    @Test func `sidecars start before and stop after the main containers`() {
        var pod = PodHarness(
            PodHarness.pod([
                "restartPolicy": "Never",
                "initContainers": [
                    ["name": "s", "image": "x", "restartPolicy": "Always"],
                    ["name": "t", "image": "x", "restartPolicy": "Always"],
                ],
                "containers": [["name": "a", "image": "x"]],
            ]))
        #expect(pod.prepare() == [.start("s", attempt: 0)])
        #expect(pod.run("s") == [.start("t", attempt: 0)])
        #expect(pod.run("t") == [.start("a", attempt: 0)])
        _ = pod.run("a")
        #expect(pod.exit(2, "s") == [.start("s", attempt: 1)])
        _ = pod.run("s", 1)
        #expect(pod.exit(0) == [.terminate("t", attempt: 0)])
        #expect(pod.exit(143, "t") == [.terminate("s", attempt: 1)])
        #expect(pod.exit(143, "s", 1) == [.release])
        #expect(pod.status["phase"] == "Succeeded")
    }

    @Test func `deletion stops gracefully, then by force, then deletes the object`() {
        let object = PodHarness.simple()
        var pod = PodHarness(object)
        _ = pod.prepare()
        _ = pod.run()
        var deleted = object
        deleted.metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        deleted.metadata["deletionGracePeriodSeconds"] = 5
        #expect(pod.feed(.pod(deleted)) == [.terminate("a", attempt: 0)])
        #expect(pod.events.last == "Killing: Stopping container a")
        #expect(pod.machine.activeProbes.isEmpty)
        #expect(pod.pass(.seconds(4)) == [])
        #expect(pod.pass(.seconds(1)) == [.kill("a", attempt: 0)])
        #expect(pod.pass(.seconds(100)) == [])
        #expect(pod.exit(137) == [.release, .deleteObject])
        #expect(pod.status["phase"] == "Failed")
        #expect(pod.feed(.pod(deleted)) == [])
        #expect(pod.feed(.vanished) == [.discard])
    }

    @Test func `deletion runs the pre-stop hook first and keeps to the grace period`() {
        let object = PodHarness.simple(
            containers: [["name": "a", "image": "x", "lifecycle": ["preStop": ["exec": ["command": ["true"]]]]]])
        var deleted = object
        deleted.metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        deleted.metadata["deletionGracePeriodSeconds"] = 10
        var pod = PodHarness(object)
        _ = pod.prepare()
        _ = pod.run()
        var slow = pod
        #expect(pod.feed(.pod(deleted)) == [.runPreStop("a", attempt: 0)])
        #expect(pod.feed(.preStopEnded("a", attempt: 0, failure: "no")) == [.terminate("a", attempt: 0)])
        #expect(pod.events.contains("FailedPreStopHook: PreStopHook failed: no"))
        _ = slow.feed(.pod(deleted))
        #expect(slow.pass(.seconds(10)) == [.terminate("a", attempt: 0)])
        #expect(slow.pass(.seconds(2)) == [.kill("a", attempt: 0)])
        #expect(slow.feed(.preStopEnded("a", attempt: 0, failure: nil)) == [])
    }

    @Test func `deletion while starting waits for the start`() {
        let object = PodHarness.simple()
        var deleted = object
        deleted.metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        var preparing = PodHarness(object)
        _ = preparing.feed(.tick)
        #expect(preparing.feed(.pod(deleted)) == [])
        #expect(preparing.feed(.prepared(address: "127.80.0.1")) == [.release, .deleteObject])
        var pod = PodHarness(object)
        _ = pod.prepare()
        #expect(pod.feed(.pod(deleted)) == [])
        #expect(pod.run() == [.terminate("a", attempt: 0)])
        var refused = PodHarness(object)
        _ = refused.prepare()
        _ = refused.feed(.pod(deleted))
        #expect(
            refused.feed(.startRefused("a", attempt: 0, reason: "PodTerminating", message: ""))
                == [.release, .deleteObject])
    }

    @Test func `an object deleted by force still gets its processes stopped`() {
        var pod = PodHarness(PodHarness.simple())
        _ = pod.prepare()
        _ = pod.run()
        #expect(pod.feed(.vanished) == [.terminate("a", attempt: 0)])
        #expect(pod.exit(0) == [.release, .discard])
    }

    @Test func `a failed liveness probe restarts the container with the probe's grace period`() {
        var pod = PodHarness(
            PodHarness.simple(containers: [
                [
                    "name": "a", "image": "x",
                    "livenessProbe": ["tcpSocket": ["port": 1], "terminationGracePeriodSeconds": 3],
                ]
            ]))
        _ = pod.prepare()
        _ = pod.run()
        let key = ProbeKey(container: "a", attempt: 0, kind: .liveness)
        #expect(pod.machine.activeProbes == [key])
        #expect(
            pod.feed(.probe("a", attempt: 0, .liveness, isPassing: false))
                == [.terminate("a", attempt: 0)])
        #expect(pod.events.last == "Killing: Container a failed liveness probe, will be restarted")
        #expect(pod.machine.activeProbes.isEmpty)
        #expect(pod.pass(.seconds(3)) == [.kill("a", attempt: 0)])
        #expect(pod.exit(137) == [.start("a", attempt: 1)])
        #expect(pod.feed(.probe("a", attempt: 0, .liveness, isPassing: false)) == [])
    }

    @Test func `startup gates the other probes, readiness gates traffic`() {
        var pod = PodHarness(
            PodHarness.simple(containers: [
                [
                    "name": "a", "image": "x", "startupProbe": ["tcpSocket": ["port": 1]],
                    "readinessProbe": ["tcpSocket": ["port": 1]], "livenessProbe": ["tcpSocket": ["port": 1]],
                ]
            ]))
        _ = pod.prepare()
        _ = pod.run()
        #expect(pod.machine.activeProbes.map(\.kind) == [.startup])
        #expect(pod.state()["started"] == false)
        _ = pod.feed(.probe("a", attempt: 0, .startup, isPassing: true))
        #expect(Set(pod.machine.activeProbes.map(\.kind)) == [.liveness, .readiness])
        #expect(pod.state()["started"] == true)
        #expect(pod.state()["ready"] == false)
        _ = pod.feed(.probe("a", attempt: 0, .readiness, isPassing: true))
        #expect(pod.condition("Ready") == "True")
        _ = pod.feed(.probe("a", attempt: 0, .readiness, isPassing: false))
        #expect(pod.condition("ContainersReady").hasPrefix("False | ContainersNotReady"))
    }

    @Test func `readiness gates`() {
        var pod = PodHarness(
            PodHarness.pod([
                "containers": [["name": "a", "image": "x"]], "readinessGates": [["conditionType": "g"]],
            ]))
        _ = pod.prepare()
        _ = pod.run()
        #expect(pod.condition("ContainersReady") == "True")
        #expect(
            pod.condition("Ready")
                == "False | ReadinessGatesNotReady | corresponding condition of pod readiness gate \"g\" does not exist."
        )
        pod.machine.pod.status = ["conditions": [["type": "g", "status": "True"]]]
        #expect(pod.condition("Ready") == "True")
    }

    @Test func `post-start hook holds readiness back; its failure stops the container`() {
        var pod = PodHarness(
            PodHarness.simple(containers: [
                ["name": "a", "image": "x", "lifecycle": ["postStart": ["exec": ["command": ["true"]]]]]
            ]))
        _ = pod.prepare()
        #expect(pod.run() == [.runPostStart("a", attempt: 0)])
        #expect(pod.state()["ready"] == false)
        var good = pod
        #expect(good.feed(.postStartEnded("a", attempt: 0, failure: nil)) == [])
        #expect(good.state()["ready"] == true)
        #expect(pod.feed(.postStartEnded("a", attempt: 0, failure: "bad")) == [.terminate("a", attempt: 0)])
        #expect(pod.events.contains("FailedPostStartHook: PostStartHook failed: bad"))
    }

    @Test func `a refused start is tried again`() {
        var pod = PodHarness(PodHarness.simple())
        _ = pod.prepare()
        let refusal = PodInput.startRefused(
            "a", attempt: 0, reason: "CreateContainerConfigError", message: "configmap \"c\" not found")
        #expect(pod.feed(refusal) == [])
        #expect(pod.state()["state"]["waiting"]["reason"] == "CreateContainerConfigError")
        #expect(pod.status["phase"] == "Pending")
        #expect(pod.pass(.seconds(5)) == [.start("a", attempt: 0)])
        _ = pod.feed(refusal)
        #expect(pod.feed(.retry) == [.start("a", attempt: 0)])
    }

    @Test func `a failed preparation is tried again`() {
        var pod = PodHarness(PodHarness.simple())
        _ = pod.feed(.tick)
        #expect(pod.feed(.preparationFailed("no volume")) == [])
        #expect(pod.events == ["FailedMount: no volume"])
        #expect(pod.pass(.seconds(5)) == [.prepare])
    }

    @Test func `a program that cannot start`() {
        var pod = PodHarness(PodHarness.simple("Never"))
        _ = pod.prepare()
        #expect(pod.feed(.container("a", attempt: 0, .failedToStart("no such file"))) == [.release])
        #expect(pod.state()["state"]["terminated"]["reason"] == "StartError")
        #expect(pod.state()["state"]["terminated"]["exitCode"] == 128)
        #expect(pod.events.last == "Failed: Error: no such file")
    }

    @Test func `active deadline`() {
        var pod = PodHarness(
            PodHarness.pod(["activeDeadlineSeconds": 30, "containers": [["name": "a", "image": "x"]]]))
        _ = pod.prepare()
        _ = pod.run()
        #expect(pod.machine.nextDeadline == pod.now + .seconds(30))
        #expect(pod.pass(.seconds(30)) == [.terminate("a", attempt: 0)])
        #expect(pod.exit(0) == [.release])
        #expect(pod.status["phase"] == "Failed")
        #expect(pod.status["reason"] == "DeadlineExceeded")
    }

    @Test func `inputs about other runs change nothing`() {
        var pod = PodHarness(PodHarness.simple())
        _ = pod.prepare()
        _ = pod.run()
        let before = pod.machine.records
        for input: PodInput in [
            .container("a", attempt: 1, .lost), .container("b", attempt: 0, .lost),
            .container("a", attempt: 0, .running(startedAt: pod.now + .seconds(1))),
            .probe("a", attempt: 3, .liveness, isPassing: false),
            .postStartEnded("a", attempt: 0, failure: "x"), .preStopEnded("a", attempt: 0, failure: nil),
            .startRefused("a", attempt: 0, reason: "r", message: "m"), .retry, .tick,
        ] {
            #expect(pod.feed(input) == [])
            #expect(pod.machine.records == before)
        }
    }
}
