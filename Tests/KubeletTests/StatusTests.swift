// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Kubelet

@Suite struct StatusTests {
    @Test func `a patch names only what changed`() {
        let old: JSONValue = [
            "phase": "Pending", "podIP": "1",
            "conditions": [
                ["type": "Ready", "status": "False", "reason": "R"], ["type": "Other", "status": "True"],
            ],
        ]
        #expect(PodMachine.statusPatch(from: old, to: old, uid: "u") == nil)
        var new = old
        new["phase"] = "Running"
        new["conditions"] = [["type": "Ready", "status": "True"], ["type": "Other", "status": "True"]]
        let patch = PodMachine.statusPatch(from: old, to: new, uid: "u")
        #expect(patch?["metadata"]["uid"] == "u")
        #expect(patch?["status"]["podIP"].isNull == true)
        #expect(patch?["status"]["phase"] == "Running")
        #expect(
            patch?["status"]["conditions"]
                == [.object(["type": "Ready", "status": "True", "reason": .null, "message": .null])])
    }

    @Test func `a status that was published is not published again`() {
        var pod = PodHarness(PodHarness.simple())
        _ = pod.prepare()
        _ = pod.run()
        var object = pod.machine.pod
        object.status = pod.status
        pod.now = pod.now + .seconds(60)
        _ = pod.feed(.pod(object))
        #expect(PodMachine.statusPatch(from: object.status, to: pod.status, uid: "u1") == nil)
    }

    @Test func `conditions of others are kept`() {
        var pod = PodHarness(
            PodHarness.pod(
                ["containers": [["name": "a", "image": "x"]]],
                status: ["conditions": [["type": "Mine", "status": "True", "lastTransitionTime": "t"]]]))
        _ = pod.prepare()
        #expect(Conditions.isTrue("Mine", in: pod.status))
        #expect(Conditions.isTrue("PodScheduled", in: pod.status))
    }

    @Test func `the node's status`() {
        var configuration = NodeAgentConfiguration(rootDirectory: "/r", apusPath: "/a")
        configuration.maxPods = 7
        var facts = NodeFacts(
            operatingSystem: "linux", architecture: "amd64", kernelVersion: "6", osImage: "Debian", machineID: "m",
            bootID: "b", processors: 4, memory: 8 << 30, storage: 100 << 30, availableMemory: 4 << 30,
            availableStorage: 50 << 30)
        let now = Timestamp(seconds: 1000)
        let good = NodeObject.status(from: nil, name: "n", facts: facts, configuration: configuration, now: now)
        #expect(
            good["capacity"] == ["cpu": "4", "memory": "8388608Ki", "ephemeral-storage": "104857600Ki", "pods": "7"])
        #expect(Conditions.find("Ready", in: good)["reason"] == "KubeletReady")
        #expect(Conditions.find("DiskPressure", in: good)["reason"] == "KubeletHasNoDiskPressure")
        #expect(good["addresses"][1]["address"] == "n")
        facts.availableStorage = 1 << 30
        facts.availableMemory = 1 << 20
        let later = now + .seconds(10)
        let bad = NodeObject.status(from: good, name: "n", facts: facts, configuration: configuration, now: later)
        #expect(Conditions.find("DiskPressure", in: bad)["reason"] == "KubeletHasDiskPressure")
        #expect(Conditions.isTrue("MemoryPressure", in: bad))
        #expect(Conditions.find("Ready", in: bad)["lastTransitionTime"].string == now.rfc3339)
        #expect(Conditions.find("Ready", in: bad)["lastHeartbeatTime"].string == later.rfc3339)
    }

    @Test func `this machine`() {
        let facts = NodeFacts.read(root: "/")
        #expect(facts.processors > 0)
        #expect(facts.memory > 0)
        #expect(facts.storage > 0)
        #expect(!facts.bootID.isEmpty)
    }
}
