// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import KubeAPI

/// Amounts of the resources that pods request and nodes offer.
package struct ResourceAmounts: Hashable, Sendable {
    /// Thousandths of a core.
    package var cpu: Int64 = 0
    /// Bytes.
    package var memory: Int64 = 0
    /// Bytes.
    package var ephemeralStorage: Int64 = 0
    /// All others, by name, in whole units; such as `nvidia.com/gpu`.
    package var extended: [String: Int64] = [:]

    package init(cpu: Int64 = 0, memory: Int64 = 0, ephemeralStorage: Int64 = 0, extended: [String: Int64] = [:]) {
        self.cpu = cpu
        self.memory = memory
        self.ephemeralStorage = ephemeralStorage
        self.extended = extended
    }

    /// Reads a core/v1 ResourceList; entries that are not quantities, and `pods`, are left out.
    package init(json: JSONValue) {
        for (name, value) in json.members {
            guard let quantity = Self.quantity(value) else { continue }
            switch name {
            case "cpu": cpu = quantity.millis
            case "memory": memory = quantity.value
            case "ephemeral-storage": ephemeralStorage = quantity.value
            case "pods": break
            default: extended[name] = quantity.value
            }
        }
    }

    /// A quantity written as a string or as a number.
    static func quantity(_ json: JSONValue) -> Quantity? {
        json.string.flatMap(Quantity.init) ?? json.int.map { Quantity(Int64($0)) }
            ?? json.double.flatMap { Quantity("\($0)") }
    }

    /// The amount of the resource of that name.
    package subscript(_ resource: String) -> Int64 {
        switch resource {
        case "cpu": cpu
        case "memory": memory
        case "ephemeral-storage": ephemeralStorage
        default: extended[resource] ?? 0
        }
    }

    package static func += (left: inout ResourceAmounts, right: ResourceAmounts) {
        left.cpu = sum(left.cpu, right.cpu)
        left.memory = sum(left.memory, right.memory)
        left.ephemeralStorage = sum(left.ephemeralStorage, right.ephemeralStorage)
        guard !right.extended.isEmpty else { return }
        left.extended.merge(right.extended, uniquingKeysWith: sum)
    }

    /// Takes away what was added before with `+=`.
    package static func -= (left: inout ResourceAmounts, right: ResourceAmounts) {
        left.cpu -= right.cpu
        left.memory -= right.memory
        left.ephemeralStorage -= right.ephemeralStorage
        for (name, value) in right.extended { left.extended[name, default: 0] -= value }
    }

    /// The larger of each amount.
    package func maximum(_ other: ResourceAmounts) -> ResourceAmounts {
        ResourceAmounts(
            cpu: max(cpu, other.cpu), memory: max(memory, other.memory),
            ephemeralStorage: max(ephemeralStorage, other.ephemeralStorage),
            extended: extended.merging(other.extended, uniquingKeysWith: max))
    }

    private static func sum(_ left: Int64, _ right: Int64) -> Int64 {
        let (value, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : value
    }
}
