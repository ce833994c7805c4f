// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Kubelet

@Suite struct EnvironmentTests {
    @Test(arguments: [
        ("plain", "plain"), ("$(A)", "1"), ("x$(A)y$(B)z", "x1y2z"), ("$$(A)", "$(A)"), ("$$$(A)", "$1"),
        ("$(NONE)", "$(NONE)"), ("$(A", "$(A"), ("$", "$"), ("$$", "$"), ("$A", "$A"), ("$()", "$()"),
        ("$($(A))", "$($(A))"),
    ])
    func `variable references`(text: String, expected: String) {
        #expect(VariableExpansion.expand(text, ["A": "1", "B": "2"]) == expected)
    }

    private func environment(services: [KubeObject] = []) -> ContainerEnvironment {
        var pod = PodHarness.pod(
            ["serviceAccountName": "robot", "containers": []],
            metadata: ["labels": ["app": "web"], "annotations": ["note": "a \"b\""]])
        pod.spec["nodeName"] = "n1"
        var config = KubeObject(.configMaps, namespace: "shop", name: "c")
        config["data"] = ["KEY": "value", "OTHER": "o"]
        var secret = KubeObject(.secrets, namespace: "shop", name: "s")
        secret["data"] = ["password": "aHVudGVyMg=="]
        return ContainerEnvironment(
            pod: pod, podAddress: "127.80.0.1", hostAddress: "127.0.0.1", nodeName: "n1",
            nodeCapacity: ["cpu": Quantity(4)],
            objects: ReferencedObjects(configMaps: ["c": config], secrets: ["s": secret]), services: services)
    }

    @Test func `sources of variables`() throws {
        let container: JSONValue = [
            "name": "a",
            "resources": ["limits": ["memory": "64Mi"], "requests": ["cpu": "250m"]],
            "envFrom": [
                ["configMapRef": ["name": "c"], "prefix": "C_"],
                ["secretRef": ["name": "none", "optional": true]],
            ],
            "env": [
                ["name": "A", "value": "1"], ["name": "B", "value": "$(A)-$(C_KEY)-$(LATER)"],
                ["name": "C", "valueFrom": ["configMapKeyRef": ["name": "c", "key": "KEY"]]],
                ["name": "P", "valueFrom": ["secretKeyRef": ["name": "s", "key": "password"]]],
                ["name": "O", "valueFrom": ["secretKeyRef": ["name": "s", "key": "no", "optional": true]]],
                ["name": "N", "valueFrom": ["fieldRef": ["fieldPath": "metadata.name"]]],
                ["name": "L", "valueFrom": ["fieldRef": ["fieldPath": "metadata.labels['app']"]]],
                ["name": "IP", "valueFrom": ["fieldRef": ["fieldPath": "status.podIP"]]],
                ["name": "SA", "valueFrom": ["fieldRef": ["fieldPath": "spec.serviceAccountName"]]],
                ["name": "MEM", "valueFrom": ["resourceFieldRef": ["resource": "limits.memory", "divisor": "1Mi"]]],
                ["name": "CPU", "valueFrom": ["resourceFieldRef": ["resource": "requests.cpu"]]],
                ["name": "CPUM", "valueFrom": ["resourceFieldRef": ["resource": "requests.cpu", "divisor": "1m"]]],
                ["name": "MAX", "valueFrom": ["resourceFieldRef": ["resource": "limits.cpu"]]],
                ["name": "LATER", "value": "x"],
            ],
        ]
        let result = try environment().variables(for: container, base: ["PATH": "/bin"])
        let expected = [
            "PATH": "/bin", "POD_IP": "127.80.0.1", "HOSTNAME": "web", "C_KEY": "value", "C_OTHER": "o", "A": "1",
            "B": "1-value-$(LATER)", "C": "value", "P": "hunter2", "N": "web", "L": "web", "IP": "127.80.0.1",
            "SA": "robot", "MEM": "64", "CPU": "1", "CPUM": "250", "MAX": "4", "LATER": "x",
        ]
        #expect(result == expected)
    }

