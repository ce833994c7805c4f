// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The columns of `kubectl get` for networking.k8s.io and resource.k8s.io.
enum NetworkingColumns {
    /// The width of a load balancer's addresses in a narrow table.
    private static let addressWidth = 16

    static let ingress: [TableColumn] = [
        .name,
        .text("Class", description: "Name of the class that implements the rules.") { ingress in
            ingress.spec["ingressClassName"].string
                ?? ingress.annotations["kubernetes.io/ingress.class"] ?? TableText.none
        },
        .text("Hosts", description: "Hosts of the rules.") { ingress in
            let hosts = ingress.spec["rules"].elements.compactMap { $0["host"].string }.filter { !$0.isEmpty }
            if hosts.isEmpty { return "*" }
            let text = hosts.prefix(3).joined(separator: ",")
            return hosts.count > 3 ? "\(text) + \(hosts.count - 3) more..." : text
        },
        .text("Address", description: "Where the rules are served.") { ingress in
            let text = ingress.status["loadBalancer"]["ingress"].elements.compactMap {
                $0["ip"].string ?? $0["hostname"].string
            }.joined(separator: ",")
            return text.count > addressWidth ? String(text.prefix(addressWidth - 3)) + "..." : text
        },
        .text("Ports", description: "Ports that the rules are served on.") {
            $0.spec["tls"].isEmpty ? "80" : "80, 443"
        },
        .age,
    ]

    static let ingressClass: [TableColumn] = [
        .name,
        .text("Controller", description: "Who implements the class.") { $0.spec["controller"].string ?? "" },
        .text("Parameters", description: "Further configuration of the controller.") { ingressClass in
            let parameters = ingressClass.spec["parameters"]
            guard let kind = parameters["kind"].string else { return TableText.none }
            let group = parameters["apiGroup"].string.map { ".\($0)" } ?? ""
            return "\(kind)\(group)/\(parameters["name"].string ?? "")"
        },
        .age,
    ]

    static let networkPolicy: [TableColumn] = [
        .name,
        .text("Pod-Selector", description: "Which pods the policy is for.") { policy in
            (try? LabelSelector(json: policy.spec["podSelector"])).map(\.description).flatMap {
                $0.isEmpty ? nil : $0
            } ?? TableText.none
        },
        .age,
    ]

    static let ipAddress: [TableColumn] = [
        .name,
        .text("ParentRef", description: "The object that the address is for.") { address in
            let parent = address.spec["parentRef"]
            guard !parent.isNull else { return TableText.none }
            let group = parent["group"].string ?? ""
            let resource = parent["resource"].string ?? ""
            let parts = [group.isEmpty ? resource : "\(resource).\(group)", parent["namespace"].string ?? ""]
            return (parts.filter { !$0.isEmpty } + [parent["name"].string ?? ""]).joined(separator: "/").lowercased()
        },
        .age,
    ]

    static let serviceCIDR: [TableColumn] = [
        .name,
        .text("CIDRs", description: "Networks that addresses of services come from.") {
            TableText.joined($0.spec["cidrs"].elements.compactMap(\.string))
        },
        .age,
    ]

    static let resourceClaim: [TableColumn] = [
        .name,
        .text("State", description: "What has happened to the claim.") { claim in
            var states: [String] = claim.isBeingDeleted ? ["deleted"] : []
            if claim.status["allocation"].isNull {
                if states.isEmpty { states.append("pending") }
            } else {
                states.append("allocated")
                if !claim.status["reservedFor"].isEmpty { states.append("reserved") }
            }
            return states.joined(separator: ",")
        },
        .age,
    ]

    static let resourceSlice: [TableColumn] = [
        .name,
        .text("Node", description: "The node that has the devices.") { $0.spec["nodeName"].string ?? "" },
        .text("Driver", description: "The driver that publishes the devices.") { $0.spec["driver"].string ?? "" },
        .text("Pool", description: "The pool that the devices are in.") { $0.spec["pool"]["name"].string ?? "" },
        .age,
    ]
}
