// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension Defaults {
    static func deployment(_ spec: inout JSONValue) {
        spec["replicas"].setDefault(1)
        spec["strategy"]["type"].setDefault("RollingUpdate")
        if spec["strategy"]["type"] == "RollingUpdate" {
            spec["strategy"]["rollingUpdate"]["maxUnavailable"].setDefault("25%")
            spec["strategy"]["rollingUpdate"]["maxSurge"].setDefault("25%")
        }
        spec["revisionHistoryLimit"].setDefault(10)
        spec["progressDeadlineSeconds"].setDefault(600)
        podSpec(&spec["template"]["spec"])
    }

    static func statefulSet(_ spec: inout JSONValue) {
        spec["podManagementPolicy"].setDefault("OrderedReady")
        spec["replicas"].setDefault(1)
        spec["revisionHistoryLimit"].setDefault(10)
        spec["updateStrategy"]["type"].setDefault("RollingUpdate")
        if spec["updateStrategy"]["type"] == "RollingUpdate" {
            spec["updateStrategy"]["rollingUpdate"]["partition"].setDefault(0)
        }
        spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"].setDefault("Retain")
        spec["persistentVolumeClaimRetentionPolicy"]["whenScaled"].setDefault("Retain")
        spec["volumeClaimTemplates"].forEachElement { claim in
            claimSpec(&claim["spec"])
            claim["status"]["phase"].setDefault("Pending")
        }
        podSpec(&spec["template"]["spec"])
    }

    static func daemonSet(_ spec: inout JSONValue) {
        spec["revisionHistoryLimit"].setDefault(10)
        spec["updateStrategy"]["type"].setDefault("RollingUpdate")
        if spec["updateStrategy"]["type"] == "RollingUpdate" {
            spec["updateStrategy"]["rollingUpdate"]["maxUnavailable"].setDefault(1)
            spec["updateStrategy"]["rollingUpdate"]["maxSurge"].setDefault(0)
        }
        podSpec(&spec["template"]["spec"])
    }

    static func job(_ object: inout JSONValue) {
        if object["metadata"]["labels"].isEmpty {
            object["metadata"]["labels"] = object["spec"]["template"]["metadata"]["labels"]
        }
        if object["spec"]["completions"].isNull, object["spec"]["parallelism"].isNull {
            object["spec"]["completions"] = 1
        }
        object["spec"]["parallelism"].setDefault(1)
        let hasLimitPerIndex = !object["spec"]["backoffLimitPerIndex"].isNull
        object["spec"]["backoffLimit"].setDefault(hasLimitPerIndex ? JSONValue.int(Int64(Int32.max)) : 6)
        object["spec"]["completionMode"].setDefault("NonIndexed")
        object["spec"]["suspend"].setDefault(false)
        object["spec"]["manualSelector"].setDefault(false)
        let hasFailurePolicy = !object["spec"]["podFailurePolicy"].isNull
        object["spec"]["podReplacementPolicy"].setDefault(hasFailurePolicy ? "Failed" : "TerminatingOrFailed")
        podSpec(&object["spec"]["template"]["spec"])
    }

    static func cronJob(_ spec: inout JSONValue) {
        spec["concurrencyPolicy"].setDefault("Allow")
        spec["suspend"].setDefault(false)
        spec["successfulJobsHistoryLimit"].setDefault(3)
        spec["failedJobsHistoryLimit"].setDefault(1)
        podSpec(&spec["jobTemplate"]["spec"]["template"]["spec"])
    }
}
