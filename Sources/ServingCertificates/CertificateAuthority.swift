// SPDX-License-Identifier: Apache-2.0
import Crypto
package import FoundationEssentials
import SwiftASN1
import X509

/// An authority of certificates for pods and gateways: its certificate and key as PEM.
package struct CertificateAuthority: Sendable, CustomStringConvertible, CustomReflectable {
    /// Says nothing of the key.
    package var description: String { "CertificateAuthority" }
    package var customMirror: Mirror { Mirror(self, children: [:]) }

    /// A certificate that it gave.
    package struct Leaf: Sendable {
        package var certificate: String
        package var key: String
    }

    private static let skew: TimeInterval = 60
    private static let life: TimeInterval = 3650 * 86_400

    package let certificatePEM: String
    package let keyPEM: String
    private let certificate: Certificate
    private let key: P256.Signing.PrivateKey

    /// Of the Secret's PEM.
    /// - Throws: X509's and Crypto's errors for what is no certificate with its P-256 key.
    package init(certificatePEM: String, keyPEM: String) throws {
        certificate = try Certificate(pemEncoded: certificatePEM)
        key = try P256.Signing.PrivateKey(pemRepresentation: keyPEM)
        guard certificate.publicKey == Certificate.PublicKey(key.publicKey) else { throw Mismatch() }
        self.certificatePEM = certificatePEM
        self.keyPEM = keyPEM
    }

    /// The key is of another certificate.
    package struct Mismatch: Error, CustomStringConvertible {
        package let description = "tls.key is not the key of tls.crt"
    }

    /// A new one, for ten years.
    package static func make(name: String, now: Date) throws -> CertificateAuthority {
        let key = P256.Signing.PrivateKey()
        let publicKey = Certificate.PublicKey(key.publicKey)
        let subject = try DistinguishedName { CommonName(name) }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey, notValidBefore: now - skew,
            notValidAfter: now + life, issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                SubjectKeyIdentifier(hash: publicKey)
            }, issuerPrivateKey: Certificate.PrivateKey(key))
        return try CertificateAuthority(
            certificatePEM: try certificate.serializeAsPEM().pemString, keyPEM: key.pemRepresentation)
    }

    /// A certificate with a key of its own, for a server and as a client.
    /// - Parameters:
    ///   - names: of which the first is its common name.
    ///   - life: from now.
    ///   - now: the time.
    /// - Returns: PEM of both.
    /// - Throws: X509's errors.
    package func issue(names: [String], life: Duration, now: Date) throws -> Leaf {
        let leaf = P256.Signing.PrivateKey()
        let made = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PublicKey(leaf.publicKey), notValidBefore: now - Self.skew,
            notValidAfter: now + life / .seconds(1), issuer: certificate.subject,
            subject: try DistinguishedName { CommonName(String((names.first ?? "").prefix(64))) },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth, .clientAuth])
                AuthorityKeyIdentifier(
                    keyIdentifier: try certificate.extensions.subjectKeyIdentifier?.keyIdentifier)
                SubjectAlternativeNames(names.map { .dnsName($0) })
            }, issuerPrivateKey: Certificate.PrivateKey(key))
        return Leaf(certificate: try made.serializeAsPEM().pemString, key: leaf.pemRepresentation)
    }
}
