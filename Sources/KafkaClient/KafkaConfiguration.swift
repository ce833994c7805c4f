// SPDX-License-Identifier: Apache-2.0
import CRDKafka

/// How clients reach a cluster. The same for the embedded broker and any Kafka.
package struct KafkaConfiguration: Sendable {
    /// `HOST:PORT`s to ask first, such as `127.0.0.1:9092`.
    package var bootstrapServers: [String]
    /// The name of the client in the broker's logs, metrics and quotas.
    package var clientID: String
    /// TLS; nil: plain text.
    package var tls: TLS?
    /// Who the client is; nil: nobody in particular.
    package var sasl: SASL?
    /// Further properties of librdkafka (its CONFIGURATION.md), such as `compression.type`; these win.
    package var properties: [String: String]

    package init(
        bootstrapServers: [String] = ["127.0.0.1:9092"], clientID: String = "apus", tls: TLS? = nil, sasl: SASL? = nil,
        properties: [String: String] = [:]
    ) {
        self.bootstrapServers = bootstrapServers
        self.clientID = clientID
        self.tls = tls
        self.sasl = sasl
        self.properties = properties
    }

    /// How the connection is encrypted. Paths are of PEM files.
    package struct TLS: Sendable {
        /// The CA of the broker's certificate; nil: the system's.
        package var caFile: String?
        /// The client's own certificate and key, where the broker asks for one.
        package var certificateFile: String?
        package var keyFile: String?
        /// Whether the certificate has to name the host that was connected to.
        package var verifiesHostName = true

        package init(caFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil) {
            self.caFile = caFile
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }

    /// A user and password (KIP-43, KIP-84).
    package struct SASL: Sendable, CustomStringConvertible {
        package enum Mechanism: String, Sendable {
            case plain = "PLAIN"
            case scramSHA256 = "SCRAM-SHA-256"
            case scramSHA512 = "SCRAM-SHA-512"
        }

        package var mechanism: Mechanism
        package var user: String
        package var password: String

        package init(_ mechanism: Mechanism, user: String, password: String) {
            self.mechanism = mechanism
            self.user = user
            self.password = password
        }

        /// Without the password.
        package var description: String { "\(mechanism.rawValue) \(user)" }
    }

    /// The properties by librdkafka's names, sorted so that errors come in the same order each time.
    var allProperties: [(name: String, value: String)] {
        var all = ["client.id": clientID, "log.queue": "true"]
        if !bootstrapServers.isEmpty { all["bootstrap.servers"] = bootstrapServers.joined(separator: ",") }
        switch (tls != nil, sasl != nil) {
        case (false, false): break
        case (true, false): all["security.protocol"] = "ssl"
        case (false, true): all["security.protocol"] = "sasl_plaintext"
        case (true, true): all["security.protocol"] = "sasl_ssl"
        }
        if let tls {
            all["ssl.ca.location"] = tls.caFile
            all["ssl.certificate.location"] = tls.certificateFile
            all["ssl.key.location"] = tls.keyFile
            all["ssl.endpoint.identification.algorithm"] = tls.verifiesHostName ? "https" : "none"
        }
        if let sasl {
            all["sasl.mechanism"] = sasl.mechanism.rawValue
            all["sasl.username"] = sasl.user
            all["sasl.password"] = sasl.password
        }
        all.merge(properties) { $1 }
        return all.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// The configuration with more properties, which win.
    func with(_ more: [String: String]) -> KafkaConfiguration {
        var copy = self
        copy.properties.merge(more) { $1 }
        return copy
    }

    /// The configuration with properties that stand where none is given.
    func defaulting(_ defaults: [String: String]) -> KafkaConfiguration {
        var copy = self
        copy.properties.merge(defaults) { given, _ in given }
        return copy
    }

    /// - Returns: librdkafka's form; the caller owns it.
    func makeNative(events: Int32) throws(KafkaError) -> OpaquePointer {
        guard let native = rd_kafka_conf_new() else {
            throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "making a configuration")
        }
        for (name, value) in allProperties {
            var reason = [CChar](repeating: 0, count: 512)
            let result = rd_kafka_conf_set(native, name, value, &reason, reason.count)
            guard result == RD_KAFKA_CONF_OK else {
                rd_kafka_conf_destroy(native)
                throw KafkaError(.invalidArgument, message: "property \(name): \(text(reason))")
            }
        }
        rd_kafka_conf_set_events(native, events)
        return native
    }
}

/// The text in a buffer that C wrote.
func text(_ buffer: [CChar]) -> String {
    String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

extension Duration {
    /// For C calls, at least 1.
    var milliseconds: Int32 {
        let (seconds, attoseconds) = components
        let total = seconds.multipliedReportingOverflow(by: 1000)
        guard !total.overflow else { return .max }
        return Int32(clamping: max(1, total.partialValue + attoseconds / 1_000_000_000_000_000))
    }
}
