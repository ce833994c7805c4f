// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ApusCore
import ArgumentParser
import Foundation
import InferenceEngine
import InferenceProtocol
import KubeAPI
import ModelRuntimes
import PayloadSinks

/// `apus serve inference`.
struct ServeInferenceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inference",
        abstract: "A model server: the Open Inference Protocol v2 over REST and gRPC, and KServe's V1.",
        discussion: """
            One model by --model-name and --model-uri, a folder of them by --model-repository, or those of a file by \
            --models-file; they can go together. Prints 'ready inference HOST:PORT grpc HOST:PORT' when all models that \
            were there at the start are loaded.

            Amounts of memory are written as Kubernetes does: 268435456, 256Mi, 1G.
            """)

    @OptionGroup var models: InferenceModelOptions
    @OptionGroup var engine: InferenceEngineOptions
    @OptionGroup var server: InferenceServerOptions
    @OptionGroup var log: LogOptions

    func run() async throws {
        let settings = try Settings()
        var configuration = InferenceRole.Configuration()
        configuration.engine = try engine.resolved(settings)
        try models.resolve(settings, &configuration)
        try server.resolve(settings, &configuration)
        let logger = try log.logger(settings)
        let resolved = configuration
        try await reporting {
            try await InferenceRole(resolved, logger: logger).run { rest, grpc in
                print("ready inference \(rest)" + (grpc.map { " grpc \($0)" } ?? ""))
                fflush(nil)
            }
        }
    }
}

/// Which models are served.
struct InferenceModelOptions: ParsableArguments {
    @Option(help: "Name of a model that is served from the start. (default with --model-uri: model)")
    var modelName: String?
    @Option(
        help: ArgumentHelp(
            """
            Where it is: a path, file://, s3://, http(s)://, pvc://, models:/NAME@ALIAS, models:/NAME/VERSION, runs:/… \
            An alias is followed. (default with --model-name: /mnt/models)
            """, valueName: "uri"))
    var modelUri: String?
    @Option(help: "Its version, as clients see it. (default: the registry's, else 1)")
    var modelVersion: String?
    @Option(help: "Its format: onnx, xgboost, lightgbm, mlflow, … (default: found out by the files)")
    var modelFormat: String?
    @Option(help: "File of its configuration: a ModelConfig as JSON. (default: the one beside its files, if any)")
    var modelConfig: String?
    @Option(
        help: ArgumentHelp(
            "Folder of models: NAME/config.pbtxt and NAME/VERSION/FILES. May be given several times.",
            valueName: "folder"))
    var modelRepository: [String] = []
    @Option(help: "Which models of the folder are loaded at the start: all, none, or NAMES with commas. (default: all)")
    var load: String?
    @Option(
        help: ArgumentHelp(
            "Seconds between two looks for changes in the folder of models. (default: none)", valueName: "seconds"))
    var repositoryPoll: Double?
    @Option(
        help: """
            File of models in KServe's form, models.json; it is followed: what comes is loaded, what goes is unloaded.
            """)
    var modelsFile: String?
    @Option(
        help: ArgumentHelp(
            "Seconds between two looks at what an alias names; 0: it is not followed. (default: 5)",
            valueName: "seconds"))
    var follow: Double?
    @Option(help: "Folder of models that were fetched. (default: ~/.apus/models)")
    var modelCache: String?

