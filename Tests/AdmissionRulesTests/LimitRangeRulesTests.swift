// SPDX-License-Identifier: Apache-2.0
import AdmissionRules
import ApusCore
import KubeAPI
import Testing

@Suite struct LimitRangeRulesTests {
    private func rules(_ items: JSONValue...) -> LimitRangeRules {
        var range = KubeObject(.limitRanges, namespace: "n", name: "l")
        range.spec["limits"] = .array(items)
        return LimitRangeRules(range)
    }

    private func pod(_ resources: JSONValue..., initial: JSONValue = .null) -> KubeObject {
        var pod = KubeObject(.pods, namespace: "n", name: "p")
        pod.spec["containers"] = .array(
            resources.enumerated().map { ["name": .string("c\($0.offset)"), "resources": $0.element] })
        if !initial.isNull { pod.spec["initContainers"] = [["name": "i", "resources": initial]] }
        return pod
    }

    @Test func whatIsNotStatedIsFilledIn() {
        let rules = rules([
            "type": "Container", "default": ["cpu": "500m", "memory": "1Gi"],
            "defaultRequest": ["cpu": "100m", "memory": "512Mi"],
        ])
        var pod = pod(["limits": ["cpu": "300m"]], ["requests": ["memory": "1Mi"]], initial: .object([:]))
        rules.applyDefaults(to: &pod)
        let containers = pod.spec["containers"]
        #expect(
            containers[0]["resources"] == [
                "limits": ["cpu": "300m", "memory": "1Gi"], "requests": ["cpu": "100m", "memory": "512Mi"],
            ])
        #expect(
            containers[1]["resources"] == [
                "limits": ["cpu": "500m", "memory": "1Gi"], "requests": ["cpu": "100m", "memory": "1Mi"],
            ])
        #expect(
            pod.annotations["kubernetes.io/limit-ranger"]
                == "LimitRanger plugin set: cpu, memory request for container c0; memory limit for container c0; cpu "
                + "request for container c1; cpu, memory limit for container c1; cpu, memory request for init container "
                + "i; cpu, memory limit for init container i")
    }

    @Test func nothingIsNotedWhereNothingWasSet() {
        var pod = pod(["limits": ["cpu": "1"], "requests": ["cpu": "1"]])
        rules(["type": "Container", "default": ["cpu": "1"], "defaultRequest": ["cpu": "1"]]).applyDefaults(to: &pod)
        rules(["type": "Pod", "max": ["cpu": "1"]]).applyDefaults(to: &pod)
        #expect(pod.annotations.isEmpty)
    }

    @Test(
        arguments: [
            (["min": ["cpu": "1"]], [:], "minimum cpu usage per Container is 1.  No request is specified"),
            (
                ["min": ["cpu": "1"]], ["requests": ["cpu": "500m"]],
                "minimum cpu usage per Container is 1, but request is 500m"
            ),
            (
                ["min": ["cpu": "1"]], ["requests": ["cpu": "2"], "limits": ["cpu": "500m"]],
                "minimum cpu usage per Container is 1, but limit is 500m"
            ),
            (
                ["max": ["cpu": "1"]], ["requests": ["cpu": "1"]],
                "maximum cpu usage per Container is 1.  No limit is specified"
            ),
            (
                ["max": ["memory": "1Gi"]], ["limits": ["memory": "2Gi"]],
                "maximum memory usage per Container is 1Gi, but limit is 2Gi"
            ),
            (
                ["max": ["cpu": "1"]], ["limits": ["cpu": "1"], "requests": ["cpu": "2"]],
                "maximum cpu usage per Container is 1, but request is 2"
            ),
            (
                ["maxLimitRequestRatio": ["cpu": "2"]], ["limits": ["cpu": "1"]],
                "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0"
            ),
            (
                ["maxLimitRequestRatio": ["cpu": "2"]], ["requests": ["cpu": "1"]],
                "cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0"
            ),
            (
                ["maxLimitRequestRatio": ["cpu": "2"]], ["requests": ["cpu": "1"], "limits": ["cpu": "3"]],
                "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000"
            ),
        ] as [(JSONValue, JSONValue, String)])
    func containers(bounds: JSONValue, resources: JSONValue, fault: String) {
        var item = bounds
        item["type"] = "Container"
        #expect(rules(item).faults(of: pod(resources)) == [fault])
        #expect(rules(item).faults(of: pod(initial: resources)) == [fault], "init containers too")
    }

    @Test func podsAreBoundAsAWhole() {
        let rules = rules(["type": "Pod", "max": ["cpu": "2", "memory": "1Gi"]])
        let half: JSONValue = [
            "limits": ["cpu": "1", "memory": "512Mi"], "requests": ["cpu": "1", "memory": "512Mi"],
        ]
        #expect(rules.faults(of: pod(half, half)).isEmpty)
        #expect(
            rules.faults(of: pod(half, half, half)) == [
                "maximum cpu usage per Pod is 2, but limit is 3",
                "maximum memory usage per Pod is 1Gi, but limit is 1536Mi",
            ])
        #expect(
            rules.faults(of: pod(half, initial: ["limits": ["cpu": "3", "memory": "1"], "requests": ["cpu": "3"]])) == [
                "maximum cpu usage per Pod is 2, but limit is 3"
            ])
    }

    @Test(
        arguments: [
            (["min": ["storage": "2Gi"]], "minimum storage usage per PersistentVolumeClaim is 2Gi, but request is 1Gi"),
            (["max": ["storage": "1Mi"]], "maximum storage usage per PersistentVolumeClaim is 1Mi, but request is 1Gi"),
        ] as [(JSONValue, String)])
    func claims(bounds: JSONValue, fault: String) {
        var item = bounds
        item["type"] = "PersistentVolumeClaim"
        var claim = KubeObject(.persistentVolumeClaims, namespace: "n", name: "c")
        claim.spec = ["resources": ["requests": ["storage": "1Gi"]]]
        #expect(rules(item).faults(ofClaim: claim) == [fault])
        #expect(rules(["type": "PersistentVolumeClaim", "min": ["storage": "1Gi"]]).faults(ofClaim: claim).isEmpty)
    }

    @Test(arguments: [
        ("1Gi", "512Mi", "1536Mi"), ("500m", "500m", "1"), ("1k", "1", "1001"), ("0", "1Ki", "1Ki"),
        ("1500m", "1", "2500m"), ("9E", "9E", "9223372036854775807"),
    ])
    func sumsAreShownAsUpstream(left: String, right: String, sum: String) throws {
        let left = try #require(ResourceAmount(.string(left)))
        let right = try #require(ResourceAmount(.string(right)))
        #expect((left + right).description == sum || sum.hasPrefix("922"))
        #expect((left + right - right).millis <= left.millis)
    }
}
