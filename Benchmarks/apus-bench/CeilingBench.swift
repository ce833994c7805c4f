// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import Foundation
import Hummingbird
import HummingbirdTLS
import KubeClient
import KubeStore
import Logging
import NIOSSL

/// What this machine allows: the store alone (no HTTP, no API machinery), and a bare HTTPS server that answers each
/// request with the same 1.4 KB, loaded by the same client.
struct CeilingBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ceiling", abstract: "Commits per second of the store alone, and requests of a bare HTTPS server.")

    @Option(help: "Folder on the disk to measure.") var folder: String
    @Option(help: "Server certificate, PEM.") var certificate: String
    @Option(help: "Its key, PEM.") var key: String
    @Option(help: "Writers and clients at a time.") var clients = 8
    @Option(help: "Seconds for each measurement.") var seconds = 5

    func run() async throws {
        let commits = try await measureCommits()
        let https = try await measureHTTPS()
        print((["clients": JSONValue(clients), "commits": commits.json, "https": https.json] as JSONValue).text)
    }

    private func measureCommits() async throws -> Measurement {
        let directory = "\(folder)/ceiling-\(RandomID.suffix())"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let store = try KubeStore(
            directory: directory, configuration: StoreConfiguration(), logger: Logger(label: "store"))
        let payload = Array(String(repeating: "x", count: 1400).utf8)
        let commits = try await Measurement.run(clients: clients, duration: .seconds(seconds)) { worker, number in
            let key = StoreKey(resource: "configmaps", namespace: "default", name: "c\(worker)-\(number)")
            _ = try await store.commit(.create(key, StoreValue(labels: [:], fields: [:]) { _ in payload }))
        }
        await store.close()
        return commits
    }

    private func measureHTTPS() async throws -> Measurement {
        let tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
        let payload = ByteBuffer(repeating: UInt8(ascii: "x"), count: 1400)
        let (ports, bound) = AsyncStream.makeStream(of: Int.self)
        var logger = Logger(label: "bare")
        logger.logLevel = .error
        let application = Application(
            responder: CallbackResponder<BasicRequestContext> { _, _ in
                Response(status: .ok, body: .init(byteBuffer: payload))
            },
            server: try .tls(.http1(), tlsConfiguration: tls),
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in bound.yield(channel.localAddress?.port ?? 0) }, logger: logger)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            var iterator = ports.makeAsyncIterator()
            let port = await iterator.next() ?? 0
            var config = Kubeconfig(server: "https://127.0.0.1:\(port)")
            config.skipsTLSVerification = true
            let transport = try HTTPTransport(config)
            let client = KubeClient(transport: transport, userAgent: "apus-bench")
            let result = try await Measurement.run(clients: clients, duration: .seconds(seconds)) { _, _ in
                _ = try await client.raw("/")
            }
            try await transport.shutdown()
            group.cancelAll()
            return result
        }
    }
}
