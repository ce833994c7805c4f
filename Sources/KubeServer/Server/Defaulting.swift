// SPDX-License-Identifier: Apache-2.0
import KubeAPI

/// Defaults of built-in kinds.
enum Defaulting {
    static func apply(_ object: inout KubeObject, schema: Schema) {
        Defaults.apply(&object.json, GroupVersionKind(apiVersion: object.apiVersion, kind: object.kind))
    }
}

/// Semantic checks of built-in kinds.
enum SemanticRules {
    static func problems(_ object: KubeObject, old: KubeObject?) -> [StatusCause] { [] }
}
