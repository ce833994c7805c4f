// SPDX-License-Identifier: Apache-2.0
import CRDKafka
import NIOCore
import NIOSSL
import SASLMessages

/// How a connection that librdkafka does not make reaches a broker: read from the same configuration, by the same
/// names, so that both go the same way.
struct DirectSettings: Sendable {
    struct Address: Hashable, Sendable, CustomStringConvertible {
        var host: String
        var port: Int

        var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

        /// `HOST[:PORT]`, `[IPv6]:PORT`, with librdkafka's optional `PROTOCOL://` before it; port 9092 where none is.
        init?(_ text: some StringProtocol) {
            var rest = text[...]
            if let scheme = rest.firstRange(of: "://") { rest = rest[scheme.upperBound...] }
            let port: Substring?
            if rest.hasPrefix("[") {
                guard let end = rest.firstIndex(of: "]") else { return nil }
                host = String(rest[rest.index(after: rest.startIndex)..<end])
                let tail = rest[rest.index(after: end)...]
                guard tail.isEmpty || tail.hasPrefix(":") else { return nil }
                port = tail.isEmpty ? nil : Substring(tail.dropFirst())
            } else if let colon = rest.lastIndex(of: ":") {
                host = String(rest[..<colon])
                port = Substring(rest[rest.index(after: colon)...])
            } else {
                host = String(rest)
                port = nil
            }
            guard let number = port.map({ Int($0) }) ?? 9092, (1...65535).contains(number), !host.isEmpty else {
                return nil
            }
            self.port = number
        }

        init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// Paths are of PEM files.
    struct TLS: Hashable, Sendable {
        var caFile: String?
        var certificateFile: String?
        var keyFile: String?
        var keyPassword: String?
        var verification = CertificateVerification.fullVerification
    }

    struct Login: Sendable {
        var mechanism: SASLMechanism
        var user: String
        var password: String
    }

    var servers: [Address]
    var clientID: String
    var tls: TLS?
    var login: Login?

    /// - Throws: `KafkaError` naming the property that cannot be used.
    init(_ configuration: KafkaConfiguration) throws(KafkaError) {
        var values: [String: String] = [:]
        for (name, value) in configuration.allProperties { values[name] = value }
        servers = []
        let list = configuration.properties["metadata.broker.list"] ?? values["bootstrap.servers"] ?? ""
        for server in list.split(separator: ",") {
            guard let address = Address(server.filter { $0 != " " }) else {
                throw KafkaError(
                    .invalidArgument, message: "property bootstrap.servers: '\(server.prefix(300))' is not HOST:PORT")
            }
            servers.append(address)
        }
        guard !servers.isEmpty else {
            throw KafkaError(.invalidArgument, message: "property bootstrap.servers names no broker")
        }
        clientID = values["client.id"] ?? "apus"
        let security = values["security.protocol"]?.lowercased() ?? "plaintext"
        switch security {
        case "plaintext", "ssl", "sasl_plaintext", "sasl_ssl": break
        default: throw KafkaError(.invalidArgument, message: "property security.protocol: '\(security)' is not known")
        }
        if security.hasSuffix("ssl") {
            var tls = TLS(
                caFile: values["ssl.ca.location"], certificateFile: values["ssl.certificate.location"],
                keyFile: values["ssl.key.location"], keyPassword: values["ssl.key.password"])
            if values["ssl.endpoint.identification.algorithm"] == "none" { tls.verification = .noHostnameVerification }
            if values["enable.ssl.certificate.verification"] == "false" { tls.verification = .none }
            self.tls = tls
        }
        if security.hasPrefix("sasl") {
            let name =
                configuration.properties["sasl.mechanisms"] ?? values["sasl.mechanism"] ?? values["sasl.mechanisms"]
                ?? "GSSAPI"
            guard let mechanism = SASLMechanism(rawValue: name) else {
                throw KafkaError(
                    .invalidArgument,
                    message: "property sasl.mechanism: '\(name.prefix(100))' cannot be used here; "
                        + "use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
            }
            login = Login(
                mechanism: mechanism, user: values["sasl.username"] ?? "", password: values["sasl.password"] ?? "")
        }
    }

    /// Reads the files; blocks.
    /// - Throws: `KafkaError` of code `tls`.
    static func context(_ tls: TLS) throws(KafkaError) -> NIOSSLContext {
        do {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.certificateVerification = tls.verification
            if let file = tls.caFile, file != "probe" { configuration.trustRoots = .file(file) }
            if let file = tls.certificateFile {
                configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(file).map { .certificate($0) }
            }
            if let file = tls.keyFile {
                let password = Array((tls.keyPassword ?? "").utf8)
                configuration.privateKey = .privateKey(
                    try NIOSSLPrivateKey(file: file, format: .pem) { give in give(password) })
            }
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw KafkaError(RD_KAFKA_RESP_ERR__SSL, "reading certificates", detail: "\(error)")
        }
    }
}