    func resolve(_ settings: Settings, _ configuration: inout InferenceRole.Configuration) throws {
        let name = settings.value("model-name", modelName)
        var uri = settings.value("model-uri", modelUri)
        if name != nil, uri == nil { uri = volumeFolder("/mnt/models") }
        if let uri {
            var model = NamedModel(name: name ?? "model", uri: uri)
            model.version = settings.value("model-version", modelVersion)
            model.format = settings.value("model-format", modelFormat)
            if let file = settings.value("model-config", modelConfig).map({ volumeFile(absolute($0)) }) {
                model.config = try Self.json(file)
            }
            configuration.models = [model]
        } else {
            for (option, value) in [
                ("model-version", modelVersion), ("model-format", modelFormat), ("model-config", modelConfig),
            ] where value != nil {
                throw ValidationError("--\(option) is of a model that --model-name and --model-uri name")
            }
        }
        let folders =
            modelRepository.isEmpty ? settings.value("model-repository", nil).map { [$0] } ?? [] : modelRepository
        configuration.repositories = folders.map { volumeFolder(absolute($0)) }
        switch settings.value("load", load) ?? "all" {
        case "all": configuration.loaded = nil
        case "none": configuration.loaded = []
        case let names: configuration.loaded = names.split(separator: ",").map(String.init)
        }
        configuration.poll = try Self.seconds(settings, "repository-poll", repositoryPoll).flatMap {
            $0 > .zero ? $0 : nil
        }
        configuration.modelsFile = settings.value("models-file", modelsFile).map { volumeFile(absolute($0)) }
        configuration.follow = try Self.seconds(settings, "follow", follow) ?? .seconds(5)
        configuration.cache = absolute(settings.value("model-cache", modelCache) ?? "\(HomeFolder.path)/.apus/models")
        guard uri != nil || !folders.isEmpty || configuration.modelsFile != nil else {
            throw ValidationError("give a model by --model-name and --model-uri, --model-repository, or --models-file")
        }
    }

    private static func json(_ file: String) throws -> JSONValue {
        guard let data = FileManager.default.contents(atPath: file), data.count <= 1 << 20 else {
            throw ValidationError("--model-config: \(file) cannot be read")
        }
        do {
            return try JSONParser.parse(Array(data), maxDepth: 32)
        } catch {
            throw ValidationError("--model-config: \(file) is no JSON: \(error)")
        }
    }

    /// A duration in seconds.
    static func seconds(_ settings: Settings, _ name: String, _ given: Double?) throws -> Duration? {
        guard let text = settings.value(name, given.map { String($0) }) else { return nil }
        guard let number = Double(text), number >= 0, number <= 1e9 else {
            throw ValidationError("--\(name) must be a number of seconds, not '\(text)'")
        }
        return .seconds(number)
    }
}

