// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import KubeAPI
import Testing

@testable import ServingCertificates

@Suite struct CertificatePlanTests {
    private static let now = Timestamp(seconds: 1_800_000_000)

    private static func service(_ annotations: [String: String]) -> KubeObject {
        var object = KubeObject(.services, namespace: "n", name: "web")
        object.metadata["uid"] = "u"
        object.annotations = annotations
        return object
    }

    @Test func onlyWhoAsksGetsOne() throws {
        #expect(CertificatePlan(Self.service([:])) == nil)
        #expect(CertificatePlan(Self.service([CertificatePlan.wanted: "false"])) == nil)
        let plan = try #require(CertificatePlan(Self.service([CertificatePlan.wanted: "true"])))
        #expect(plan.secret == ObjectKey(namespace: "n", name: "web-tls") && plan.life == .seconds(86_400))
        #expect(plan.names == ["web.n.svc", "web.n.svc.cluster.local", "web.n", "web"])
        for (text, life) in [("90m", 5400), ("1s", 10), ("x", 86_400), ("-5h", 86_400), ("", 86_400)] {
            let annotations = [CertificatePlan.wanted: "true", CertificatePlan.life: text]
            #expect(CertificatePlan(Self.service(annotations))?.life == .seconds(life), "\(text)")
        }
    }

    @Test func aNewOneIsDueAtTwoThirdsOfTheLife() throws {
        let owner = Self.service([CertificatePlan.wanted: "true", CertificatePlan.life: "30m"])
        let plan = try #require(CertificatePlan(owner))
        #expect(plan.remaining(nil, authority: "a", now: Self.now) == .zero)
        let made = plan.object(
            certificate: "c", key: "k", authorityPEM: "ca", authority: "a", owner: owner, now: Self.now)
        #expect(plan.remaining(made, authority: "a", now: Self.now) == .seconds(1200))
        #expect(plan.remaining(made, authority: "a", now: Self.now + .seconds(1199)) == .seconds(1))
        #expect(plan.remaining(made, authority: "a", now: Self.now + .seconds(1200)) == .zero)
        #expect(plan.remaining(made, authority: "b", now: Self.now) == .zero, "another authority")
        var broken = made
        broken["data"]["tls.key"] = nil
        #expect(plan.remaining(broken, authority: "a", now: Self.now) == .zero)
        #expect(made.controllerOwner?.uid == "u")
    }

    @Test func certificatesAreOfTheAuthority() throws {
        let made = try CertificateAuthority.make(name: "test", now: Date())
        let again = try CertificateAuthority(certificatePEM: made.certificatePEM, keyPEM: made.keyPEM)
        let leaf = try again.issue(names: ["web.n.svc", "web"], life: .seconds(60), now: Date())
        #expect(leaf.certificate.contains("BEGIN CERTIFICATE") && leaf.key.contains("PRIVATE KEY"))
        let other = try CertificateAuthority.make(name: "other", now: Date())
        #expect(throws: CertificateAuthority.Mismatch.self) {
            try CertificateAuthority(certificatePEM: made.certificatePEM, keyPEM: other.keyPEM)
        }
        #expect("\(made)" == "CertificateAuthority")
    }
}
