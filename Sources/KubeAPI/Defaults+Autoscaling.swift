// SPDX-License-Identifier: Apache-2.0
package import ApusCore

extension Defaults {
    /// What upstream fills in for a HorizontalPodAutoscaler; version 1 gets its metric when it is converted.
    static func autoscaler(_ spec: inout JSONValue, version: String) {
        spec["minReplicas"].setDefault(1)
        guard version == "v2" else { return }
        if spec["metrics"].isEmpty { spec["metrics"] = [cpuMetric(80)] }
        guard !spec["behavior"].isNull else { return }
        rules(
            &spec["behavior"]["scaleUp"],
            policies: [
                ["type": "Pods", "value": 4, "periodSeconds": 15],
                ["type": "Percent", "value": 100, "periodSeconds": 15],
            ])
        if spec["behavior"]["scaleUp"]["stabilizationWindowSeconds"].isNull {
            spec["behavior"]["scaleUp"]["stabilizationWindowSeconds"] = 0
        }
        rules(
            &spec["behavior"]["scaleDown"], policies: [["type": "Percent", "value": 100, "periodSeconds": 15]])
    }

    private static func rules(_ rules: inout JSONValue, policies: JSONValue) {
        rules["selectPolicy"].setDefault("Max")
        if rules["policies"].isNull { rules["policies"] = policies }
    }

    /// The metric of an autoscaler that keeps the CPU's use at a percentage of what pods request.
    package static func cpuMetric(_ percent: Int) -> JSONValue {
        [
            "type": "Resource",
            "resource": [
                "name": "cpu", "target": ["type": "Utilization", "averageUtilization": JSONValue(percent)],
            ],
        ]
    }
}
