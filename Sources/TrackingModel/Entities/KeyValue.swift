// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A tag, of whatever it is a tag of (MLflow, `RunTag`, `ExperimentTag`, `InputTag`, …).
package struct Tag: Sendable, Hashable {
    package var key: String
    package var value: String

    package init(_ key: String, _ value: String) {
        self.key = key
        self.value = value
    }

    package var json: JSONValue { .object(["key": .string(key), "value": .string(value)]) }
}

/// A parameter of a run, which keeps its first value (MLflow, `Param`).
package struct Param: Sendable, Hashable {
    package var key: String
    package var value: String

    package init(_ key: String, _ value: String) {
        self.key = key
        self.value = value
    }

    package var json: JSONValue { .object(["key": .string(key), "value": .string(value)]) }
}
