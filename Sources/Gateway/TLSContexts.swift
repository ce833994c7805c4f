// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import NIOSSL

/// TLS of both sides: 1.2 and later.
enum TLSContexts {
    /// `authority`: PEM; clients then must have a certificate of it.
    static func server(_ certificate: ListenerRules.Certificate, authority: String?) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(certificate.chain.utf8)).map {
                .certificate($0)
            },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(certificate.key.utf8), format: .pem)))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        if let authority {
            let roots = try NIOSSLCertificate.fromPEMBytes(Array(authority.utf8))
            configuration.trustRoots = .certificates(roots)
            // The certificate's name is not one of a host.
            configuration.certificateVerification = .noHostnameVerification
            configuration.sendCANameList = true
        }
        return try NIOSSLContext(configuration: configuration)
    }

    static func client(_ tls: UpstreamTLS, isHTTP2: Bool) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = isHTTP2 ? ["h2"] : ["http/1.1"]
        if let authority = tls.authority {
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(authority.utf8)))
        }
        if let certificate = tls.certificate {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(certificate.chain.utf8)).map {
                .certificate($0)
            }
            configuration.privateKey = .privateKey(
                try NIOSSLPrivateKey(bytes: Array(certificate.key.utf8), format: .pem))
        }
        return try NIOSSLContext(configuration: configuration)
    }
}
