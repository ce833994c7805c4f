// SPDX-License-Identifier: Apache-2.0
import Crypto
import FoundationEssentials
import KubeAPI
import SwiftASN1
import X509

#if canImport(Glibc)
    import Glibc
#endif

/// Why the keys and certificates cannot be had.
package struct PKIError: Error, Sendable, CustomStringConvertible {
    /// What was wrong, where, and what to do.
    package let description: String
}

/// The cluster's certificate authority, certificates and keys: made at first start, kept in files of mode 0600.
///
/// Certificates that expire within 30 days, or that do not name an address that is asked for, are made anew.
package struct ClusterPKI: Sendable, CustomStringConvertible, CustomReflectable {
    /// Says nothing of the keys: loggers print services with all that they have.
    package var description: String { "ClusterPKI" }
    package var customMirror: Mirror { Mirror(self, children: [:]) }

    private static let authorityName = "apus-ca"
    private static let day: TimeInterval = 86_400

    /// PEM of the certificate authority.
    package let authorityPEM: String
    /// PEM of the server's certificate.
    package let servingCertificatePEM: String
    /// PEM of the server's key.
    package let servingKeyPEM: String
    /// PEM of the administrator's certificate.
    package let adminCertificatePEM: String
    /// PEM of the administrator's key.
    package let adminKeyPEM: String
    /// PEM of the key that signs service account tokens: P-256 when it was made here, or an RSA key put there.
    package let tokenKeyPEM: String
    /// PEM of further keys whose tokens are still taken: files `sa-*.key` and `sa-*.pub` beside `sa.key`.
    package let oldTokenKeyPEMs: [String]

    /// Loads the files of a directory, and makes those that are missing.
    ///
    /// - Parameters:
    ///   - directory: is created where it is missing.
    ///   - names: host names and addresses of the server, besides `localhost` and the names of its service.
    /// - Throws: when the files cannot be read or written.
    package init(directory: String, names: [String]) throws(PKIError) {
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw PKIError(description: "the directory \(directory) cannot be created: \(error)")
        }
        let files = KeyFiles(directory: directory)
        do {
            let authority = try Self.authority(files)
            authorityPEM = try authority.certificate.serializeAsPEM().pemString
            var all = ["localhost", "127.0.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
            all += ["kubernetes.default.svc.cluster.local"] + names
            var seen: Set<String> = []
            let subjectNames = all.filter { seen.insert($0).inserted }
            let serving = try Self.leaf(
                files, "apiserver", authority, subject: UserInfo(name: "kube-apiserver"), names: subjectNames)
            let admin = try Self.leaf(files, "admin", authority, subject: .admin, names: [])
            (servingCertificatePEM, servingKeyPEM) = (serving.certificate, serving.key)
            (adminCertificatePEM, adminKeyPEM) = (admin.certificate, admin.key)
            if let text = try files.read("sa.key") {
                tokenKeyPEM = text
            } else {
                tokenKeyPEM = try Self.key(files, "sa.key").pemRepresentation
            }
            let present = try FileManager.default.contentsOfDirectory(atPath: directory)
            oldTokenKeyPEMs = try present.filter {
                $0.hasPrefix("sa-") && ($0.hasSuffix(".key") || $0.hasSuffix(".pub"))
            }.sorted().compactMap { try files.read($0) }
        } catch let error as PKIError {
            throw error
        } catch {
            throw PKIError(description: "the certificates in \(directory) cannot be made: \(error)")
        }
    }

    private struct Authority {
        var certificate: Certificate
        var key: P256.Signing.PrivateKey
    }

    private static func key(_ files: KeyFiles, _ name: String) throws -> P256.Signing.PrivateKey {
        if let text = try files.read(name) {
            do {
                return try P256.Signing.PrivateKey(pemRepresentation: text)
            } catch {
                throw PKIError(
                    description: "\(files.path(name)) is not a P-256 key: restore it, or remove it to make a new one")
            }
        }
        let key = P256.Signing.PrivateKey()
        try files.write(name, key.pemRepresentation)
        return key
    }

    private static func authority(_ files: KeyFiles) throws -> Authority {
        let key = try key(files, "ca.key")
        if let text = try files.read("ca.crt"), let certificate = try? Certificate(pemEncoded: text),
            certificate.publicKey == Certificate.PublicKey(key.publicKey),
            certificate.notValidAfter > Date.now + 30 * day
        {
            return Authority(certificate: certificate, key: key)
        }
        let name = try DistinguishedName { CommonName(authorityName) }
        let publicKey = Certificate.PublicKey(key.publicKey)
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: Date.now - 3600, notValidAfter: Date.now + 3650 * day, issuer: name, subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                Critical(KeyUsage(digitalSignature: true, keyCertSign: true, cRLSign: true))
                SubjectKeyIdentifier(hash: publicKey)
            },
            issuerPrivateKey: Certificate.PrivateKey(key))
        try files.write("ca.crt", try certificate.serializeAsPEM().pemString)
        return Authority(certificate: certificate, key: key)
    }

    private static func leaf(
        _ files: KeyFiles, _ file: String, _ authority: Authority, subject: UserInfo, names: [String]
    ) throws -> (certificate: String, key: String) {
        let key = try key(files, "\(file).key")
        let publicKey = Certificate.PublicKey(key.publicKey)
        let alternatives = SubjectAlternativeNames(names.map(generalName))
        if let text = try files.read("\(file).crt"), let present = try? Certificate(pemEncoded: text),
            present.publicKey == publicKey, present.notValidAfter > Date.now + 30 * day,
            Certificate.PublicKey(authority.key.publicKey).isValidSignature(present.signature, for: present),
            Set(alternatives).isSubset(of: Set(((try? present.extensions.subjectAlternativeNames) ?? nil) ?? .init()))
        {
            return (text, key.pemRepresentation)
        }
        let organizations = subject.groups.filter { $0 != "system:authenticated" }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: Date.now - 3600, notValidAfter: Date.now + 365 * day,
            issuer: authority.certificate.subject,
            subject: try DistinguishedName {
                for organization in organizations { OrganizationName(organization) }
                CommonName(subject.name)
            },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage(names.isEmpty ? [.clientAuth] : [.serverAuth])
                AuthorityKeyIdentifier(
                    keyIdentifier: try authority.certificate.extensions.subjectKeyIdentifier?.keyIdentifier)
                if !names.isEmpty { alternatives }
            },
            issuerPrivateKey: Certificate.PrivateKey(authority.key))
        let text = try certificate.serializeAsPEM().pemString
        try files.write("\(file).crt", text)
        return (text, key.pemRepresentation)
    }

    private static func generalName(_ name: String) -> GeneralName {
        guard let address = IPv4.parse(name) else { return .dnsName(name) }
        let bytes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: address >> UInt32($0)) }
        return .ipAddress(ASN1OctetString(contentBytes: bytes[...]))
    }

    /// The kubeconfig of the administrator, with everything inline.
    ///
    /// - Parameter server: URL such as `https://127.0.0.1:6443`.
    /// - Returns: YAML.
    package func kubeconfig(server: String) -> String {
        func inline(_ pem: String) -> String { Base64.encode(pem.utf8) }
        return """
            apiVersion: v1
            kind: Config
            clusters:
            - name: apus
              cluster:
                server: \(server)
                certificate-authority-data: \(inline(authorityPEM))
            users:
            - name: apus-admin
              user:
                client-certificate-data: \(inline(adminCertificatePEM))
                client-key-data: \(inline(adminKeyPEM))
            contexts:
            - name: apus
              context:
                cluster: apus
                user: apus-admin
                namespace: default
            current-context: apus
            preferences: {}

            """
    }

    /// The user of a client certificate: its common name, with its organizations as groups.
    static func user(certificateDER: [UInt8]) -> UserInfo? {
        guard let certificate = try? Certificate(derEncoded: certificateDER) else { return nil }
        var user = UserInfo(name: "")
        for name in certificate.subject {
            for attribute in name {
                guard let text = String(attribute.value) else { continue }
                if attribute.type == .RDNAttributeType.commonName { user.name = text }
                if attribute.type == .RDNAttributeType.organizationName { user.groups.append(text) }
            }
        }
        user.groups.append("system:authenticated")
        return user.name.isEmpty ? nil : user
    }
}

/// Files that only their owner reads.
private struct KeyFiles {
    let directory: String

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    func read(_ name: String) throws -> String? {
        guard FileManager.default.fileExists(atPath: path(name)) else { return nil }
        guard let data = FileManager.default.contents(atPath: path(name)) else {
            throw PKIError(description: "\(path(name)) cannot be read: check its owner and mode")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// Writes beside and renames, so that a file is whole or not there.
    func write(_ name: String, _ text: String) throws {
        let temporary = path(".\(name).new")
        let isCreated = FileManager.default.createFile(
            atPath: temporary, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        guard isCreated, rename(temporary, path(name)) == 0 else {
            throw PKIError(description: "\(path(name)) cannot be written: check the space and rights of \(directory)")
        }
    }
}
