// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ArgumentParser
import Foundation
import KubeClient
import S3Client

/// `apus operate objects`.
struct OperateObjectsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "objects",
        abstract:
            "Keep buckets as Bucket objects declare (s3.services.k8s.aws), in any S3, and access keys as Secrets.",
        discussion: """
            The kind comes from deploy/objects/crds.yaml. In a pod its service account is used; elsewhere a kubeconfig. \
            The key for S3 is that of the Secret --root-secret, which is made where it is not there, else \
            AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; it has to be one that may do everything with the buckets. \
            Prints 'ready objects-operator URL' when it works.
            """)

    @Option(help: "The S3, http://HOST:PORT or https://HOST. (default: AWS_ENDPOINT_URL, else http://127.0.0.1:9000)")
    var endpoint: String?
    @Option(help: "Region that requests are signed for. (default: AWS_REGION, AWS_DEFAULT_REGION, else us-east-1)")
    var region: String?
    @Option(help: "PEM file of the authorities of an https endpoint. (default: AWS_CA_BUNDLE, else the system's)")
    var caFile: String?
    @Option(help: "Secret of the key for S3, NAME or NAMESPACE/NAME; it is made where it is not there.")
    var rootSecret: String?
    @Option(
        help: ArgumentHelp(
            "Namespace whose Secrets with the label apus.dev/s3-access-key=true are completed; '*' for all.",
            valueName: "namespace"))
    var keySecrets: String?
    @Option(help: "The kubeconfig to use. (default: the pod's service account, else as kubectl)")
    var kubeconfig: String?
    @Option(help: "Only Buckets of this namespace. (default: all)") var namespace: String?
    @Option(help: "What becomes of buckets whose objects go: delete or retain. (default: delete)")
    var deletionPolicy: String?
    @Option(
        help: ArgumentHelp("How often buckets are looked at, in seconds. (default: 60)", valueName: "seconds"))
    var interval: Int?
    @OptionGroup var log: LogOptions

    func run() async throws {
        let settings = try Settings()
        let environment = ProcessInfo.processInfo.environment
        let policy = settings.value("deletion-policy", deletionPolicy) ?? "delete"
        guard policy == "delete" || policy == "retain" else {
            throw ValidationError("--deletion-policy must be delete or retain, not '\(policy)'")
        }
        let seconds = try settings.integer("interval", interval) ?? 60
        guard (1...86_400).contains(seconds) else {
            throw ValidationError("--interval must be 1 to 86400 seconds, not \(seconds)")
        }
        let secret = settings.value("root-secret", rootSecret)
        var s3 = S3ClientConfiguration(environment: environment)
        s3.endpoint =
            settings.value("endpoint", endpoint) ?? environment["AWS_ENDPOINT_URL"] ?? "http://127.0.0.1:9000"
        if let region = settings.value("region", region) { s3.region = region }
        s3.retries.attempts = 3
        if let file = settings.value("ca-file", caFile) { s3.certificateAuthorities = absolute(file) }
        if let file = s3.certificateAuthorities, !FileManager.default.isReadableFile(atPath: file) {
            throw ValidationError("the authorities' file \(file) cannot be read: is it there?")
        }
        guard secret != nil || s3.credentials != nil else {
            throw ValidationError(
                "a key for S3 is needed: --root-secret, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        }
        let keys = settings.value("key-secrets", keySecrets).map { $0 == "*" ? "" : $0 }
        let file = settings.value("kubeconfig", kubeconfig).map(absolute)
        let namespace = settings.value("namespace", namespace) ?? ""
        let logger = try log.logger(settings)
        try await reporting { [s3] in
            let role = ObjectOperatorRole(
                kubeconfig: try .ofOperator(file), s3: s3, rootSecret: secret, namespace: namespace, keyNamespace: keys,
                interval: .seconds(seconds), retainsBuckets: policy == "retain", logger: logger)
            try await role.run { address in
                print("ready objects-operator \(address)")
                fflush(nil)
            }
        }
    }
}
