// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// Bounds and defaults of the resources of containers, pods and claims in a namespace.
///
/// Source: Kubernetes "Limit Ranges"; LimitRange v1.
package struct LimitRangeRules: Sendable {
    /// The bounds for one type of object.
    private struct Item: Sendable {
        var type: String
        var min: ResourceList
        var max: ResourceList
        var ratio: ResourceList
        var defaults: [(name: String, value: JSONValue)]
        var defaultRequests: [(name: String, value: JSONValue)]
        /// Texts as they were written.
        var texts: [String: JSONValue]

        func text(_ member: String, _ name: String) -> String { texts[member]?[name].string ?? "0" }
    }

    private static let annotation = "kubernetes.io/limit-ranger"
    private let items: [Item]

    package init(_ object: KubeObject) {
        items = object.spec["limits"].elements.map { item in
            func sorted(_ member: String) -> [(name: String, value: JSONValue)] {
                item[member].members.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
            }
            return Item(
                type: item["type"].string ?? "", min: ResourceList(item["min"]), max: ResourceList(item["max"]),
                ratio: ResourceList(item["maxLimitRequestRatio"]), defaults: sorted("default"),
                defaultRequests: sorted("defaultRequest"),
                texts: ["min": item["min"], "max": item["max"], "maxLimitRequestRatio": item["maxLimitRequestRatio"]])
        }
    }

    // MARK: Defaults

    /// Sets the defaults for containers that state nothing, and notes them in an annotation.
    package func applyDefaults(to pod: inout KubeObject) {
        let containers = items.filter { $0.type == "Container" }
        guard !containers.isEmpty else { return }
        var notes: [String] = []
        for (list, what) in [("containers", "container"), ("initContainers", "init container")] {
            for index in pod.spec[list].elements.indices {
                var container = pod.spec[list][index]
                let name = container["name"].string ?? ""
                var requests: [String] = []
                var limits: [String] = []
                // Of several items of the type the last one's defaults win, as upstream collects them.
                for item in containers.reversed() {
                    for (resource, value) in item.defaults where container["resources"]["limits"][resource].isNull {
                        container["resources"]["limits"][resource] = value
                        limits.append(resource)
                    }
                    for (resource, value) in item.defaultRequests
                    where container["resources"]["requests"][resource].isNull {
                        container["resources"]["requests"][resource] = value
                        requests.append(resource)
                    }
                }
                guard !requests.isEmpty || !limits.isEmpty else { continue }
                pod.spec[list][index] = container
                if !requests.isEmpty {
                    notes.append("\(requests.sorted().joined(separator: ", ")) request for \(what) \(name)")
                }
                if !limits.isEmpty {
                    notes.append("\(limits.sorted().joined(separator: ", ")) limit for \(what) \(name)")
                }
            }
        }
        if !notes.isEmpty {
            pod.annotations[Self.annotation] = "LimitRanger plugin set: " + notes.joined(separator: "; ")
        }
    }

    // MARK: Bounds

    /// What of a pod is out of bounds, in upstream's words.
    package func faults(of pod: KubeObject) -> [String] {
        var faults: [String] = []
        for item in items {
            switch item.type {
            case "Container":
                for container in pod.spec["containers"].elements + pod.spec["initContainers"].elements {
                    check(
                        item, requests: ResourceList(container["resources"]["requests"]),
                        limits: ResourceList(container["resources"]["limits"]),
                        texts: container["resources"], &faults)
                }
            case "Pod":
                let requests = PodResources.total(pod.spec, "requests")
                let limits = PodResources.total(pod.spec, "limits")
                check(
                    item, requests: requests, limits: limits,
                    texts: ["requests": requests.json, "limits": limits.json], &faults)
            default: break
            }
        }
        return faults
    }

    /// What of a claim is out of bounds.
    package func faults(ofClaim claim: KubeObject) -> [String] {
        let requests = ResourceList(claim.spec["resources"]["requests"])
        var faults: [String] = []
        for item in items where item.type == "PersistentVolumeClaim" {
            let texts = claim.spec["resources"]
            for (name, bound) in item.min.sorted(by: { $0.key < $1.key }) {
                faults += least(item, name, bound, requests, [:], texts)
            }
            for (name, bound) in item.max.sorted(by: { $0.key < $1.key }) {
                let text = "maximum \(name) usage per \(item.type) is \(item.text("max", name))"
                guard let request = requests[name] else {
                    faults.append("\(text).  No request is specified")
                    continue
                }
                if request > bound { faults.append("\(text), but request is \(Self.text(texts, "requests", name))") }
            }
        }
        return faults
    }

    private func check(
        _ item: Item, requests: ResourceList, limits: ResourceList, texts: JSONValue, _ faults: inout [String]
    ) {
        for (name, bound) in item.min.sorted(by: { $0.key < $1.key }) {
            faults += least(item, name, bound, requests, limits, texts)
        }
        for (name, bound) in item.max.sorted(by: { $0.key < $1.key }) {
            let text = "maximum \(name) usage per \(item.type) is \(item.text("max", name))"
            if let limit = limits[name] {
                if limit > bound {
                    faults.append("\(text), but limit is \(Self.text(texts, "limits", name))")
                } else if let request = requests[name], request > bound {
                    faults.append("\(text), but request is \(Self.text(texts, "requests", name))")
                }
            } else {
                faults.append("\(text).  No limit is specified")
            }
        }
        for (name, bound) in item.ratio.sorted(by: { $0.key < $1.key }) {
            let text =
                "\(name) max limit to request ratio per \(item.type) is \(item.text("maxLimitRequestRatio", name))"
            guard let request = requests[name], request.millis != 0 else {
                faults.append("\(text), but no request is specified or request is 0")
                continue
            }
            guard let limit = limits[name], limit.millis != 0 else {
                faults.append("\(text), but no limit is specified or limit is 0")
                continue
            }
            let ratio = Double(limit.millis) / Double(request.millis)
            if ratio * 1000 > Double(bound.millis) {
                faults.append("\(text), but provided ratio is \(Self.sixDigits(ratio))")
            }
        }
    }

    private func least(
        _ item: Item, _ name: String, _ bound: ResourceAmount, _ requests: ResourceList, _ limits: ResourceList,
        _ texts: JSONValue
    ) -> [String] {
        let text = "minimum \(name) usage per \(item.type) is \(item.text("min", name))"
        guard let request = requests[name] else { return ["\(text).  No request is specified"] }
        if request < bound { return ["\(text), but request is \(Self.text(texts, "requests", name))"] }
        if let limit = limits[name], limit < bound {
            return ["\(text), but limit is \(Self.text(texts, "limits", name))"]
        }
        return []
    }

    private static func text(_ resources: JSONValue, _ list: String, _ name: String) -> String {
        resources[list][name].string ?? "0"
    }

    /// Go's `%f`; capped far above any ratio that makes sense.
    private static func sixDigits(_ value: Double) -> String {
        let millionths = Int64((min(value, 1e12) * 1_000_000).rounded())
        let fraction = String(millionths % 1_000_000)
        return "\(millionths / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
    }
}
