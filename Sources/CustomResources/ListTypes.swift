// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

extension StructuralSchema {
    /// Elements that lists of type `set` and `map` have twice; at most 100.
    package func duplicates(in value: JSONValue, path: FieldPath = "") -> [StatusCause] {
        var errors = FieldErrors()
        findDuplicates(value, path, &errors)
        return errors.causes
    }

    private func findDuplicates(_ value: JSONValue, _ path: FieldPath, _ errors: inout FieldErrors) {
        switch value {
        case .object(let members):
            guard hasLists else { return }
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                if let property = properties[key] {
                    property.findDuplicates(member, path[key], &errors)
                } else if let additionalSchema {
                    additionalSchema.findDuplicates(member, path.key(key), &errors)
                }
            }
        case .array(let elements):
            switch listType {
            case "set": findTwice(elements, elements, path, &errors)
            case "map":
                for (index, element) in elements.enumerated() where element.object == nil && !element.isNull {
                    return errors.invalid(
                        path[index], element, "must be an object for an array of list-type map")
                }
                let keys = elements.map { element -> JSONValue in
                    var key: JSONValue = .object([:])
                    for name in listMapKeys { key[name] = element[name] }
                    return key
                }
                findTwice(keys, keys, path, &errors)
            default: break
            }
            guard let items else { return }
            for (index, element) in elements.enumerated() { items.findDuplicates(element, path[index], &errors) }
        default: break
        }
    }

    private var hasLists: Bool { !properties.isEmpty || additionalSchema != nil }

    /// The second of each group of equal values is told.
    private func findTwice(
        _ keys: [JSONValue], _ shown: [JSONValue], _ path: FieldPath, _ errors: inout FieldErrors
    ) {
        var seen: [JSONValue: Int] = [:]
        for (index, key) in keys.enumerated() {
            seen[key, default: 0] += 1
            if seen[key] == 2 { errors.duplicate(path[index], shown[index]) }
        }
    }
}
