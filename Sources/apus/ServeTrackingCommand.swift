// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ApusCore
import ArgumentParser
import Foundation
import KubeClient
import S3Client
import TrackingServer

/// `apus serve tracking`.
struct ServeTrackingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tracking", abstract: "A tracking server and model registry that speaks MLflow's REST protocol.",
        discussion: """
            Unmodified mlflow works with it: mlflow.set_tracking_uri("http://127.0.0.1:5000"), or \
            MLFLOW_TRACKING_URI=http://127.0.0.1:5000. Prints 'ready tracking HOST:PORT' when it works.
            """)

    @Option(help: "Folder of the server's own files. (default: ~/.apus/tracking)")
    var dataDir: String?
    @Option(
        help: """
            PostgreSQL database, postgresql://USER@HOST:PORT/DATABASE; the password may be in PGPASSWORD or ~/.pgpass. \
            (default: SQLite, DATA-DIR/tracking.sqlite)
            """)
    var database: String?
    @Option(
        help: """
            Where artifacts are: a folder, or s3://BUCKET/PREFIX; then AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, \
            AWS_SECRET_ACCESS_KEY and AWS_REGION say how to reach it, and the bucket must be there. \
            (default: DATA-DIR/artifacts)
            """)
    var artifactsDestination: String?
    @Option(
        help: ArgumentHelp(
            """
            URL of the bucket's S3 as clients reach it: they then send and get large files there themselves, by URLs \
            that are signed for a while. (default: all go through this server)
            """, valueName: "url"))
    var clientS3Endpoint: String?
    @Option(help: "Address to listen on, HOST:PORT; port 0 takes a free one. (default: 127.0.0.1:5000)")
    var listen: String?
    @Option(
        help: """
            File of who may use it: a line TOKEN NAME [GROUPS…] each; with the group 'read' only to read. Clients send \
            the token, or the name and the token as password. This or --kubernetes-access is needed unless it listens \
            on this machine only.
            """)
    var tokenFile: String?
    @Option(
        help: ArgumentHelp(
            """
            Namespace in which RBAC of Kubernetes says who may get, list, create, update and delete experiments and \
            registeredmodels of the API group mlflow.apus.dev, by their names; clients send tokens of Kubernetes.
            """, valueName: "namespace"))
    var kubernetesAccess: String?
    @Option(help: "The kubeconfig for --kubernetes-access. (default: the pod's service account, else as kubectl)")
    var kubeconfig: String?
    @Option(help: "PEM file of the certificate with its chain: clients then connect over TLS.")
    var tlsCertificate: String?
    @Option(help: "PEM file of the certificate's key.")
    var tlsKey: String?
    @Option(
        name: .customLong("mlflow-ui"),
        help: """
            Folder of MLflow's web UI, which is then shown at /: mlflow/server/js/build of an installed mlflow.
            """)
    var mlflowUI: String?
    @Option(help: "Address at which metrics are shown over HTTP, HOST:PORT. (default: none)")
    var metricsListen: String?
    @Flag(
        help: """
            Let webhooks be at http:// and at addresses that are not public, as of this machine: for tests and closed \
            networks.
            """)
    var allowPrivateWebhooks = false
    @OptionGroup var log: LogOptions

    func run() async throws {
        let settings = try Settings()
        let folder = volumeFolder(absolute(settings.value("data-dir", dataDir) ?? "\(HomeFolder.path)/.apus/tracking"))
        let (host, port) = try hostAndPort(
            "listen", settings.value("listen", listen), example: "127.0.0.1:5000", least: 0)
        let chain = settings.value("tls-certificate", tlsCertificate).map(absolute)
        let key = settings.value("tls-key", tlsKey).map(absolute)
        guard (chain == nil) == (key == nil) else {
            throw ValidationError("--tls-certificate and --tls-key go together: give both, or neither")
        }
        let certificate = chain.flatMap { chain in key.map { ServerCertificate(chain: chain, key: $0) } }
        let access = try access(settings)
        let database = settings.value("database", database)
        let files = settings.value("mlflow-ui", mlflowUI).map(absolute)
        let artifacts = try artifacts(settings, folder)
        let metrics = try settings.value("metrics-listen", metricsListen).map {
            try hostAndPort("metrics-listen", $0, example: "127.0.0.1:9310", least: 0)
        }
        let passphrase = ProcessInfo.processInfo.environment["MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"]
        let logger = try log.logger(settings)
        try await reporting {
            var configuration = TrackingConfiguration()
            configuration.webhooks.allowsPrivate = allowPrivateWebhooks
            configuration.webhooks.passphrase = passphrase
            configuration.webFiles = try files.map { try WebFiles(folder: $0) }
            var role = TrackingRole(
                folder: folder, database: database, artifacts: artifacts, access: try access(),
                configuration: configuration, host: host, port: port, certificate: certificate, logger: logger)
            role.metricsAt = metrics
            try await role.run { address in
                print("ready tracking \(address)")
                fflush(nil)
            }
        }
    }

    /// Who may use it; the kubeconfig is read when it starts.
    private func access(_ settings: Settings) throws -> @Sendable () throws -> TrackingRole.Access {
        let tokens = settings.value("token-file", tokenFile).map { volumeFile(absolute($0)) }
        let file = settings.value("kubeconfig", kubeconfig).map(absolute)
        guard let namespace = settings.value("kubernetes-access", kubernetesAccess) else {
            return { tokens.map { .file($0) } ?? .open }
        }
        guard tokens == nil else {
            throw ValidationError("--token-file and --kubernetes-access do not go together: give one of them")
        }
        guard !namespace.isEmpty else { throw ValidationError("--kubernetes-access needs a namespace") }
        return { .kubernetes(try .ofOperator(file), namespace: namespace) }
    }

    private func artifacts(_ settings: Settings, _ folder: String) throws -> TrackingRole.Artifacts {
        var place: ArtifactDestination
        do {
            place = try ArtifactDestination(
                settings.value("artifacts-destination", artifactsDestination) ?? "\(folder)/artifacts")
        } catch {
            throw ValidationError("--artifacts-destination: \(error.description)")
        }
        if case .folder(let path) = place { place = .folder(volumeFolder(absolute(path))) }
        let endpoint = settings.value("client-s3-endpoint", clientS3Endpoint)
        if endpoint != nil, case .folder = place {
            throw ValidationError("--client-s3-endpoint is for artifacts in a bucket")
        }
        return TrackingRole.Artifacts(
            place, s3: S3ClientConfiguration(environment: ProcessInfo.processInfo.environment), clientEndpoint: endpoint
        )
    }
}
