// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// When an object's certificate is made anew, and what its Secret is. Pure.
package struct CertificatePlan: Sendable {
    /// Of a Service or Gateway: `"true"` asks for a certificate, in the Secret NAME-tls.
    package static let wanted = "serving.apus.dev/tls"
    /// How long it is good, 24h where it is not there, 10 s at least.
    package static let life = "serving.apus.dev/tls-lifetime"
    /// Of the Secret: when the next one is made, and of which authority it is.
    static let renewal = "serving.apus.dev/renew-at"
    static let authority = "serving.apus.dev/authority"

    package let secret: ObjectKey
    package let names: [String]
    package let life: Duration

    /// Nil where none is wanted.
    package init?(_ object: KubeObject) {
        guard object.annotations[Self.wanted] == "true", !object.isBeingDeleted else { return nil }
        let name = object.name
        let namespace = object.namespace
        secret = ObjectKey(namespace: namespace, name: "\(name)-tls")
        names =
            object.kind == "Service"
            ? ["\(name).\(namespace).svc", "\(name).\(namespace).svc.cluster.local", "\(name).\(namespace)", name]
            : ["\(name).\(namespace)", name]
        life = max(.seconds(10), Self.duration(object.annotations[Self.life]) ?? .seconds(86_400))
    }

    private static func duration(_ text: String?) -> Duration? {
        guard let text, let unit = text.last, let value = Int(text.dropLast()), (1...100_000).contains(value) else {
            return nil
        }
        switch unit {
        case "s": return .seconds(value)
        case "m": return .seconds(value * 60)
        case "h": return .seconds(value * 3600)
        default: return nil
        }
    }

    /// How long the present Secret still serves; zero: a new certificate is due. At two thirds of its life, at another
    /// authority, and at other names.
    package func remaining(_ present: KubeObject?, authority: String, now: Timestamp) -> Duration {
        guard let present, present.annotations[Self.authority] == authority,
            present.annotations["serving.apus.dev/names"] == names.joined(separator: ","),
            !present["data"]["tls.crt"].isNull, !present["data"]["tls.key"].isNull,
            let due = present.annotations[Self.renewal].flatMap(Timestamp.init(rfc3339:)), due > now
        else { return .zero }
        return min(due - now, life * 2 / 3)
    }

    /// The Secret with a certificate.
    package func object(
        certificate: String, key: String, authorityPEM: String, authority: String, owner: KubeObject, now: Timestamp
    ) -> KubeObject {
        var object = KubeObject(.secrets, namespace: secret.namespace, name: secret.name)
        object["type"] = "kubernetes.io/tls"
        object.ownerReferences = [owner.controllerReference]
        object.labels = ["app.kubernetes.io/managed-by": "apus-serving-certificates"]
        object.annotations = [
            Self.renewal: (now + life * 2 / 3).rfc3339Micro, Self.authority: authority,
            "serving.apus.dev/names": names.joined(separator: ","),
        ]
        object["data"] = [
            "tls.crt": .string(Base64.encode(certificate.utf8)), "tls.key": .string(Base64.encode(key.utf8)),
            "ca.crt": .string(Base64.encode(authorityPEM.utf8)),
        ]
        return object
    }
}
