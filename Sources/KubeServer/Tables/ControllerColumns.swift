// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The columns of `kubectl get` for the kinds of Declarations+Controllers.
enum ControllerColumns {
    private static func containers(_ template: @escaping @Sendable (KubeObject) -> JSONValue, wide: Bool = true)
        -> [TableColumn]
    {
        [
            .text("Containers", description: "Names of each container in the template.", wide: wide) {
                TableText.containers(template($0)["spec"], "name")
            },
            .text("Images", description: "Images referenced by each container in the template.", wide: wide) {
                TableText.containers(template($0)["spec"], "image")
            },
        ]
    }

    private static let ofTemplate = containers { $0.spec["template"] }

    private static func selector(_ text: @escaping @Sendable (KubeObject) -> String) -> TableColumn {
        .text("Selector", description: "Label selector for pods.", wide: true, text)
    }

    static let replicationController: [TableColumn] =
        [
            .name,
            .number("Desired", description: "Number of pods that are wanted.") { $0.spec["replicas"].int ?? 0 },
            .number("Current", description: "Number of pods that exist.") { $0.status["replicas"].int ?? 0 },
            .number("Ready", description: "Number of pods that are ready.") { $0.status["readyReplicas"].int ?? 0 },
            .age,
        ] + ofTemplate + [selector { TableText.labels($0.spec["selector"]) }]

    static let statefulSet: [TableColumn] =
        [
            .name,
            .text("Ready", description: "Number of pods that are ready, of those wanted.") {
                "\($0.status["readyReplicas"].int ?? 0)/\($0.spec["replicas"].int ?? 0)"
            },
            .age,
        ] + ofTemplate

    static let daemonSet: [TableColumn] =
        [
            .name,
            count("Desired", "desiredNumberScheduled", "Number of nodes that should run a pod."),
            count("Current", "currentNumberScheduled", "Number of nodes that run a pod and should."),
            count("Ready", "numberReady", "Number of nodes whose pod is ready."),
            count("Up-to-date", "updatedNumberScheduled", "Number of nodes whose pod is of the present template."),
            count("Available", "numberAvailable", "Number of nodes whose pod is available."),
            .text("Node Selector", description: "Labels of the nodes that run a pod.") {
                TableText.labels($0.spec["template"]["spec"]["nodeSelector"])
            },
            .age,
        ] + ofTemplate + [selector { TableText.selector($0.spec["selector"]) }]

    private static func count(_ name: String, _ field: String, _ description: String) -> TableColumn {
        .number(name, description: description) { $0.status[field].int ?? 0 }
    }

    static let cronJob: [TableColumn] =
        [
            .name,
            .text("Schedule", description: "When Jobs start, in Cron format.") { $0.spec["schedule"].string ?? "" },
            .text("Timezone", description: "The time zone of the schedule.") {
                $0.spec["timeZone"].string ?? TableText.none
            },
            .text("Suspend", description: "Whether no further Jobs start.") {
                $0.spec["suspend"].bool == true ? "True" : "False"
            },
            .number("Active", description: "Number of Jobs that run.") { $0.status["active"].elements.count },
            TableColumn("Last Schedule", description: "When a Job was started last.") { cronJob, now in
                let last = cronJob.status["lastScheduleTime"].string.flatMap(Timestamp.init(rfc3339:))
                return .string(last.map { TableText.age($0, now: now) } ?? TableText.none)
            },
            .age,
        ] + containers { $0.spec["jobTemplate"]["spec"]["template"] } + [
            selector { TableText.selector($0.spec["jobTemplate"]["spec"]["selector"]) }
        ]

    static let controllerRevision: [TableColumn] = [
        .name,
        .text("Controller", description: "The object whose state this is.") { revision in
            guard let owner = revision.controllerOwner else { return TableText.none }
            let group = owner.apiVersion.split(separator: "/").dropLast().first.map { ".\($0)" } ?? ""
            return "\(owner.kind.lowercased())\(group)/\(owner.name)"
        },
        .number("Revision", description: "The number of the state.") { $0["revision"].int ?? 0 },
        .age,
    ]

    static let podTemplate: [TableColumn] =
        [.name] + containers({ $0["template"] }, wide: false) + [
            .text("Pod Labels", description: "Labels of pods of the template.") {
                TableText.labels($0["template"]["metadata"]["labels"])
            }
        ]

    static let disruptionBudget: [TableColumn] = [
        .name,
        .text("Min Available", description: "How many pods must stay available.") { amount($0.spec["minAvailable"]) },
        .text("Max Unavailable", description: "How many pods may be unavailable.") {
            amount($0.spec["maxUnavailable"])
        },
        .number("Allowed Disruptions", description: "How many pods may be evicted now.") {
            $0.status["disruptionsAllowed"].int ?? 0
        },
        .age,
    ]

    private static func amount(_ value: JSONValue) -> String { value.string ?? value.int.map(String.init) ?? "N/A" }
}
