// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Makes meta/v1 Tables and PartialObjectMetadata.
struct TableRenderer: Sendable {
    private enum Inclusion {
        case none, metadata, object
    }

    private let declaration: ResourceDeclaration
    private let inclusion: Inclusion
    private let now: Timestamp

    init(_ call: ResourceCall, now: Timestamp) {
        self.init(call.declaration, includeObject: call.request.parameter("includeObject") ?? "", now: now)
    }

    init(_ declaration: ResourceDeclaration, includeObject: String, now: Timestamp) {
        self.declaration = declaration
        inclusion =
            switch includeObject {
            case "None": .none
            case "Object": .object
            default: .metadata
            }
        self.now = now
    }

    /// - Parameters:
    ///   - objects: one row each.
    ///   - metadata: list metadata.
    ///   - hasColumns: whether to describe the columns; later events of a watch do not.
    /// - Returns: the Table.
    func table(_ objects: [KubeObject], metadata: JSONValue, hasColumns: Bool = true) -> JSONValue {
        .object([
            "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata.isNull ? [:] : metadata,
            "columnDefinitions": hasColumns ? .array(declaration.columns.map(\.definition)) : .null,
            "rows": .array(objects.map(row)),
        ])
    }

    private func row(_ object: KubeObject) -> JSONValue {
        let cells = JSONValue.array(declaration.columns.map { $0.cell(object, now) })
        switch inclusion {
        case .none: return ["cells": cells]
        case .metadata: return ["cells": cells, "object": Self.partialMetadata(object)]
        case .object: return ["cells": cells, "object": object.complete]
        }
    }

    static func partialMetadata(_ object: KubeObject) -> JSONValue {
        ["kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.metadata]
    }
}
