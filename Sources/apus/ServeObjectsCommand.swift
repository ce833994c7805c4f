// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ApusCore
import ArgumentParser
import Foundation
import KubeClient
import ObjectServer

/// `apus serve objects`.
struct ServeObjectsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "objects", abstract: "Buckets of objects that speak S3's protocol.",
        discussion: """
            Any client of S3 works with it: aws --endpoint-url http://127.0.0.1:9000 s3 mb s3://data. What is \
            acknowledged is on the disk. Prints 'ready objects HOST:PORT' when it works.

            Requests are signed. The root key is --access-key with the secret in APUS_SECRET_KEY or in \
            --secret-key-file; without them one is made at the first start and kept in DATA-DIR/credentials.json. \
            --keys-file has more keys, with policies in IAM's language: {"keys": [{"accessKey": "…", "secretKey": "…", \
            "name": "…", "policy": {"Version": "2012-10-17", "Statement": […]}}]}; it is read again when it changes. \
            --key-secrets has them as Secrets of Kubernetes, which 'apus operate objects' completes.
            """)

    @Option(help: "Folder of the objects. (default: ~/.apus/objects)")
    var dataDir: String?
    @Option(help: "Address to listen on, HOST:PORT; port 0 takes a free one. (default: 127.0.0.1:9000)")
    var listen: String?
    @Option(help: "The root access key, which may do everything. (default: DATA-DIR/credentials.json has one)")
    var accessKey: String?
    @Option(help: "File with the root key's secret in its first line; or give it in APUS_SECRET_KEY.")
    var secretKeyFile: String?
    @Option(help: "JSON file of more access keys and what they may do.")
    var keysFile: String?
    @Option(help: "Domain whose subdomains are buckets (BUCKET.DOMAIN), beside addresses by path.")
    var domain: String?
    @Option(help: "Region that requests are signed for. (default: us-east-1)")
    var region: String?
    @Option(help: "Connections at a time. (default: 2048)")
    var maxConnections: Int?
    @Option(help: ArgumentHelp("MiB of bodies in memory at a time. (default: 128)", valueName: "mib"))
    var bodyMemory: Int?
    @Option(help: "PEM file of the certificate with its chain: clients then connect over TLS.")
    var tlsCertificate: String?
    @Option(help: "PEM file of the certificate's key.")
    var tlsKey: String?
    @Option(help: "Address at which metrics are shown over HTTP, HOST:PORT. (default: none)")
    var metricsListen: String?
    @Option(
        help: ArgumentHelp(
            "How often expired objects and unfinished uploads are looked for, in seconds. (default: 60)",
            valueName: "seconds"))
    var maintenanceInterval: Int?
    @Option(
        help: ArgumentHelp(
            "Namespace whose Secrets with the label apus.dev/s3-access-key=true are access keys; '*' for all.",
            valueName: "namespace"))
    var keySecrets: String?
    @Option(help: "The kubeconfig for --key-secrets. (default: the pod's service account, else as kubectl)")
    var kubeconfig: String?
    @OptionGroup var log: LogOptions

    private static let address = "127.0.0.1:9000"

    func run() async throws {
        let settings = try Settings()
        let folder = volumeFolder(
            absolute(settings.value("data-dir", dataDir) ?? "\(HomeFolder.path)/.apus/objects"))
        let (host, port) = try hostAndPort(
            "listen", settings.value("listen", listen), example: Self.address, least: 0)
        var configuration = ObjectServerConfiguration()
        configuration.domain = settings.value("domain", domain)
        if let region = settings.value("region", region) {
            let isName = region.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
            guard (1...64).contains(region.utf8.count), isName else {
                throw ValidationError("--region must be lower case letters, digits and hyphens, not '\(region)'")
            }
            configuration.region = region
        }
        if let most = try settings.integer("max-connections", maxConnections) {
            guard (1...100_000).contains(most) else {
                throw ValidationError("--max-connections must be 1 to 100000, not \(most)")
            }
            configuration.maximumConnections = most
        }
        if let memory = try settings.integer("body-memory", bodyMemory) {
            guard (8...1_048_576).contains(memory) else {
                throw ValidationError("--body-memory must be 8 to 1048576 MiB, not \(memory)")
            }
            configuration.memoryBytes = memory << 20
        }
        let chain = settings.value("tls-certificate", tlsCertificate).map(absolute)
        let key = settings.value("tls-key", tlsKey).map(absolute)
        guard (chain == nil) == (key == nil) else {
            throw ValidationError("--tls-certificate and --tls-key go together: give both, or neither")
        }
        var options = ObjectsRole.Options()
        options.certificate = chain.flatMap { chain in key.map { ServerCertificate(chain: chain, key: $0) } }
        options.keysFile = settings.value("keys-file", keysFile).map(absolute)
        options.metrics = try settings.value("metrics-listen", metricsListen).map {
            try hostAndPort("metrics-listen", $0, example: "127.0.0.1:9309", least: 0)
        }
        if let seconds = try settings.integer("maintenance-interval", maintenanceInterval) {
            guard (1...86_400).contains(seconds) else {
                throw ValidationError("--maintenance-interval must be 1 to 86400 seconds, not \(seconds)")
            }
            options.maintenanceInterval = .seconds(seconds)
        }
        let secrets = settings.value("key-secrets", keySecrets)
        let file = settings.value("kubeconfig", kubeconfig).map(absolute)
        let root = try root(settings)
        let logger = try log.logger(settings)
        try await reporting { [configuration, options] in
            var options = options
            options.keySecrets = try secrets.map { namespace in
                ObjectsRole.KeySecrets(
                    kubeconfig: try .ofOperator(file), namespace: namespace == "*" ? "" : namespace)
            }
            let role = ObjectsRole(
                folder: folder, root: root, configuration: configuration, host: host, port: port, options: options,
                logger: logger)
            try await role.run { address in
                print("ready objects \(address)")
                fflush(nil)
            }
        }
    }

    /// The root key; nil where none is given.
    private func root(_ settings: Settings) throws -> ObjectsRole.Root? {
        let file = settings.value("secret-key-file", secretKeyFile).map(absolute)
        let secret = try file.map(Self.firstLine) ?? ProcessInfo.processInfo.environment["APUS_SECRET_KEY"]
        guard let accessKey = settings.value("access-key", accessKey) else {
            guard secret == nil else {
                throw ValidationError("APUS_SECRET_KEY and --secret-key-file need --access-key: whose secret is it?")
            }
            return nil
        }
        guard let secret, !secret.isEmpty else {
            throw ValidationError(
                "--access-key needs a secret: in APUS_SECRET_KEY, or in the first line of --secret-key-file")
        }
        return ObjectsRole.Root(accessKey: accessKey, secretKey: secret)
    }

    private static func firstLine(of path: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path), data.count <= 65_536,
            let text = String(validating: data, as: UTF8.self)
        else { throw ValidationError("the secret's file \(path) cannot be read: is it there, and a text?") }
        return String(text.prefix { !$0.isNewline })
    }
}