    @Test(
        arguments: [
            (["configMapKeyRef": ["name": "z", "key": "k"]], "configmap \"z\" not found"),
            (["configMapKeyRef": ["name": "c", "key": "k"]], "couldn't find key k in ConfigMap shop/c"),
            (["secretKeyRef": ["name": "z", "key": "k"]], "secret \"z\" not found"),
            (
                ["fieldRef": ["fieldPath": "spec.nothing"]],
                "fieldRef \"spec.nothing\" is not supported by the downward API"
            ),
        ] as [(JSONValue, String)])
    func `missing sources`(source: JSONValue, message: String) {
        #expect(throws: ContainerConfigError(message)) {
            try environment().variables(for: ["env": [["name": "A", "valueFrom": source]]])
        }
    }

    @Test func `a missing bulk source`() {
        #expect(throws: ContainerConfigError("configmap \"z\" not found")) {
            try environment().variables(for: ["envFrom": [["configMapRef": ["name": "z"]]]])
        }
    }

    @Test func `service variables`() {
        var service = KubeObject(.services, namespace: "shop", name: "redis-primary")
        service.spec = [
            "clusterIP": "10.0.0.11",
            "ports": [["port": 6379, "name": "main-port"], ["port": 53, "protocol": "UDP"]],
        ]
        var headless = service
        headless.name = "headless"
        headless.spec["clusterIP"] = "None"
        #expect(
            ServiceVariables.make([service, headless]) == [
                "REDIS_PRIMARY_SERVICE_HOST": "10.0.0.11", "REDIS_PRIMARY_SERVICE_PORT": "6379",
                "REDIS_PRIMARY_SERVICE_PORT_MAIN_PORT": "6379", "REDIS_PRIMARY_PORT": "tcp://10.0.0.11:6379",
                "REDIS_PRIMARY_PORT_6379_TCP": "tcp://10.0.0.11:6379", "REDIS_PRIMARY_PORT_6379_TCP_PROTO": "tcp",
                "REDIS_PRIMARY_PORT_6379_TCP_PORT": "6379", "REDIS_PRIMARY_PORT_6379_TCP_ADDR": "10.0.0.11",
                "REDIS_PRIMARY_PORT_53_UDP": "udp://10.0.0.11:53", "REDIS_PRIMARY_PORT_53_UDP_PROTO": "udp",
                "REDIS_PRIMARY_PORT_53_UDP_PORT": "53", "REDIS_PRIMARY_PORT_53_UDP_ADDR": "10.0.0.11",
            ])
    }

    @Test(arguments: [
        ("apus", true), ("apus:latest", true), ("registry:5001/x/apus@sha256:0", true), ("apus/other", false),
        ("nginx", false), ("notapus", false), ("", false),
    ])
    func `the image of Apus`(image: String, isApus: Bool) { #expect(ContainerCommand.isApus(image: image) == isApus) }

    @Test func `commands`() throws {
        func resolve(_ container: JSONValue) throws -> [String] {
            try ContainerCommand.resolve(container, apusPath: "/opt/apus", environment: ["A": "1"])
        }
        #expect(try resolve(["image": "apus", "args": ["serve", "$(A)"]]) == ["/opt/apus", "serve", "1"])
        #expect(try resolve(["image": "apus", "command": ["sh"], "args": ["-c", "$$(A)"]]) == ["sh", "-c", "$(A)"])
        #expect(try resolve(["image": "nginx", "command": ["sleep", "$(B)"]]) == ["sleep", "$(B)"])
        #expect(
            throws: ContainerConfigError(
                "image \"nginx\" cannot be pulled by the process runtime: set command to a program on this host, "
                    + "or use the runc runtime")
        ) { try resolve(["image": "nginx", "args": ["x"]]) }
    }

    @Test(
        arguments: [
            (["limits": ["cpu": "1", "memory": "1Gi"]], "Guaranteed"),
            (["limits": ["cpu": "1", "memory": "1Gi"], "requests": ["cpu": "1", "memory": "1Gi"]], "Guaranteed"),
            (["limits": ["cpu": "1", "memory": "1Gi"], "requests": ["cpu": "500m"]], "Burstable"),
            (["requests": ["cpu": "1"]], "Burstable"), ([:], "BestEffort"), (["limits": ["cpu": "0"]], "BestEffort"),
        ] as [(JSONValue, String)])
    func `quality of service`(resources: JSONValue, expected: String) {
        let pod = PodHarness.pod(["containers": [["name": "a", "resources": resources]]])
        #expect(QualityOfService.of(pod) == expected)
    }
}
