// SPDX-License-Identifier: Apache-2.0
package import NIOSSL

/// The certificate of a server, in PEM files.
package struct ServerCertificate: Sendable {
    /// The certificate with its chain.
    package var chain: String
    /// Its key.
    package var key: String

    package init(chain: String, key: String) {
        self.chain = chain
        self.key = key
    }

    /// TLS 1.2 and later with it.
    /// - Throws: ``PlatformError`` when the files cannot be used.
    func context() throws -> NIOSSLContext {
        let configuration = try configuration()
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw unusable(error)
        }
    }

    /// TLS 1.2 and later with it, for HTTP/1.1.
    /// - Throws: ``PlatformError`` when the files cannot be used.
    package func configuration() throws -> TLSConfiguration {
        do {
            let certificates = try NIOSSLCertificate.fromPEMFile(chain).map { NIOSSLCertificateSource.certificate($0) }
            let key = try NIOSSLPrivateKey(file: key, format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: certificates, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = .tlsv12
            configuration.applicationProtocols = ["http/1.1"]
            return configuration
        } catch {
            throw unusable(error)
        }
    }

    private func unusable(_ error: any Error) -> PlatformError {
        PlatformError("the certificate \(chain) with the key \(key) cannot be used: \(error)")
    }
}
