// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@Suite("Validation of Jobs and CronJobs")
struct JobValidationTests {
    private static let kind = GroupVersionKind(group: "batch", version: "v1", kind: "Job")
    private static let cronKind = GroupVersionKind(group: "batch", version: "v1", kind: "CronJob")

    private static let template: JSONValue = [
        "metadata": ["labels": ["batch.kubernetes.io/controller-uid": "u"]],
        "spec": ["restartPolicy": "Never", "containers": [["name": "c", "image": "x"]]],
    ]

    private static func job(_ spec: [String: JSONValue]) -> JSONValue {
        var object: JSONValue = [
            "apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": "j", "namespace": "default", "uid": "u"],
        ]
        object["spec"] = [
            "template": template, "selector": ["matchLabels": ["batch.kubernetes.io/controller-uid": "u"]],
        ]
        for (key, value) in spec { object["spec"][key] = value }
        Defaults.apply(&object, kind)
        return object
    }

    private func faults(_ object: JSONValue, _ kind: GroupVersionKind, old: JSONValue? = nil) -> [String] {
        ObjectValidation.semantic(object, kind, old: old).map { "\($0.field): \($0.message)" }
    }

    private static let indexed: [String: JSONValue] = [
        "completionMode": "Indexed", "completions": 4, "parallelism": 2, "backoffLimitPerIndex": 1,
    ]

    private static func with(_ spec: [String: JSONValue], _ more: [String: JSONValue]) -> [String: JSONValue] {
        spec.merging(more) { $1 }
    }

    private static func failureRule(_ rule: JSONValue) -> [String: JSONValue] {
        with(indexed, ["podFailurePolicy": ["rules": [rule]]])
    }

    private static func successRule(_ rule: JSONValue) -> [String: JSONValue] {
        with(indexed, ["successPolicy": ["rules": [rule]]])
    }

    @Test("Jobs that are valid")
    func valid() {
        let exit: JSONValue = ["action": "FailJob", "onExitCodes": ["operator": "In", "values": [1, 3]]]
        let condition: JSONValue = [
            "action": "Ignore", "onPodConditions": [["type": "DisruptionTarget", "status": "True"]],
        ]
        for spec in [
            [:], Self.indexed, Self.failureRule(exit), Self.failureRule(condition),
            Self.successRule(["succeededIndexes": "0-1,3", "succeededCount": 2]), ["managedBy": "acme.io/jobs"],
        ] {
            #expect(faults(Self.job(spec), Self.kind) == [])
        }
    }

    @Test(
        "Jobs that are refused",
        arguments: [
            (["parallelism": -1], "spec.parallelism: Invalid value: -1: must be greater than or equal to 0"),
            (["backoffLimit": -1], "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0"),
            (
                ["ttlSecondsAfterFinished": -1],
                "spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or equal to 0"
            ),
            (
                ["completionMode": "Sometimes"],
                "spec.completionMode: Unsupported value: \"Sometimes\": supported values: \"Indexed\", \"NonIndexed\""
            ),
            (
                ["completionMode": "Indexed", "parallelism": 1],
                "spec.completions: Required value: when completion mode is Indexed"
            ),
            (
                ["backoffLimitPerIndex": 1],
                "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"
            ),
            (["maxFailedIndexes": 1], "spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode"),
            (
                with(indexed, ["maxFailedIndexes": 5]),
                "spec.maxFailedIndexes: Invalid value: 5: must be less than or equal to completions"
            ),
            (
                with(indexed, ["parallelism": 100_001]),
                "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed"
            ),
            (
                with(indexed, ["completions": 100_001]),
                "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000"
            ),
            (
                ["managedBy": "jobs"],
                "spec.managedBy: Invalid value: \"jobs\": must be a domain-prefixed path (such as \"acme.io/foo\")"
            ),
            (
                ["podReplacementPolicy": "Never"],
                "spec.podReplacementPolicy: Unsupported value: \"Never\": supported values: \"Failed\", \"TerminatingOrFailed\""
            ),
            (["manualSelector": true, "selector": .null], "spec.selector: Required value"),
            (
                ["selector": ["matchLabels": ["batch.kubernetes.io/controller-uid": "v"]]],
                "spec.selector: Invalid value: {\"matchLabels\":{\"batch.kubernetes.io/controller-uid\":\"v\"}}: `selector` not auto-generated"
            ),
            (
                ["successPolicy": ["rules": [["succeededCount": 1]]]],
                "spec.successPolicy: Invalid value: {\"rules\":[{\"succeededCount\":1}]}: requires indexed completion mode"
            ),
            (
                with(indexed, ["successPolicy": ["rules": []]]),
                "spec.successPolicy.rules: Required value: at least one rules must be specified when the successPolicy is specified"
            ),
            (
                successRule([:]),
                "spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified"
            ),
            (
                successRule(["succeededIndexes": "0,9"]),
                "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"0,9\": error parsing succeededIndexes: too large index: \"9\""
            ),
            (
                successRule(["succeededIndexes": "2,1"]),
                "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"2,1\": error parsing succeededIndexes: non-increasing order, previous: 2, current: 1"
            ),
            (
                successRule(["succeededIndexes": "x"]),
                "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"x\": error parsing succeededIndexes: cannot convert string to integer for index: \"x\""
            ),
            (
                successRule(["succeededCount": 5]),
                "spec.successPolicy.rules[0].succeededCount: Invalid value: 5: must be less than or equal to 4 (the number of specified completions)"
            ),
            (
                successRule(["succeededIndexes": "1", "succeededCount": 2]),
                "spec.successPolicy.rules[0].succeededCount: Invalid value: 2: must be less than or equal to 1 (the number of indexes in the specified succeededIndexes field)"
            ),
            (
                failureRule(["action": "Panic", "onExitCodes": ["operator": "In", "values": [1]]]),
                "spec.podFailurePolicy.rules[0].action: Unsupported value: \"Panic\": supported values: \"Count\", \"FailIndex\", \"FailJob\", \"Ignore\""
            ),
            (
                failureRule(["action": "Count", "onExitCodes": ["operator": "Is", "values": [1]]]),
                "spec.podFailurePolicy.rules[0].onExitCodes.operator: Unsupported value: \"Is\": supported values: \"In\", \"NotIn\""
            ),
            (
                failureRule(["action": "Count", "onExitCodes": ["operator": "In", "values": [0]]]),
                "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator"
            ),
            (
                failureRule(["action": "Count", "onExitCodes": ["operator": "In", "values": [2, 1]]]),
                "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,1]: must be ordered"
            ),
            (
                failureRule(["action": "Count", "onExitCodes": ["operator": "In", "values": [1, 1]]]),
                "spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Duplicate value: 1"
            ),
            (
                failureRule([
                    "action": "Count", "onExitCodes": ["operator": "In", "values": [1], "containerName": "d"],
                ]),
                "spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: \"d\": must be one of the container or initContainer names in the pod template"
            ),
            (
                failureRule(["action": "Count"]),
                "spec.podFailurePolicy.rules[0]: Invalid value: {\"action\":\"Count\"}: specifying one of OnExitCodes and OnPodConditions is required"
            ),
        ] as [([String: JSONValue], String)])
    func refused(spec: [String: JSONValue], fault: String) {
        #expect(faults(Self.job(spec), Self.kind).first == fault)
    }

    @Test("rules that depend on other fields")
    func dependent() {
        var job = Self.job(
            Self.failureRule(["action": "FailIndex", "onExitCodes": ["operator": "In", "values": [1]]]))
        job["spec"]["backoffLimitPerIndex"] = nil
        #expect(
            faults(job, Self.kind) == [
                "spec.podFailurePolicy.rules[0].action: Invalid value: \"FailIndex\": requires the backoffLimitPerIndex to be set"
            ])
        job["spec"]["backoffLimitPerIndex"] = 1
        job["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
        #expect(
            faults(job, Self.kind) == [
                "spec.template.spec.restartPolicy: Invalid value: \"OnFailure\": only \"Never\" is supported when podFailurePolicy is specified"
            ])
        var long = Self.job(Self.indexed)
        long["metadata"]["name"] = .string(String(repeating: "n", count: 62))
        let name = String(repeating: "n", count: 62)
        #expect(
            faults(long, Self.kind) == [
                "metadata.name: Invalid value: \"\(name)\": will not able to create pod with invalid DNS label: \(name)-3"
            ])
        job["spec"]["template"]["spec"]["restartPolicy"] = "Always"
        job["spec"]["podFailurePolicy"] = nil
        #expect(
            faults(job, Self.kind) == [
                "spec.template.spec.restartPolicy: Unsupported value: \"Always\": supported values: \"OnFailure\", \"Never\""
            ])
    }

    @Test("what may not change")
    func immutable() {
        let old = Self.job(Self.indexed)
        for (field, value) in [
            ("completionMode", "NonIndexed"), ("managedBy", "acme.io/x"), ("backoffLimitPerIndex", 2),
            ("successPolicy", ["rules": [["succeededCount": 1]]]), ("completions", 3),
        ] as [(String, JSONValue)] {
            var new = old
            new["spec"][field] = value
            #expect(
                faults(new, Self.kind, old: old).contains {
                    $0.hasPrefix("spec.\(field): Invalid value") && $0.hasSuffix("field is immutable")
                })
        }
        var elastic = old
        elastic["spec"]["completions"] = 3
        elastic["spec"]["parallelism"] = 3
        #expect(faults(elastic, Self.kind, old: old) == [])
        var template = old
        template["spec"]["template"]["spec"]["nodeSelector"] = ["a": "b"]
        #expect(faults(template, Self.kind, old: old).count == 1)
        var suspended = old
        suspended["spec"]["suspend"] = true
        #expect(faults(template, Self.kind, old: suspended) == [])
    }

    private static func cronJob(_ spec: [String: JSONValue], name: String = "c") -> JSONValue {
        var object: JSONValue = [
            "apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": ["name": .string(name), "namespace": "default", "uid": "u"],
        ]
        object["spec"] = ["schedule": "* * * * *", "jobTemplate": ["spec": ["template": template]]]
        for (key, value) in spec { object["spec"][key] = value }
        Defaults.apply(&object, cronKind)
        return object
    }

    @Test(
        "CronJobs that are refused",
        arguments: [
            (["schedule": ""], "spec.schedule: Required value"),
            (
                ["schedule": "* * *"],
                "spec.schedule: Invalid value: \"* * *\": expected exactly 5 fields, found 3: [* * *]"
            ),
            (
                ["schedule": "TZ=UTC * * * * *"],
                "spec.schedule: Invalid value: \"TZ=UTC * * * * *\": cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            ),
            (
                ["schedule": "TZ=UTC * * * * *", "timeZone": "UTC"],
                "spec.schedule: Invalid value: \"TZ=UTC * * * * *\": cannot use both timeZone field and TZ or CRON_TZ in schedule"
            ),
            (["timeZone": "Mars/X"], "spec.timeZone: Invalid value: \"Mars/X\": unknown time zone Mars/X"),
            (["timeZone": ""], "spec.timeZone: Invalid value: \"\": timeZone must be nil or non-empty string"),
            (
                ["timeZone": "Local"],
                "spec.timeZone: Invalid value: \"Local\": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
            ),
            (
                ["concurrencyPolicy": "Queue"],
                "spec.concurrencyPolicy: Unsupported value: \"Queue\": supported values: \"Allow\", \"Forbid\", \"Replace\""
            ),
            (
                ["startingDeadlineSeconds": -1],
                "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0"
            ),
            (
                ["jobTemplate": ["spec": ["template": template, "manualSelector": true]]],
                "spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: \"nil\", \"false\""
            ),
            (
                ["jobTemplate": ["spec": ["template": template, "selector": [:]]]],
                "spec.jobTemplate.spec.selector: Invalid value: {}: `selector` will be auto-generated"
            ),
        ] as [([String: JSONValue], String)])
    func cronJobs(spec: [String: JSONValue], fault: String) {
        #expect(faults(Self.cronJob(spec), Self.cronKind) == [fault])
    }

    @Test("a CronJob's name leaves room for its Jobs' names")
    func cronJobName() {
        let name = String(repeating: "n", count: 53)
        #expect(
            faults(Self.cronJob([:], name: name), Self.cronKind)
                == ["metadata.name: Invalid value: \"\(name)\": must be no more than 52 characters"])
    }
}
