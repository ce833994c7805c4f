// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A mark on a node that repels pods which do not tolerate it (core/v1 Taint).
package struct Taint: Hashable, Sendable {
    /// What a taint does to pods that do not tolerate it.
    package enum Effect: String, Sendable {
        case noSchedule = "NoSchedule"
        case preferNoSchedule = "PreferNoSchedule"
        case noExecute = "NoExecute"
    }

    package var key: String
    package var value: String
    package var effect: Effect

    package init(key: String, value: String = "", effect: Effect) {
        self.key = key
        self.value = value
        self.effect = effect
    }

    /// Nil when the effect is unknown.
    package init?(json: JSONValue) {
        guard let effect = Effect(rawValue: json["effect"].string ?? "") else { return nil }
        self.init(key: json["key"].string ?? "", value: json["value"].string ?? "", effect: effect)
    }
}

/// What a pod tolerates (core/v1 Toleration).
package struct Toleration: Hashable, Sendable {
    /// Empty, with ``isExists``: all keys.
    package var key: String
    package var value: String
    /// Whether any value is tolerated.
    package var isExists: Bool
    /// Nil: all effects.
    package var effect: Taint.Effect?

    package init(key: String, value: String = "", isExists: Bool = false, effect: Taint.Effect? = nil) {
        self.key = key
        self.value = value
        self.isExists = isExists
        self.effect = effect
    }

    package init(json: JSONValue) {
        self.init(
            key: json["key"].string ?? "", value: json["value"].string ?? "",
            isExists: json["operator"].string == "Exists",
            effect: json["effect"].string.flatMap(Taint.Effect.init(rawValue:)))
    }

    /// Whether a pod with this toleration is not repelled by the taint.
    package func tolerates(_ taint: Taint) -> Bool {
        (effect == nil || effect == taint.effect) && (key == taint.key || (key.isEmpty && isExists))
            && (isExists || value == taint.value)
    }
}
