// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ContainerRuntimes
import Foundation
import KubeAPI
import KubeClient
import KubeServer
import KubeStore
import Logging
import Testing

@testable import Kubelet

/// The node agent with the real process runtime, under a real API server in this process.
@Suite(.serialized) struct NodeAgentTests {
    private static func pod(_ name: String, _ spec: JSONValue) -> KubeObject {
        var pod = KubeObject(.pods, namespace: "default", name: name)
        pod.spec = spec
        pod.spec["nodeName"] = "node"
        pod.spec["terminationGracePeriodSeconds"] = 10
        return pod
    }

    @Test func `registers the node and its lease`() async throws {
        try await TestNode.run { node in
            try await node.whileAgentRuns {
                let object = try await node.wait(.nodes, "node") { Conditions.isTrue("Ready", in: $0.status) }
                #expect(object?.labels["kubernetes.io/hostname"] == "node")
                #expect(object?.status["capacity"]["pods"] == "250")
            }
        }
    }

    @Test func `runs a pod to its end, with environment, files and log`() async throws {
        try await TestNode.run { node in
            var config = KubeObject(.configMaps, namespace: "default", name: "c")
            config["data"] = ["greeting": "hello"]
            _ = try await node.client.create(.configMaps, config)
            let script =
                "echo $GREETING from $NAME; cat $APUS_VOLUME_C/greeting; cat $APUS_VOLUME_E/init; "
                + "test -n \"$POD_IP\" && printf done > $APUS_TERMINATION_LOG"
            let volumes: JSONValue = [["name": "c", "configMap": ["name": "c"]], ["name": "e", "emptyDir": [:]]]
            let mounts: JSONValue = [["name": "c", "mountPath": "/c"], ["name": "e", "mountPath": "/e"]]
            let pod = Self.pod(
                "one",
                [
                    "restartPolicy": "Never", "volumes": volumes,
                    "initContainers": [
                        [
                            "name": "i", "image": "x",
                            "command": ["sh", "-c", "echo before > $APUS_VOLUME_E/init"],
                            "volumeMounts": mounts,
                        ]
                    ],
                    "containers": [
                        [
                            "name": "a", "image": "x", "command": ["sh", "-c", .string(script)],
                            "volumeMounts": mounts,
                            "env": [
                                [
                                    "name": "GREETING",
                                    "valueFrom": ["configMapKeyRef": ["name": "c", "key": "greeting"]],
                                ],
                                ["name": "NAME", "valueFrom": ["fieldRef": ["fieldPath": "metadata.name"]]],
                            ],
                        ]
                    ],
                ])
            _ = try await node.client.create(.pods, pod)
            try await node.whileAgentRuns {
                let ended = try await node.wait(.pods, "one") { $0.status["phase"] == "Succeeded" }
                let state = ended?.status["containerStatuses"][0]["state"]["terminated"]
                #expect(state?["reason"] == "Completed")
                #expect(state?["message"] == "done")
                #expect(ended?.status["podIP"].string?.hasPrefix("127.79.") == true)
                var log: [UInt8] = []
                for try await chunk in try await node.agent.containerLog(pod: pod.key, container: "a") {
                    log += chunk
                }
                #expect(String(decoding: log, as: UTF8.self) == "hello from one\nhellobefore\n")
            }
        }
    }

    @Test func `restarts what crashes, and shows the previous log`() async throws {
        try await TestNode.run { node in
            let pod = Self.pod(
                "crash",
                ["containers": [["name": "a", "image": "x", "command": ["sh", "-c", "echo ran; exit 3"]]]])
            _ = try await node.client.create(.pods, pod)
            try await node.whileAgentRuns {
                let waiting = try await node.wait(.pods, "crash") { pod in
                    pod.status["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
                }
                let status = waiting?.status["containerStatuses"][0]
                #expect(status?["restartCount"] == 1)
                #expect(status?["lastState"]["terminated"]["exitCode"] == 3)
                var log: [UInt8] = []
                for try await chunk in try await node.agent.containerLog(pod: pod.key, previous: true) {
                    log += chunk
                }
                #expect(String(decoding: log, as: UTF8.self) == "ran\n")
                await #expect(throws: StatusError.self) {
                    try await node.agent.containerLog(pod: pod.key, container: "b")
                }
            }
        }
    }

    @Test func `containers outlive the agent, are adopted, and end with their pod`() async throws {
        try await TestNode.run { node in
            let spec: JSONValue = ["containers": [["name": "a", "image": "x", "command": ["sleep", "600"]]]]
            for name in ["stays", "goes"] { _ = try await node.client.create(.pods, Self.pod(name, spec)) }
            try await node.whileAgentRuns {
                for name in ["stays", "goes"] {
                    try await node.wait(.pods, name) { Conditions.isTrue("Ready", in: $0.status) }
                }
            }
            let before = await node.processes()
            #expect(before.count == 2)
            try await node.client.delete(
                .pods, ObjectKey(namespace: "default", name: "goes"), .init(gracePeriodSeconds: 0))
            let again = try node.restarted()
            try await again.whileAgentRuns {
                let goes = before.keys.first { $0.hasPrefix("goes") } ?? ""
                await again.waitForRuntime { await again.processes()[goes] == nil }
                let stays = before.keys.first { $0.hasPrefix("stays") } ?? ""
                #expect(await again.processes()[stays] == before[stays])
                let key = ObjectKey(namespace: "default", name: "stays")
                let pod = try await again.client.get(.pods, key)
                #expect(pod.status["containerStatuses"][0]["restartCount"] == 0)
                try await again.client.delete(.pods, key)
                try await again.waitUntilGone(.pods, "stays")
                #expect(await again.processes().isEmpty)
            }
        }
    }

    @Test func `liveness restarts, readiness follows the program`() async throws {
        try await TestNode.run { node in
            let script = "touch up; trap 'exit 0' TERM; while :; do sleep 0.05; done"
            let pod = Self.pod(
                "probed",
                [
                    "containers": [
                        [
                            "name": "a", "image": "x", "command": ["sh", "-c", .string(script)],
                            "readinessProbe": [
                                "exec": ["command": ["test", "-f", "up"]], "periodSeconds": 1,
                                "timeoutSeconds": 30,
                            ],
                            "livenessProbe": [
                                "tcpSocket": ["port": 1], "periodSeconds": 1, "failureThreshold": 2,
                            ],
                        ]
                    ]
                ])
            let created = try await node.client.create(.pods, pod)
            try await node.whileAgentRuns {
                try await node.wait(.pods, "probed") { pod in
                    pod.status["containerStatuses"][0]["restartCount"].int ?? 0 >= 1
                }
                // Told beside the status, so either may be seen first.
                for reason in ["Unhealthy", "Killing"] {
                    let events = KubeClient.Selection(fields: "reason=\(reason),involvedObject.uid=\(created.uid)")
                    try await node.wait(.events, events) { _ in true }
                }
            }
        }
    }
}
