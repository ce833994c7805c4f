// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

extension StructuralSchema {
    /// What reading the metadata of a resource, and of the resources inside it, found.
    package struct MetadataReport: Sendable {
        /// Unknown members, such as `metadata.foo`, sorted.
        package var unknown: [String] = []
        /// Members of the wrong type, with where they are.
        package var faults: [StatusCause] = []
    }

    /// Reads `metadata` (as meta/v1 ObjectMeta), `apiVersion` and `kind` of a resource and of all resources that are
    /// embedded in it, and writes the metadata in its canonical form.
    package func readMetadata(of object: inout JSONValue, isRoot: Bool = true) -> MetadataReport {
        var report = MetadataReport()
        guard isRoot || hasEmbedded else { return report }
        readMetadata(&object, isResource: isRoot || isEmbeddedResource, isRoot: isRoot, "", &report)
        report.unknown.sort()
        return report
    }

    private static let objectMeta = Schema.builtIn.type(named: "meta.v1.ObjectMeta")

    private func readMetadata(
        _ value: inout JSONValue, isResource: Bool, isRoot: Bool, _ path: FieldPath, _ report: inout MetadataReport
    ) {
        switch value {
        case .object(var members):
            var isChanged = false
            if isResource {
                for name in ["apiVersion", "kind"] {
                    guard let member = members[name], member.string == nil else { continue }
                    report.faults.append(Self.fault(path[name], member, "must be a string"))
                }
                if let metadata = members["metadata"], let type = Self.objectMeta {
                    let read = ObjectValidation.check(metadata, type: type)
                    if let error = read.typeErrors.first {
                        report.faults.append(Self.fault(path["metadata"], metadata, error))
                    } else {
                        for text in read.unknownFields {
                            report.unknown.append(path["metadata"].description + "." + Self.fieldName(text))
                        }
                        if read.object != metadata {
                            members["metadata"] = read.object
                            isChanged = true
                        }
                    }
                }
            }
            for (key, member) in members {
                guard let schema = schema(of: key), member.object != nil || member.array != nil, schema.hasEmbedded
                else { continue }
                var copy = member
                let below = properties[key] == nil ? path.key(key) : path[key]
                schema.readMetadata(
                    &copy, isResource: schema.isEmbeddedResource, isRoot: false, below, &report)
                if copy != member {
                    members[key] = copy
                    isChanged = true
                }
            }
            if isChanged { value = .object(members) }
        case .array(var elements):
            guard let items, items.hasEmbedded else { return }
            for index in elements.indices {
                items.readMetadata(
                    &elements[index], isResource: items.isEmbeddedResource, isRoot: false, path[index], &report)
            }
            value = .array(elements)
        default: break
        }
    }

    private static func fault(_ path: FieldPath, _ value: JSONValue, _ message: String) -> StatusCause {
        StatusCause(
            reason: "FieldValueInvalid", field: path.description, message: "Invalid value: \(value.text): \(message)")
    }

    /// `foo` of `unknown field "foo"`.
    private static func fieldName(_ text: String) -> String {
        String(text.dropFirst("unknown field \"".count).dropLast())
    }

    /// What is wrong with the resources that are embedded in a value; the value itself is not one.
    package func embeddedFaults(in value: JSONValue, path: FieldPath = "") -> [StatusCause] {
        guard hasEmbedded else { return [] }
        var errors = FieldErrors()
        checkEmbedded(value, isResource: false, path, &errors)
        return errors.causes
    }

    private func checkEmbedded(
        _ value: JSONValue, isResource: Bool, _ path: FieldPath, _ errors: inout FieldErrors
    ) {
        switch value {
        case .object(let members):
            if isResource {
                for name in ["apiVersion", "kind"] {
                    guard let member = members[name] else {
                        errors.required(path[name])
                        continue
                    }
                    guard let text = member.string else { continue }
                    if text.isEmpty {
                        errors.invalid(path[name], member, "must not be empty")
                    } else if name == "kind" {
                        let faults = NameRules.dns1035Label(text.lowercased())
                        if !faults.isEmpty {
                            errors.invalid(
                                path[name], member,
                                "may have mixed case, but should otherwise match: \(faults.joined(separator: ","))")
                        }
                    } else if text.split(separator: "/", omittingEmptySubsequences: false).count > 2 {
                        errors.invalid(path[name], member, "unexpected GroupVersion string: \(text)")
                    }
                }
                errors.labels(path["metadata"]["labels"], members["metadata"]?["labels"] ?? .null)
            }
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                guard let schema = schema(of: key) else { continue }
                schema.checkEmbedded(
                    member, isResource: schema.isEmbeddedResource,
                    properties[key] == nil ? path.key(key) : path[key], &errors)
            }
        case .array(let elements):
            guard let items else { return }
            for (index, element) in elements.enumerated() {
                items.checkEmbedded(element, isResource: items.isEmbeddedResource, path[index], &errors)
            }
        default: break
        }
    }
}
