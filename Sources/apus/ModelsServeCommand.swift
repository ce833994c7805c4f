// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ApusCore
import ArgumentParser
import Foundation
import KubeAPI
import KubeClient

/// `apus models serve`.
struct ModelsServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve a model on the cluster: one InferenceService; prints how to ask it with curl.",
        discussion: """
            Asked again with another model of the same name, the new one takes the traffic once it answers; with --canary \
            it gets that percent. Where the cluster has no kinds of KServe yet, deploy/serving is applied first. Pods \
            get $MLFLOW_TRACKING_URI and, in a Secret, $MLFLOW_TRACKING_TOKEN.
            """)

    @Argument(help: "models:/NAME@ALIAS, which is followed, models:/NAME/VERSION, s3://…, http(s)://…, or a path.")
    var model: String
    @Option(help: "Name of the InferenceService. (default: the model's)") var name: String?
    @Option(name: [.customShort("n"), .long], help: "Namespace. (default: that of the kubeconfig)") var namespace:
        String?
    @Option(help: "onnx, sklearn, xgboost, lightgbm, mlflow or apus-als. (default: by the file's name, else mlflow)")
    var format: String?
    @Option(help: "Pods at least; 0: none while nobody asks.") var minReplicas = 1
    @Option(help: "Pods at most; more than the least: as many as requests need. (default: the least)") var maxReplicas:
        Int?
    @Option(help: "Percent of the traffic for the new model, while the one before has the rest. (default: all)")
    var canary: Int?
    @Option(help: "Address of the tracking server. (default: $MLFLOW_TRACKING_URI)") var tracking: String?
    @Option(help: "The kubeconfig to use. (default: as kubectl)") var kubeconfig: String?
    @Option(help: "Folder of deploy/serving, where it has to be applied. (default: found beside the program)")
    var manifests: String?
    @Option(help: ArgumentHelp("How long to wait until it answers.", valueName: "seconds")) var timeout = 300

    func validate() throws {
        guard (0...10_000).contains(minReplicas) else { throw ValidationError("--min-replicas must be 0 to 10000") }
        if let maxReplicas, !(max(1, minReplicas)...10_000).contains(maxReplicas) {
            throw ValidationError("--max-replicas must be \(max(1, minReplicas)) to 10000, not \(maxReplicas)")
        }
        if let canary, !(0...100).contains(canary) {
            throw ValidationError("--canary must be 0 to 100 percent, not \(canary)")
        }
        guard (1...86_400).contains(timeout) else { throw ValidationError("--timeout must be 1 to 86400 seconds") }
    }

    func run() async throws {
        let settings = try Settings()
        let file = settings.value("kubeconfig", kubeconfig).map(absolute)
        let place = ServedModel(model)
        let name = self.name ?? place.name
        let environment = ProcessInfo.processInfo.environment
        let address = settings.value("tracking", tracking) ?? environment["MLFLOW_TRACKING_URI"]
        if place.isRegistered, address == nil {
            throw ValidationError("where is the registry of \(model)? Give --tracking, or set MLFLOW_TRACKING_URI")
        }
        try await reporting {
            let config = try Kubeconfig.load(path: file)
            let transport = try HTTPTransport(config)
            let result: Result<Void, any Error>
            do {
                let serving = ModelServing(
                    client: KubeClient(transport: transport, userAgent: "apus-models"),
                    namespace: namespace ?? config.namespace, name: name)
                try await serving.install { try manifests.map(absolute) ?? Self.findManifests() }
                let token =
                    address == nil ? nil : environment["MLFLOW_TRACKING_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
                try await serving.apply(
                    uri: place.uri, format: format ?? place.format, minimum: minReplicas, maximum: maxReplicas,
                    canary: canary, tracking: place.isRegistered ? address : nil, token: token)
                let ready = try await serving.waitUntilReady(.seconds(timeout))
                for line in try await serving.instructions(ready) { print(line) }
                result = .success(())
            } catch {
                result = .failure(error)
            }
            try await transport.shutdown()
            try result.get()
        }
    }

    /// deploy/serving of the checkout in whose `.build` the program lies.
    private static func findManifests() throws -> String {
        var folder = executablePath()
        while folder != "/" {
            folder = (folder as NSString).deletingLastPathComponent
            let candidate = "\(folder)/deploy/serving"
            if FileManager.default.fileExists(atPath: "\(candidate)/kustomization.yaml") { return candidate }
        }
        throw PlatformError(
            "the cluster has no kinds of KServe, and deploy/serving is not beside the program: give it with --manifests"
        )
    }
}

/// What a model's address says.
struct ServedModel {
    let uri: String
    let name: String
    let format: String
    let isRegistered: Bool

    init(_ text: String) {
        isRegistered = text.hasPrefix("models:/")
        var path = text
        if isRegistered {
            path = String(text.dropFirst("models:/".count).drop { $0 == "/" })
            path = String(path.split(separator: "@").first?.split(separator: "/").first ?? "model")
        } else if !text.contains("://") {
            // Pods have another folder.
            path = absolute(text)
        }
        uri = isRegistered || text.contains("://") ? text : "file://\(path)"
        let last = path.split(separator: "/").last.map(String.init) ?? "model"
        let suffix = last.split(separator: ".").count > 1 ? last.split(separator: ".").last.map(String.init) ?? "" : ""
        name = Self.serviceName(suffix.isEmpty || isRegistered ? last : String(last.dropLast(suffix.count + 1)))
        format =
            switch suffix {
            case "onnx": "onnx"
            case "ubj", "xgb", "bst": "xgboost"
            case "lgb", "txt": "lightgbm"
            case "als": "apus-als"
            default: "mlflow"
            }
    }

    /// Lower-case letters, digits and `-`, beginning with a letter.
    private static func serviceName(_ text: String) -> String {
        let name = text.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        let trimmed = String(name).trimmingCharacters(in: CharacterSet(charactersIn: "-")).prefix(30)
        let clean = trimmed.first?.isLetter == true ? String(trimmed) : "model-\(trimmed)"
        return clean.trimmingCharacters(in: CharacterSet(charactersIn: "-"))
    }
}
