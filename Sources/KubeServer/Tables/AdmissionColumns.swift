// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The columns of `kubectl get` for the kinds that admission goes by.
enum AdmissionColumns {
    static let resourceQuota: [TableColumn] = [
        .name,
        .text("Request", description: "Request represents a minimum amount of cpu/memory that a container may consume.")
        {
            uses($0, areLimits: false)
        },
        .text("Limit", description: "Limits control the maximum amount of cpu/memory that a container may use.") {
            uses($0, areLimits: true)
        },
        .age,
    ]

    static let limitRange: [TableColumn] = [
        .name,
        TableColumn(
            "Created At", type: "date",
            description: "CreationTimestamp is a timestamp representing the server time when this object was created."
        ) { object, _ in object.metadata["creationTimestamp"] },
    ]

    static let priorityClass: [TableColumn] = [
        .name,
        .number("Value", description: "The value of this priority class.") { $0["value"].int ?? 0 },
        TableColumn("Global-Default", type: "boolean", description: "Whether pods without a class get this one.") {
            object, _ in .bool(object["globalDefault"].bool ?? false)
        },
        .age,
        .text("PreemptionPolicy", description: "Whether pods of this class may preempt pods of lower priority.") {
            $0["preemptionPolicy"].string ?? ""
        },
    ]

    static let runtimeClass: [TableColumn] = [
        .name,
        .text("Handler", description: "The configuration of the runtime.") { $0["handler"].string ?? "" },
        .age,
    ]

    /// `pods: 1/2, services: 0/5`: the limits on `limits.` resources, or the others.
    private static func uses(_ quota: KubeObject, areLimits: Bool) -> String {
        let hard = quota.status["hard"].members
        return hard.keys.filter { $0.hasPrefix("limits.") == areLimits }.sorted()
            .map { "\($0): \(amount(quota.status["used"][$0]))/\(amount(hard[$0] ?? .null))" }
            .joined(separator: ", ")
    }

    private static func amount(_ value: JSONValue) -> String { value.string ?? value.int.map(String.init) ?? "0" }
}
