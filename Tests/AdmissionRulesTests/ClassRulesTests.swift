// SPDX-License-Identifier: Apache-2.0
import AdmissionRules
import ApusCore
import KubeAPI
import Testing

@Suite struct ClassRulesTests {
    private func pod(_ spec: JSONValue) -> KubeObject {
        var pod = KubeObject(.pods, namespace: "n", name: "p")
        pod.spec = spec
        return pod
    }

    private let classes: [String: PriorityRules.Class] = [
        "high": .init(value: 1000), "polite": .init(value: 5, preemptionPolicy: "Never"),
    ]

    @Test(
        arguments: [
            ([:], 0, "PreemptLowerPriority", nil), (["priorityClassName": "high"], 1000, "PreemptLowerPriority", nil),
            (["priorityClassName": "polite"], 5, "Never", nil),
            (["priorityClassName": "high", "priority": 1000], 1000, "PreemptLowerPriority", nil),
            (["priorityClassName": "none"], 0, "", "no PriorityClass with name none was found"),
            (
                ["priorityClassName": "high", "priority": 5], 0, "",
                "the integer value of priority (5) must not be provided in pod spec; priority admission controller "
                    + "computed 1000 from the given PriorityClass name"
            ),
            (
                ["priorityClassName": "polite", "preemptionPolicy": "PreemptLowerPriority"], 0, "",
                "the string value of PreemptionPolicy (PreemptLowerPriority) must not be provided in pod spec; priority "
                    + "admission controller computed Never from the given PriorityClass name"
            ),
        ] as [(JSONValue, Int, String, String?)])
    func priorities(spec: JSONValue, priority: Int, policy: String, why: String?) {
        var pod = pod(spec)
        #expect(PriorityRules.resolve(&pod, classes: classes) == why)
        guard why == nil else { return }
        #expect(pod.spec["priority"] == JSONValue(priority))
        #expect(pod.spec["preemptionPolicy"].string == policy)
    }

    @Test func theDefaultClassIsTheLowestOfThem() {
        var classes = classes
        classes["b"] = .init(value: 7, isDefault: true)
        classes["a"] = .init(value: 9, isDefault: true)
        var pod = pod([:])
        #expect(PriorityRules.resolve(&pod, classes: classes) == nil)
        #expect(pod.spec["priorityClassName"] == "b")
        #expect(pod.spec["priority"] == 7)
    }

    @Test func thereIsOneDefault() {
        let present: [String: PriorityRules.Class] = ["a": .init(value: 1, isDefault: true)]
        var second = KubeObject(.priorityClasses, name: "b")
        second["globalDefault"] = true
        #expect(
            PriorityRules.refusal(ofDefault: second, classes: present)
                == "PriorityClass a is already marked as default. Only one default can exist")
        second.name = "a"
        #expect(PriorityRules.refusal(ofDefault: second, classes: present) == nil)
        second.name = "b"
        second["globalDefault"] = false
        #expect(PriorityRules.refusal(ofDefault: second, classes: present) == nil)
    }

    private let runtime = RuntimeClassRules.Class(
        KubeObject([
            "overhead": ["podFixed": ["cpu": "250m"]],
            "scheduling": ["nodeSelector": ["k": "v"], "tolerations": [["key": "k", "operator": "Exists"]]],
        ]))

    @Test func aRuntimeAddsWhatItCostsAndWhereItRuns() {
        var pod = pod(["nodeSelector": ["a": "b"], "tolerations": [["operator": "Exists"]]])
        #expect(RuntimeClassRules.apply(runtime, to: &pod) == nil)
        #expect(pod.spec["overhead"] == ["cpu": "250m"])
        #expect(pod.spec["nodeSelector"] == ["a": "b", "k": "v"])
        #expect(pod.spec["tolerations"] == [["operator": "Exists"], ["key": "k", "operator": "Exists"]])
        #expect(RuntimeClassRules.refusal(of: pod, class: runtime) == nil)
        #expect(RuntimeClassRules.apply(runtime, to: &pod) == nil, "once is enough")
        #expect(pod.spec["tolerations"].elements.count == 2)
    }

    @Test(
        arguments: [
            (
                ["overhead": ["cpu": "1"]],
                "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
            ),
            (
                ["nodeSelector": ["k": "w"]],
                "conflict: runtimeClass.scheduling.nodeSelector[k] = v; pod.spec.nodeSelector[k] = w"
            ),
        ] as [(JSONValue, String)])
    func whatAPodSaysMustNotDiffer(spec: JSONValue, why: String) {
        var pod = pod(spec)
        #expect(RuntimeClassRules.apply(runtime, to: &pod) == why)
    }

    @Test func noOverheadWithoutAClass() {
        #expect(
            RuntimeClassRules.refusal(of: pod(["overhead": ["cpu": "1"]]), class: nil)
                == "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
        #expect(RuntimeClassRules.refusal(of: pod([:]), class: nil) == nil)
        #expect(
            RuntimeClassRules.refusal(of: pod([:]), class: runtime)
                == "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
    }
}
