// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import KubeAPI

/// An amount with the form in which it was written, so that a sum of `1Gi` and `512Mi` is shown as `1536Mi`.
package struct ResourceAmount: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// In thousandths.
    package var millis: Int64
    /// Whether it is shown with powers of 1024.
    package var isBinary: Bool

    package init(millis: Int64, isBinary: Bool = false) {
        self.millis = millis
        self.isBinary = isBinary
    }

    /// A number of things.
    package init(_ count: Int) { self.init(millis: Quantity(Int64(count)).millis) }

    /// Reads a quantity; nil for anything else.
    package init?(_ json: JSONValue) {
        guard let text = json.string ?? json.int.map(String.init), let quantity = Quantity(text) else { return nil }
        self.init(millis: quantity.millis, isBinary: text.last == "i")
    }

    package static let zero = ResourceAmount(millis: 0)

    package static func < (left: ResourceAmount, right: ResourceAmount) -> Bool { left.millis < right.millis }
    package static func == (left: ResourceAmount, right: ResourceAmount) -> Bool { left.millis == right.millis }
    package func hash(into hasher: inout Hasher) { hasher.combine(millis) }

    /// Sums are capped; a zero takes the other's form.
    package static func + (left: ResourceAmount, right: ResourceAmount) -> ResourceAmount {
        let (sum, overflow) = left.millis.addingReportingOverflow(right.millis)
        return ResourceAmount(
            millis: overflow ? (left.millis < 0 ? .min : .max) : sum,
            isBinary: left.millis == 0 ? right.isBinary : left.isBinary)
    }

    package static func - (left: ResourceAmount, right: ResourceAmount) -> ResourceAmount {
        left + ResourceAmount(millis: right.millis == .min ? .max : -right.millis, isBinary: right.isBinary)
    }

    /// The canonical text.
    package var description: String {
        guard millis % 1000 == 0 else { return "\(millis)m" }
        var value = millis / 1000
        if isBinary {
            guard value.magnitude >= 1024 else { return String(value) }
            var suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][...]
            while value % 1024 == 0, suffixes.count > 1 {
                value /= 1024
                suffixes = suffixes.dropFirst()
            }
            return "\(value)\(suffixes.first ?? "")"
        }
        var suffixes = ["", "k", "M", "G", "T", "P", "E"][...]
        while value != 0, value % 1000 == 0, suffixes.count > 1 {
            value /= 1000
            suffixes = suffixes.dropFirst()
        }
        return "\(value)\(suffixes.first ?? "")"
    }

    package var json: JSONValue { .string(description) }
}

/// Amounts by the name of the resource.
package typealias ResourceList = [String: ResourceAmount]

extension ResourceList {
    package init(_ json: JSONValue) { self = json.members.compactMapValues { ResourceAmount($0) } }

    package var json: JSONValue { .object(mapValues(\.json)) }

    /// Adds amounts; what is missing counts as nothing.
    package mutating func add(_ other: ResourceList) {
        for (name, amount) in other { self[name] = (self[name] ?? .zero) + amount }
    }

    /// Takes amounts away; what is missing counts as nothing.
    package mutating func subtract(_ other: ResourceList) {
        for (name, amount) in other { self[name] = (self[name] ?? .zero) - amount }
    }

    /// The larger amount of each.
    func maximum(_ other: ResourceList) -> ResourceList { merging(other) { Swift.max($0, $1) } }

    /// `a=1,b=2`, sorted by name.
    package var text: String { sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",") }
}

/// What a pod asks for as a whole.
///
/// Source: Kubernetes "Init Containers: resource sharing", "Sidecar containers", "Pod Overhead".
package enum PodResources {
    /// The sum of the containers and sidecars, or the largest step of the initialisation where that is more, plus the
    /// overhead; amounts for the whole pod take the place of those sums.
    package static func total(_ spec: JSONValue, _ list: String) -> ResourceList {
        func amounts(_ container: JSONValue) -> ResourceList { ResourceList(container["resources"][list]) }
        var running: ResourceList = [:]
        for container in spec["containers"].elements { running.add(amounts(container)) }
        var sidecars: ResourceList = [:]
        var largestStep: ResourceList = [:]
        for container in spec["initContainers"].elements {
            var step = amounts(container)
            step.add(sidecars)
            if container["restartPolicy"] == "Always" { sidecars = step }
            largestStep = largestStep.maximum(step)
        }
        running.add(sidecars)
        var total = running.maximum(largestStep)
        for (name, amount) in ResourceList(spec["resources"][list]) { total[name] = amount }
        // Where nothing is limited, the overhead limits nothing.
        for (name, amount) in ResourceList(spec["overhead"]) where list == "requests" || total[name] != nil {
            total[name] = (total[name] ?? .zero) + amount
        }
        return total
    }
}