/// How models are run.
struct InferenceEngineOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Rows of requests that are run together, at most, for models that do not say themselves; 1: none are put \
            together. (default: 1)
            """, valueName: "rows"))
    var batchSize: Int?
    @Option(
        help: ArgumentHelp(
            "Milliseconds that a request waits for others to be run with. (default: 0: for a free instance only)",
            valueName: "ms"))
    var batchDelay: Double?
    @Option(
        help: """
            How many runs of one model go on at a time, for models that do not say themselves; quick ones run where they \
            are asked and need none. (default: 1)
            """)
    var instances: Int?
    @Option(help: "Threads within one run. (default: 1)")
    var threads: Int?
    @Option(help: "Requests to one model that may wait; the next gets 429 or RESOURCE_EXHAUSTED. (default: 1024)")
    var maxQueue: Int?
    @Option(
        help: ArgumentHelp(
            "Milliseconds that a request may wait, where neither it nor its model says. (default: no limit)",
            valueName: "ms"))
    var queueTimeout: Double?
    @Option(
        help: ArgumentHelp(
            """
            Seconds that one run may take, where its model does not say (parameter run_timeout); it is then ended, where \
            the runtime can, and answered with DEADLINE_EXCEEDED; 0: as long as it likes. (default: 300)
            """, valueName: "seconds"))
    var runTimeout: Double?
    @Option(
        help: ArgumentHelp(
            "Microseconds of a run up to which a model is quick. (default: 200; 0: none is)", valueName: "us"))
    var inlineLimit: Int?
    @Option(help: "Memory for answers of models whose configuration has response_cache. (default: none)")
    var cacheSize: String?
    @Option(help: "Memory that all models may take together. (default: no limit)")
    var memoryLimit: String?
    @Flag(help: "Models of the folder that were used longest ago go when others need their memory.")
    var evict = false
    @Option(
        help: """
            Address space of the whole server (RLIMIT_AS): a run that asks for more fails, instead of the server being \
            ended. (default: no limit)
            """)
    var processMemoryLimit: String?
    @Option(help: "Python that runs mlflow's and scikit-learn's own models. (default: python3)")
    var python: String?

    func resolved(_ settings: Settings) throws -> EngineConfiguration {
        var engine = EngineConfiguration()
        let rows = try Self.integer(settings, "batch-size", batchSize, 1...1_000_000) ?? 1
        engine.isBatching = rows > 1
        engine.maximumBatch = rows
        engine.batchDelay = try Self.milliseconds(settings, "batch-delay", batchDelay) ?? .zero
        engine.instances = try Self.integer(settings, "instances", instances, 1...1024) ?? 1
        engine.runtime.threads = try Self.integer(settings, "threads", threads, 1...1024) ?? 1
        engine.maximumQueue = try Self.integer(settings, "max-queue", maxQueue, 1...10_000_000) ?? engine.maximumQueue
        engine.timeout = try Self.milliseconds(settings, "queue-timeout", queueTimeout).flatMap {
            $0 > .zero ? $0 : nil
        }
        if let limit = try InferenceModelOptions.seconds(settings, "run-timeout", runTimeout) {
            engine.runTimeout = limit > .zero ? limit : nil
        }
        engine.inlineLimit = .microseconds(
            try Self.integer(settings, "inline-limit", inlineLimit, 0...1_000_000) ?? 200)
        engine.cacheBytes = try Self.bytes(settings, "cache-size", cacheSize) ?? 0
        engine.memoryLimit = try Self.bytes(settings, "memory-limit", memoryLimit) ?? Int.max
        engine.evicts = evict || settings.value("evict", nil) == "true"
        engine.runtime.python = settings.value("python", python)
        if let limit = try Self.bytes(settings, "process-memory-limit", processMemoryLimit) {
            var limits = rlimit(rlim_cur: rlim_t(limit), rlim_max: rlim_t(limit))
            guard setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limits) == 0 else {
                throw ValidationError("--process-memory-limit: the system does not allow it: \(errno)")
            }
        }
        return engine
    }

    private static func integer(
        _ settings: Settings, _ name: String, _ given: Int?, _ range: ClosedRange<Int>
    ) throws -> Int? {
        guard let number = try settings.integer(name, given) else { return nil }
        guard range.contains(number) else {
            throw ValidationError("--\(name) must be \(range.lowerBound) to \(range.upperBound), not \(number)")
        }
        return number
    }

    private static func milliseconds(_ settings: Settings, _ name: String, _ given: Double?) throws -> Duration? {
        guard let text = settings.value(name, given.map { String($0) }) else { return nil }
        guard let number = Double(text), number >= 0, number <= 1e9 else {
            throw ValidationError("--\(name) must be a number of milliseconds, not '\(text)'")
        }
        return .microseconds(Int64(number * 1000))
    }

    static func bytes(_ settings: Settings, _ name: String, _ given: String?) throws -> Int? {
        guard let text = settings.value(name, given) else { return nil }
        guard let bytes = Quantity(text)?.value, bytes > 0 else {
            throw ValidationError("--\(name) must be an amount of memory as 256Mi, not '\(text)'")
        }
        return Int(bytes)
    }
}

/// Where it listens, and to whom.
struct InferenceServerOptions: ParsableArguments {
    @Option(help: "Address to listen on. (default: 127.0.0.1)")
    var host: String?
    @Option(help: "Port of REST; 0 takes a free one. (default: 8000)")
    var httpPort: Int?
    @Option(help: "Port of gRPC; 0 takes a free one, none: there is no gRPC. (default: 8001)")
    var grpcPort: String?
    @Option(help: "File of who may use it: a line TOKEN NAME each; clients send Authorization: Bearer TOKEN.")
    var tokenFile: String?
    @Flag(help: "Everybody who reaches the address may use it, also from other machines.")
    var open = false
    @Option(help: "PEM file of the certificate with its chain: clients then connect over TLS.")
    var tlsCertificate: String?
    @Option(help: "PEM file of the certificate's key. Both are read anew when they change.")
    var tlsKey: String?
    @Option(help: "PEM file of those who sign clients' certificates: a client then needs one of them.")
    var tlsClientAuthority: String?
    @Option(help: "Bytes of one request's body at most. (default: 64Mi)")
    var maxBody: String?
    @Option(
        help: ArgumentHelp(
            "Where requests and answers are sent as CloudEvents: http(s)://… or kafka://HOST:PORT/TOPIC. (default: nowhere)",
            valueName: "url"))
    var payloadLogUrl: String?
    @Option(help: "Which are: all, request, response. (default: all)")
    var payloadLogMode: String?
    @Option(help: "What events say of the service, NAMESPACE/NAME. (default: nothing)")
    var payloadLogService: String?
    @Option(
        help:
            "Address at which metrics are shown without a token, HOST:PORT; REST has them at /metrics, too. (default: none)"
    )
    var metricsListen: String?
    @Option(
        help: ArgumentHelp(
            """
            Seconds between SIGTERM, when the server is no longer ready, and the end of new connections, for gateways to \
            notice. (default: 0)
            """, valueName: "seconds"))
    var shutdownDelay: Double?
    @Option(
        help: ArgumentHelp(
            "Seconds that requests may go on after that. (default: 20)", valueName: "seconds"))
    var drain: Double?

    func resolve(_ settings: Settings, _ configuration: inout InferenceRole.Configuration) throws {
        configuration.host = settings.value("host", host) ?? "127.0.0.1"
        configuration.httpPort = try Self.port(
            "http-port", settings.value("http-port", httpPort.map { String($0) }) ?? "8000")
        let grpc = settings.value("grpc-port", grpcPort) ?? "8001"
        configuration.grpcPort = grpc == "none" ? nil : try Self.port("grpc-port", grpc)
        configuration.tokens = settings.value("token-file", tokenFile).map { volumeFile(absolute($0)) }
        configuration.isOpen = open || settings.value("open", nil) == "true"
        guard configuration.tokens == nil || !configuration.isOpen else {
            throw ValidationError("--open and --token-file do not go together: give one of them")
        }
        let chain = settings.value("tls-certificate", tlsCertificate).map { volumeFile(absolute($0)) }
        let key = settings.value("tls-key", tlsKey).map { volumeFile(absolute($0)) }
        guard (chain == nil) == (key == nil) else {
            throw ValidationError("--tls-certificate and --tls-key go together: give both, or neither")
        }
        configuration.certificate = chain.flatMap { chain in key.map { ServerCertificate(chain: chain, key: $0) } }
        configuration.clientAuthority = settings.value("tls-client-authority", tlsClientAuthority).map {
            volumeFile(absolute($0))
        }
        guard configuration.clientAuthority == nil || configuration.certificate != nil else {
            throw ValidationError("--tls-client-authority needs --tls-certificate and --tls-key")
        }
        configuration.maximumBody = try InferenceEngineOptions.bytes(settings, "max-body", maxBody) ?? 64 << 20
        configuration.payloads = try payloads(settings)
        configuration.metrics = try settings.value("metrics-listen", metricsListen).map {
            try hostAndPort("metrics-listen", $0, example: "127.0.0.1:8002", least: 0)
        }
        configuration.shutdownDelay =
            try InferenceModelOptions.seconds(settings, "shutdown-delay", shutdownDelay) ?? .zero
        configuration.drain = try InferenceModelOptions.seconds(settings, "drain", drain) ?? .seconds(20)
    }

    private func payloads(_ settings: Settings) throws -> PayloadLogConfiguration? {
        guard let url = settings.value("payload-log-url", payloadLogUrl) else { return nil }
        let target: PayloadTarget
        do {
            target = try PayloadTarget(url)
        } catch {
            throw ValidationError("--payload-log-url: \(error)")
        }
        var log = PayloadLogConfiguration(target)
        let mode = settings.value("payload-log-mode", payloadLogMode) ?? "all"
        guard let known = PayloadLogConfiguration.Mode(rawValue: mode) else {
            throw ValidationError("--payload-log-mode must be all, request or response, not '\(mode)'")
        }
        log.mode = known
        if let service = settings.value("payload-log-service", payloadLogService) {
            let words = service.split(separator: "/", omittingEmptySubsequences: false)
            guard words.count == 2, words.allSatisfy({ !$0.isEmpty }) else {
                throw ValidationError("--payload-log-service must be NAMESPACE/NAME, not '\(service)'")
            }
            log.origin.namespace = String(words[0])
            log.origin.service = String(words[1])
        }
        return log
    }

    private static func port(_ option: String, _ text: String) throws -> Int {
        guard let port = Int(text), (0...65535).contains(port) else {
            throw ValidationError("--\(option) must be a port, not '\(text)'")
        }
        return port
    }
}
