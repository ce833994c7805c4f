// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ByteCodes
import KubeAPI
import SASLMessages

/// The Secret that a client of a KafkaUser reads its password from: keys `password` and `sasl.jaas.config` (the
/// configuration of Java's clients), as Strimzi's operator makes it.
enum UserSecret {
    /// Its value is the kind of the object that a Secret is of.
    static let kindLabel = "strimzi.io/kind"
    /// Bytes of a password.
    static let maximumPassword = 1024

    /// Whether a Secret was made for this object, or for an earlier one of the same name.
    static func belongs(_ secret: KubeObject, to user: KubeObject) -> Bool {
        if let owner = secret.controllerOwner { return owner.uid == user.uid }
        return secret.ownerReferences.contains { $0.uid == user.uid } || secret.labels[kindLabel] == user.kind
    }

    /// The text under a key; nil where there is none.
    /// - Throws: ``Refusal`` for what is no password.
    static func password(_ secret: KubeObject, key: String) throws(Refusal) -> String? {
        guard let text = secret["data"][key].string else { return nil }
        guard let bytes = Base64Text.decode(text), let password = String(validating: bytes, as: UTF8.self),
            password.utf8.count <= maximumPassword,
            password.unicodeScalars.allSatisfy({ $0.value >= 32 && $0.value != 127 })
        else {
            throw Refusal(
                .invalid,
                "\(key) of the Secret \(secret.name) must be a text of at most \(maximumPassword) bytes in one line "
                    + "(does it end with a line break?)")
        }
        return password.isEmpty ? nil : password
    }

    /// A fresh password: 32 letters and digits, of which the first is a letter (190 bits).
    static func makePassword() -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
        let all = letters + Array("0123456789")
        var random = SystemRandomNumberGenerator()
        return String((0..<32).compactMap { ($0 == 0 ? letters : all).randomElement(using: &random) })
    }

    /// The Secret as it should be: what there is, changed where it differs.
    static func secret(
        of user: KubeObject, _ declared: UserDeclaration, password: String, present: KubeObject?
    ) -> KubeObject {
        var secret = present ?? KubeObject(.secrets, namespace: user.namespace, name: user.name)
        if present == nil { secret["type"] = "Opaque" }
        var labels = secret.labels.merging(declared.secretLabels) { $1 }
        labels[kindLabel] = user.kind
        labels["app.kubernetes.io/instance"] = user.name
        labels["app.kubernetes.io/managed-by"] = "strimzi-user-operator"
        labels["app.kubernetes.io/name"] = "strimzi-user-operator"
        labels["app.kubernetes.io/part-of"] = "strimzi-\(user.name)"
        if let cluster = user.labels[EventOperator.clusterLabel] { labels[EventOperator.clusterLabel] = cluster }
        secret.labels = labels
        secret.annotations = secret.annotations.merging(declared.secretAnnotations) { $1 }
        if !secret.ownerReferences.contains(where: { $0.uid == user.uid }) {
            secret.ownerReferences = secret.ownerReferences.filter { $0.kind != user.kind } + [user.controllerReference]
        }
        secret["data"] = JSONValue([
            "password": Base64Text.encode(Array(password.utf8)),
            "sasl.jaas.config": Base64Text.encode(Array(loginModule(user: declared.username, password).utf8)),
        ])
        return secret
    }

    /// The value of Java's property `sasl.jaas.config`.
    static func loginModule(user: String, _ password: String) -> String {
        func quoted(_ text: String) -> String {
            "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        return "org.apache.kafka.common.security.scram.ScramLoginModule required username=\(quoted(user)) "
            + "password=\(quoted(password));"
    }
}
