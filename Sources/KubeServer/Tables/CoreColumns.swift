// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The columns of `kubectl get` for the other built-in kinds.
enum CoreColumns {
    static let namespace: [TableColumn] = [
        .name,
        .text("Status", description: "The status of the namespace") { $0.status["phase"].string ?? "" },
        .age,
    ]

    static let configMap: [TableColumn] = [
        .name,
        .number("Data", description: "Number of keys.") {
            $0["data"].members.count + $0["binaryData"].members.count
        },
        .age,
    ]

    static let secret: [TableColumn] = [
        .name,
        .text("Type", description: "Used to facilitate programmatic handling of secret data.") {
            $0["type"].string ?? ""
        },
        .number("Data", description: "Number of keys.") { $0["data"].members.count },
        .age,
    ]

    static let serviceAccount: [TableColumn] = [
        .name,
        .number("Secrets", description: "Number of secrets that the account refers to.") {
            $0["secrets"].elements.count
        },
        .age,
    ]

    static let lease: [TableColumn] = [
        .name,
        .text("Holder", description: "Identity of the holder of the lease.") {
            $0.spec["holderIdentity"].string ?? ""
        },
        .age,
    ]

    static let event: [TableColumn] = [
        TableColumn("Last Seen", description: "When the event was seen last.") { event, now in
            .string(TableText.age(lastSeen(event), now: now))
        },
        .text("Type", description: "Type of this event.") { $0["type"].string ?? "" },
        .text("Reason", description: "Short reason.") { $0["reason"].string ?? "" },
        .text("Object", description: "The object that the event is about.") { event in
            let object = event["involvedObject"]
            return "\((object["kind"].string ?? "").lowercased())/\(object["name"].string ?? "")"
        },
        .text("Subobject", description: "The part of the object.", wide: true) {
            $0["involvedObject"]["fieldPath"].string ?? ""
        },
        .text("Source", description: "What reported the event.", wide: true) { event in
            let component = event["source"]["component"].string ?? event["reportingComponent"].string ?? ""
            guard let host = event["source"]["host"].string, !host.isEmpty else { return component }
            return "\(component), \(host)"
        },
        .text("Message", description: "What happened.") { event in
            (event["message"].string ?? "").split(whereSeparator: \.isNewline).joined(separator: " ")
        },
        TableColumn("First Seen", description: "When the event was seen first.", wide: true) { event, now in
            .string(TableText.age(time(event["firstTimestamp"]) ?? time(event["eventTime"]), now: now))
        },
        .text("Count", description: "How many times the event was seen.", wide: true) { event in
            String(event["series"]["count"].int ?? event["count"].int ?? 1)
        },
        .text("Name", description: "Name of the event.", wide: true) { $0.name },
    ]

    private static func time(_ json: JSONValue) -> Timestamp? { json.string.flatMap(Timestamp.init(rfc3339:)) }

    private static func lastSeen(_ event: KubeObject) -> Timestamp? {
        time(event["series"]["lastObservedTime"]) ?? time(event["lastTimestamp"]) ?? time(event["eventTime"])
            ?? time(event["firstTimestamp"])
    }

    static let node: [TableColumn] = [
        .name,
        .text("Status", description: "The status of the node") { node in
            let ready = Conditions.find("Ready", in: node.status)["status"].string
            var text = ready == "True" ? "Ready" : ready == nil ? "Unknown" : "NotReady"
            if node.spec["unschedulable"].bool == true { text += ",SchedulingDisabled" }
            return text
        },
        .text("Roles", description: "The roles of the node") { node in
            let prefix = "node-role.kubernetes.io/"
            return TableText.joined(
                node.labels.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }.sorted())
        },
        .age,
        .text("Version", description: "Version of the node agent.") {
            $0.status["nodeInfo"]["kubeletVersion"].string ?? ""
        },
        .text("Internal-IP", description: "Address inside of the cluster.", wide: true) { address($0, "InternalIP") },
        .text("External-IP", description: "Address outside of the cluster.", wide: true) { address($0, "ExternalIP") },
        .text("OS-Image", description: "Operating system.", wide: true) { info($0, "osImage") },
        .text("Kernel-Version", description: "Kernel.", wide: true) { info($0, "kernelVersion") },
        .text("Container-Runtime", description: "Container runtime.", wide: true) {
            info($0, "containerRuntimeVersion")
        },
    ]

    private static func address(_ node: KubeObject, _ type: String) -> String {
        node.status["addresses"].elements.first { $0["type"].string == type }?["address"].string ?? TableText.none
    }

    private static func info(_ node: KubeObject, _ member: String) -> String {
        node.status["nodeInfo"][member].string ?? TableText.unknown
    }
}
