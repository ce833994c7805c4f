// SPDX-License-Identifier: Apache-2.0
import SASLMessages
import Testing

@testable import KafkaClient

@Suite struct DirectSettingsTests {
    @Test(
        arguments: [
            ("localhost", "localhost:9092"), ("b:1", "b:1"), ("[::1]:19092", "[::1]:19092"), ("[::1]", "[::1]:9092"),
            ("SASL_SSL://b:9093", "b:9093"),
        ])
    func addressesAreRead(_ text: String, _ address: String) {
        #expect(DirectSettings.Address(text)?.description == address)
    }

    @Test(arguments: ["", ":9092", "b:", "b:0", "b:65536", "b:x", "[::1", "[::1]9092", "[]:1"])
    func otherTextsAreNone(_ text: String) {
        #expect(DirectSettings.Address(text) == nil)
        #expect(throws: KafkaError.self) {
            try DirectSettings(KafkaConfiguration(bootstrapServers: [text]))
        }
    }

    @Test func theSamePropertiesCountAsForTheLibrary() throws {
        var configuration = KafkaConfiguration(bootstrapServers: ["a:1", "b:2"])
        var settings = try DirectSettings(configuration)
        #expect(settings.servers.map(\.description) == ["a:1", "b:2"] && settings.clientID == "apus")
        #expect(settings.tls == nil && settings.login == nil)

        configuration.tls = .init(caFile: "/ca.pem", certificateFile: "/c.pem", keyFile: "/k.pem")
        configuration.sasl = .init(.scramSHA512, user: "u", password: "p")
        settings = try DirectSettings(configuration)
        #expect(settings.tls == .init(caFile: "/ca.pem", certificateFile: "/c.pem", keyFile: "/k.pem"))
        #expect(settings.login?.mechanism == .scramSHA512 && settings.login?.user == "u")

        configuration.properties = [
            "ssl.endpoint.identification.algorithm": "none", "sasl.mechanisms": "PLAIN",
            "ssl.ca.location": "/other.pem",
        ]
        settings = try DirectSettings(configuration)
        #expect(settings.tls?.verification == .noHostnameVerification && settings.tls?.caFile == "/other.pem")
        #expect(settings.login?.mechanism == .plain)
    }

    @Test(
        arguments: [
            ["security.protocol": "ssh"], ["security.protocol": "sasl_plaintext", "sasl.mechanism": "GSSAPI"],
            ["security.protocol": "sasl_plaintext"],
        ])
    func whatCannotBeUsedIsNamed(_ properties: [String: String]) {
        let error = #expect(throws: KafkaError.self) {
            try DirectSettings(KafkaConfiguration(properties: properties))
        }
        #expect(error?.code == .invalidArgument && error?.message.contains("property") == true)
    }

    @Test func missingCertificatesAreTold() async throws {
        var configuration = KafkaConfiguration(bootstrapServers: ["127.0.0.1:1"])
        configuration.tls = .init(caFile: "/nowhere/ca.pem")
        let admin = try DirectAdmin(configuration, timeout: .seconds(60))
        await #expect { try await admin.session { _ in } } throws: { ($0 as? KafkaError)?.code == .tls }
    }
}
