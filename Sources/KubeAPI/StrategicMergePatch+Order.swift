// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension StrategicMergePatch {
    /// Carries out `$setElementOrder/LIST`: merges the list, then puts the elements that the client knows into the
    /// client's order and leaves those that only the server knows where they were.
    func setElementOrders(
        _ original: inout [String: JSONValue], _ patch: inout [String: JSONValue], _ type: SchemaMessage?
    ) throws(PatchError) {
        for (key, directive) in patch where key.hasPrefix(Self.setElementOrderPrefix) {
            patch[key] = nil
            let name = String(key.dropFirst(Self.setElementOrderPrefix.count))
            let field = type?.field(name)
            guard case .array(let order) = directive else {
                throw PatchError(.malformed, "invalid patch format of setElementOrder list: \(key) must be a list")
            }
            let change = patch.removeValue(forKey: name)
            let deletion = patch.removeValue(forKey: Self.deletePrefix + name)
            if change == .null {
                original[name] = nil
                continue
            }
            let mergeKey = field?.mergeKey
            func identity(_ element: JSONValue) -> JSONValue {
                if let mergeKey, case .object = element { element[mergeKey] } else { element }
            }
            let clientOrder = order.map(identity)
            if let changes = change?.array { try validate(changes, identity, in: clientOrder) }
            guard original[name] != nil || change != nil else { continue }
            let old = original[name]?.elements ?? []
            var merged = old
            if let deletion {
                let set = Set(deletion.elements)
                merged.removeAll { set.contains($0) }
            }
            if case .array(let changes)? = change { merged = try mergeLists(merged, changes, field) }
            original[name] = .array(
                Self.ordered(merged, identity, clientOrder: clientOrder, serverOrder: old.map(identity)))
        }
    }

    /// Elements of the patch must be in the order list, and in its order.
    private func validate(
        _ changes: [JSONValue], _ identity: (JSONValue) -> JSONValue, in order: [JSONValue]
    ) throws(PatchError) {
        var position = 0
        for change in changes where change[Self.patchDirective].isNull {
            let wanted = identity(change)
            while position < order.count, order[position] != wanted { position += 1 }
            guard position < order.count else {
                throw PatchError(
                    .malformed,
                    "The order in patch list doesn't match $setElementOrder list: \(wanted.text.prefix(64))")
            }
            position += 1
        }
    }

    private static func ordered(
        _ elements: [JSONValue], _ identity: (JSONValue) -> JSONValue, clientOrder: [JSONValue],
        serverOrder: [JSONValue]
    ) -> [JSONValue] {
        func positions(_ order: [JSONValue]) -> [JSONValue: Int] {
            Dictionary(order.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        }
        let client = positions(clientOrder)
        let server = positions(serverOrder)
        let known = elements.filter { client[identity($0)] != nil }
            .sorted { client[identity($0), default: 0] < client[identity($1), default: 0] }
        var serverOnly = elements.filter { client[identity($0)] == nil }[...]
        var result: [JSONValue] = []
        for element in known {
            // An element of the server's goes first where the server had it before this one.
            if let place = server[identity(element)] {
                while let next = serverOnly.first, let nextPlace = server[identity(next)], nextPlace < place {
                    result.append(next)
                    serverOnly = serverOnly.dropFirst()
                }
            }
            result.append(element)
        }
        return result + serverOnly
    }
}
