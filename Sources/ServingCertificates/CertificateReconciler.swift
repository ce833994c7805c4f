// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import Crypto
import FoundationEssentials
import KubeAPI
import KubeClient
import Logging

/// Keeps the Secret of one Service's or Gateway's certificate.
struct CertificateReconciler: Reconciler {
    private static let manager = "apus-serving-certificates"

    let client: KubeClient
    let objects: Informer
    let secrets: Informer
    /// The authority's Secret.
    let authority: ObjectKey
    let logger: Logger

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard var owner = objects.get(key), let plan = CertificatePlan(owner.typed(objects.resource)) else {
            return .done
        }
        owner = owner.typed(objects.resource)
        let authority = try await authority()
        let mark = SHA256.hash(data: Data(authority.certificatePEM.utf8)).map { String($0, radix: 16) }.joined()
        let now = Timestamp.now()
        let present = secrets.get(plan.secret)
        if let present, present.controllerOwner?.uid != owner.uid {
            logger.warning("the Secret \(plan.secret) is not of \(owner.kind) \(key): its certificate is not made")
            return .after(.seconds(60))
        }
        let remaining = plan.remaining(present, authority: mark, now: now)
        guard remaining == .zero else { return .after(remaining) }
        let leaf = try authority.issue(
            names: plan.names, life: plan.life, now: Date(timeIntervalSince1970: Double(now.nanoseconds) / 1e9))
        let object = plan.object(
            certificate: leaf.certificate, key: leaf.key, authorityPEM: authority.certificatePEM, authority: mark,
            owner: owner, now: now)
        try await apply(object)
        logger.info("a certificate for \(owner.kind) \(key), good for \(plan.life), is in the Secret \(plan.secret)")
        return .after(plan.life * 2 / 3)
    }

    private func apply(_ object: KubeObject) async throws {
        _ = try await client.call(
            "PATCH", KubeResource.secrets.path(namespace: object.namespace, name: object.name),
            query: [("fieldManager", Self.manager), ("force", "true")], contentType: "application/apply-patch+yaml",
            body: object.json)
    }

    /// The authority, made where it is not there.
    private func authority() async throws -> CertificateAuthority {
        do {
            return try Self.read(try await client.get(.secrets, authority))
        } catch let error as StatusError where error.isNotFound {}
        let made = try CertificateAuthority.make(name: "apus-serving", now: Date.now)
        var secret = KubeObject(.secrets, namespace: authority.namespace, name: authority.name)
        secret["type"] = "kubernetes.io/tls"
        secret["data"] = [
            "tls.crt": .string(Base64.encode(made.certificatePEM.utf8)),
            "tls.key": .string(Base64.encode(made.keyPEM.utf8)),
            "ca.crt": .string(Base64.encode(made.certificatePEM.utf8)),
        ]
        do {
            _ = try await client.create(.secrets, secret)
            logger.info("made an authority for certificates of pods: Secret \(authority)")
            return made
        } catch let error as StatusError where error.code == 409 {
            // Another was faster.
            return try Self.read(try await client.get(.secrets, authority))
        }
    }

    private static func read(_ secret: KubeObject) throws -> CertificateAuthority {
        func text(_ name: String) throws -> String {
            String(decoding: try Base64.decode(secret["data"][name].string ?? "").get(), as: UTF8.self)
        }
        return try CertificateAuthority(certificatePEM: text("tls.crt"), keyPEM: text("tls.key"))
    }
}

extension KubeObject {
    /// With its type, which items of a list may lack.
    fileprivate func typed(_ resource: KubeResource) -> KubeObject {
        var object = self
        object["kind"] = .string(resource.kind)
        object["apiVersion"] = .string(resource.apiVersion)
        return object
    }
}
