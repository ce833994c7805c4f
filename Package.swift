// swift-tools-version: 6.1
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

/// Tests open sockets by hand, and a C structure belongs to whichever C module the compiler happened to load first: in
/// them the check of member imports would come and go with the order of the build.
let testing: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let strict: [SwiftSetting] = testing + [.enableUpcomingFeature("MemberImportVisibility")]

/// Numeric kernels are optimised in debug builds too, so that tests on real data finish.
let optimised: [SwiftSetting] = strict + [.unsafeFlags(["-O"], .when(configuration: .debug))]

extension Target.Dependency {
    static let argumentParser = product(name: "ArgumentParser", package: "swift-argument-parser")
    static let asyncHTTPClient = product(name: "AsyncHTTPClient", package: "async-http-client")
    static let crypto = product(name: "Crypto", package: "swift-crypto")
    static let cryptoExtras = product(name: "CryptoExtras", package: "swift-crypto")
    static let grdb = product(name: "GRDB", package: "GRDB.swift")
    static let hummingbird = product(name: "Hummingbird", package: "hummingbird")
    static let hummingbirdCore = product(name: "HummingbirdCore", package: "hummingbird")
    static let hummingbirdTLS = product(name: "HummingbirdTLS", package: "hummingbird")
    static let httpTypes = product(name: "HTTPTypes", package: "swift-http-types")
    static let jwtKit = product(name: "JWTKit", package: "jwt-kit")
    static let logging = product(name: "Logging", package: "swift-log")
    static let nioCore = product(name: "NIOCore", package: "swift-nio")
    static let nioEmbedded = product(name: "NIOEmbedded", package: "swift-nio")
    static let nioHPACK = product(name: "NIOHPACK", package: "swift-nio-http2")
    static let nioHTTP1 = product(name: "NIOHTTP1", package: "swift-nio")
    static let nioHTTP2 = product(name: "NIOHTTP2", package: "swift-nio-http2")
    static let nioHTTPTypes = product(name: "NIOHTTPTypes", package: "swift-nio-extras")
    static let nioHTTPTypesHTTP2 = product(name: "NIOHTTPTypesHTTP2", package: "swift-nio-extras")
    static let nioPosix = product(name: "NIOPosix", package: "swift-nio")
    static let nioSSL = product(name: "NIOSSL", package: "swift-nio-ssl")
    static let nioTLS = product(name: "NIOTLS", package: "swift-nio")
    static let serviceLifecycle = product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
    static let unixSignals = product(name: "UnixSignals", package: "swift-service-lifecycle")
    static let x509 = product(name: "X509", package: "swift-certificates")
    static let swiftASN1 = product(name: "SwiftASN1", package: "swift-asn1")
    static let yams = product(name: "Yams", package: "Yams")
}

func module(_ name: String, _ dependencies: [Target.Dependency] = [], settings: [SwiftSetting] = strict) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies, swiftSettings: testing)
}

let package = Package(
    name: "apus",
    products: [
        .executable(name: "apus", targets: ["apus"]),
        .executable(name: "movie-recommender", targets: ["MovieRecommender"]),
        .executable(name: "apus-bench", targets: ["apus-bench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // 0 Base
        module("ApusCore"),

        // Data folders: locks, durable changes of small files, what the system said.
        module("DataFolders"),

        // Fields of protobuf messages.
        module("ProtobufFormat"),

        // 1 Wire: pure codecs and models
        module("KubeAPI", ["ApusCore", "ProtobufFormat"]),
        // RE2 in C++, behind a C interface.
        .target(name: "CRE2", linkerSettings: [.linkedLibrary("re2")]),
        module("LinearRegex", ["CRE2"]),
        .systemLibrary(name: "CChecksum"),
        .systemLibrary(name: "CLZ4"),
        .systemLibrary(name: "CMalloc"),
        .systemLibrary(name: "CSnappy"),
        .systemLibrary(name: "CZlib"),
        .systemLibrary(name: "CZstd"),
        .systemLibrary(name: "CExpat"),
        // The ABI of ADBC 1.1 and Arrow's C interfaces: declarations only.
        .systemLibrary(name: "CADBC"),
        module("ArrowFormat", ["ApusCore", "CADBC"], settings: optimised),
        module("DeltaProtocol", ["ApusCore"]),
        module("S3Protocol", ["ApusCore", "ByteCodes", "CChecksum", "CExpat", .crypto]),
        // Base64 and CRC32C, for those who need exactly that.
        module("ByteCodes", ["CChecksum"], settings: optimised),
        // Tables of messages are generated; what they do with bytes is optimised in debug builds too.
        module("KafkaProtocol", settings: optimised),
        module(
            "KafkaRecords", ["ByteCodes", "CLZ4", "CSnappy", "CZlib", "CZstd"], settings: optimised),
        module("IcebergProtocol", ["ApusCore"]),
        // MLflow's messages (generated), filters and limits.
        module("TrackingModel", ["ApusCore", "ByteCodes", "ProtobufFormat"]),
        // Where servers listen, and the sentences for when they cannot.
        module("Listening", [.nioCore]),
        // Connections of HTTP/2 whose streams are no channels. Optimised in debug builds too: it is on every frame's way.
        module("HTTP2Streams", [.nioCore, .nioHPACK, .nioHTTP2], settings: optimised),
        module("SASLMessages", ["ByteCodes", .crypto, .cryptoExtras]),
        // Optimised in debug builds too: it calls itself, and frames of code that is not optimised fill the stack.
        module("CEL", ["ApusCore", "KubeAPI", "LinearRegex"], settings: optimised),
        module("ServerSideApply", ["ApusCore", "KubeAPI"]),
        module("YAMLFormat", ["ApusCore", .yams]),
        module("AccessControl", ["ApusCore", "KubeAPI"]),
        module("AdmissionRules", ["ApusCore", "KubeAPI"]),
        module("CustomResources", ["ApusCore", "KubeAPI", "CEL", "LinearRegex"]),

        // Declarations of our own; the libraries are opened at run time.
        .systemLibrary(name: "CONNXRuntime"),
        .systemLibrary(name: "CXGBoost"),
        .systemLibrary(name: "CLightGBM"),
        // The Open Inference Protocol: tensors, JSON with binary data, messages.
        module(
            "InferenceProtocol", ["ApusCore", "ByteCodes", .nioCore], settings: optimised),
        // KServe's objects, and what is made of them.
        module("ServingObjects", ["ApusCore", "KubeAPI"]),
        // Routes, weights, retries, limits: what a gateway decides.
        module("GatewayRules", ["ApusCore", "KubeAPI", "LinearRegex"], settings: optimised),
        // Knative's and KEDA's decisions, and when a rollout goes on.
        module("AutoscalingCore", ["ApusCore", "KubeAPI"]),

        // 2 Engines: no network
        module(
            "ModelRuntimes",
            [
                "ApusCore", "CLightGBM", "CONNXRuntime", "CProcessShim", "CXGBoost", "DataFolders", "InferenceProtocol",
                "ModelKit",
                "YAMLFormat",
            ]),
        module("InferenceEngine", ["ApusCore", "InferenceProtocol", "ModelRuntimes", .logging]),
        module("KubeStore", ["ApusCore", "DataFolders", .crypto, .grdb, .logging]),
        module("ObjectStore", ["ByteCodes", "DataFolders", .crypto, .grdb, .logging]),
        // libpq of Debian.
        .systemLibrary(name: "CPostgres"),
        module("SQLDatabases", ["CPostgres", "DataFolders", "LinearRegex", .grdb]),
        module("TrackingStore", ["ApusCore", "LinearRegex", "SQLDatabases", "TrackingModel"]),
        module("SchedulerCore", ["ApusCore", "KubeAPI"]),
        // Inline functions in a header: compiled with ModelKit, optimised like it.
        .systemLibrary(name: "CALSKernels"),
        module("EventLog", ["ByteCodes", "DataFolders", "KafkaRecords", .logging]),
        module("EventCoordination", ["ApusCore", "ByteCodes", "SASLMessages"]),
        module("ModelKit", ["ApusCore", "CALSKernels"], settings: optimised),

        // 3 Servers and clients
        // What the services have in common that speak HTTP, over Hummingbird.
        module(
            "ServiceHTTP",
            [
                "ApusCore", "Listening", .crypto, .httpTypes, .hummingbird, .hummingbirdCore, .hummingbirdTLS, .logging,
                .nioCore, .nioSSL, .serviceLifecycle, .unixSignals,
            ]),
        module(
            "KubeServer",
            [
                "ApusCore", "KubeAPI", "KubeStore", "CEL", "ServerSideApply", "AccessControl",
                "AdmissionRules", "CustomResources", "CMalloc", "CZlib", "Listening", "YAMLFormat", .asyncHTTPClient,
                .crypto,
                .httpTypes, .hummingbird, .hummingbirdCore, .jwtKit, .logging, .nioCore, .nioHTTP1, .nioHTTP2,
                .nioHTTPTypes, .nioHTTPTypesHTTP2, .nioSSL, .nioTLS, .serviceLifecycle, .swiftASN1, .x509,
            ]),
        module(
            "EventBroker",
            [
                "ApusCore", "DataFolders", "KafkaProtocol", "KafkaRecords", "EventLog", "EventCoordination",
                "LinearRegex",
                "Listening", "SASLMessages", "ServiceHTTP", .logging, .nioCore, .nioPosix, .nioSSL, .swiftASN1, .x509,
            ]),
        module(
            "ObjectServer",
            [
                "ApusCore", "ByteCodes", "DataFolders", "Listening", "S3Protocol", "ObjectStore", "ServiceHTTP",
                .crypto,
                .logging, .nioCore, .nioHTTP1, .nioPosix, .nioSSL,
            ]),
        module(
            "S3Client",
            [
                "ApusCore", "ByteCodes", "S3Protocol", .asyncHTTPClient, .crypto, .logging, .nioCore, .nioHTTP1,
                .nioSSL,
            ]),
        module("LakeEngine", ["ApusCore", "ArrowFormat", "CADBC"]),
        module(
            "DeltaTables",
            [
                "ApusCore", "ArrowFormat", "DataFolders", "DeltaProtocol", "LakeEngine", "S3Client", "S3Protocol",
                .nioCore,
            ]),
        module(
            "SQLServer",
            [
                "ApusCore", "ArrowFormat", "DeltaTables", "LakeEngine", "ServiceHTTP", .httpTypes, .hummingbird,
                .logging, .nioCore,
            ]),
        module(
            "IcebergCatalog",
            [
                "ApusCore", "DataFolders", "IcebergProtocol", "S3Client", "S3Protocol", "ServiceHTTP", .grdb,
                .httpTypes, .hummingbird, .logging, .nioCore, .serviceLifecycle,
            ]),
        module(
            "TrackingServer",
            [
                "ApusCore", "CZlib", "DataFolders", "S3Client", "S3Protocol", "ServiceHTTP", "SQLDatabases",
                "TrackingModel", "TrackingStore", .asyncHTTPClient, .crypto, .httpTypes, .hummingbird, .logging,
                .nioCore,
                .nioHTTP1,
            ]),
        // For programs that log.
        module(
            "TrackingClient",
            ["ApusCore", "DataFolders", .asyncHTTPClient, .logging, .nioCore, .nioHTTP1, .nioPosix]),
        .systemLibrary(name: "CRDKafka"),
        module(
            "KafkaClient",
            ["ApusCore", "CRDKafka", "KafkaProtocol", "SASLMessages", .nioCore, .nioPosix, .nioSSL]),
        module(
            "KubeClient",
            ["ApusCore", "KubeAPI", "YAMLFormat", .asyncHTTPClient, .nioCore, .nioHTTP1, .nioPosix, .nioSSL]),

        module(
            "InferenceServer",
            [
                "ApusCore", "ByteCodes", "CZlib", "HTTP2Streams", "InferenceEngine", "InferenceProtocol", "Listening",
                "ServiceHTTP", .logging, .nioCore, .nioHPACK, .nioHTTP1, .nioHTTP2, .nioPosix, .nioSSL,
                .serviceLifecycle,
            ]),
        // Where models come from.
        module(
            "ModelSources",
            [
                "ApusCore", "CZlib", "DataFolders", "InferenceProtocol", "ModelRuntimes", "S3Client", "S3Protocol",
                "TrackingClient", .asyncHTTPClient, .crypto, .logging, .nioCore, .nioHTTP1, .nioPosix,
            ]),
        // Requests and answers as CloudEvents.
        module(
            "PayloadSinks",
            ["ApusCore", "InferenceProtocol", "KafkaClient", .asyncHTTPClient, .logging, .nioCore, .nioHTTP1]),
        module(
            "GraphRouter",
            [
                "ApusCore", "LinearRegex", "ServiceHTTP", "ServingObjects", .asyncHTTPClient, .httpTypes,
                .hummingbird, .nioCore, .nioHTTP1,
            ]),
        // The data plane: no Kubernetes.
        module(
            "Gateway",
            [
                "ApusCore", "GatewayRules", "HTTP2Streams", "Listening", "ServiceHTTP", .asyncHTTPClient, .crypto,
                .jwtKit, .logging, .nioCore, .nioHTTP1, .nioHPACK, .nioHTTP2, .nioPosix, .nioSSL, .nioTLS,
            ], settings: optimised),

        // 4 Control
        module("ControllerRuntime", ["ApusCore", "KubeAPI", "KubeClient", .logging]),
        module(
            "Controllers",
            [
                "AccessControl", "AdmissionRules", "ApusCore", "AutoscalingCore", "KubeAPI", "KubeClient",
                "ControllerRuntime", "SchedulerCore", .logging,
            ]),
        module("Scheduler", ["ApusCore", "KubeAPI", "KubeClient", "ControllerRuntime", "SchedulerCore", .logging]),
        .target(name: "CProcessShim"),
        module("ContainerRuntimes", ["ApusCore", "CProcessShim", .logging, .nioPosix]),
        module(
            "Kubelet",
            [
                "ApusCore", "KubeAPI", "KubeClient", "ControllerRuntime", "ContainerRuntimes", .asyncHTTPClient,
                .logging, .nioCore, .nioHTTP1, .nioPosix, .nioSSL,
            ]),
        module(
            "ServiceProxy",
            ["ApusCore", "KubeAPI", "KubeClient", "ControllerRuntime", .logging, .nioCore, .nioPosix]),

        module(
            "EventOperators",
            [
                "ApusCore", "ByteCodes", "KafkaClient", "KubeAPI", "KubeClient", "ControllerRuntime", "SASLMessages",
                .logging,
            ]),

        module(
            "ObjectOperators",
            [
                "ApusCore", "ByteCodes", "S3Client", "S3Protocol", "KubeAPI", "KubeClient", "ControllerRuntime",
                .logging,
            ]),

        module(
            "GatewayController",
            [
                "ApusCore", "ControllerRuntime", "GatewayRules", "KubeAPI", "KubeClient", .crypto, .logging,
            ]),
        module(
            "ServingAutoscaler",
            [
                "ApusCore", "AutoscalingCore", "ControllerRuntime", "GatewayRules", "KafkaClient", "KubeAPI",
                "KubeClient", .asyncHTTPClient, .logging, .nioCore, .nioHTTP1,
            ]),
        // TLS between pods: an authority and certificates in Secrets.
        module(
            "ServingCertificates",
            [
                "ApusCore", "ControllerRuntime", "KubeAPI", "KubeClient", .crypto, .logging, .swiftASN1, .x509,
            ]),
        module(
            "ServingOperators",
            [
                "ApusCore", "AutoscalingCore", "ControllerRuntime", "KubeAPI", "KubeClient", "ServingObjects", .logging,
            ]),

        // 6 App
        module(
            "ApusApp",
            [
                "ApusCore", "CMalloc", "KubeAPI", "AccessControl", "KubeStore", "KubeServer", "KubeClient",
                "ControllerRuntime", "Controllers", "Scheduler", "ContainerRuntimes", "Kubelet", "ServiceProxy",
                "EventBroker", "DataFolders", "EventOperators", "IcebergCatalog", "IcebergProtocol", "KafkaClient",
                "GatewayController", "GatewayRules", "Gateway", "GraphRouter", "InferenceEngine", "InferenceProtocol",
                "InferenceServer", "ModelRuntimes", "ModelSources", "PayloadSinks", "ServingAutoscaler",
                "ServingCertificates", "ServingOperators",
                "Listening", "ObjectOperators",
                "ObjectServer", "ObjectStore", "S3Client", "SQLDatabases", "ServiceHTTP", "TrackingModel",
                "TrackingServer",
                "TrackingStore", "YAMLFormat", .logging, .nioSSL, .serviceLifecycle, .unixSignals,
            ]),
        .executableTarget(
            name: "apus",
            dependencies: [
                "ApusApp", "ApusCore", "ArrowFormat", "DeltaProtocol", "DeltaTables", "EventBroker", "EventLog",
                "IcebergCatalog", "IcebergProtocol", "KafkaClient", "KubeAPI", "KubeClient", "LakeEngine",
                "ObjectServer", "S3Client", "SQLServer", "ServiceHTTP", "TrackingClient",
                "TrackingServer",
                "Gateway", "GatewayController", "InferenceEngine", "InferenceProtocol", "ModelRuntimes",
                "PayloadSinks", "ServingAutoscaler", "ServingOperators", "YAMLFormat",
                "CProcessShim",
                .argumentParser, .logging,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "apus-bench",
            dependencies: [
                "ApusCore", "ArrowFormat", "DeltaProtocol", "DeltaTables", "KubeAPI", "KubeClient", "KubeStore",
                "LakeEngine", "S3Protocol", .argumentParser, .crypto, .hummingbird, .hummingbirdTLS, .logging, .nioSSL,
            ],
            path: "Benchmarks/apus-bench", swiftSettings: strict),
        .executableTarget(
            name: "MovieRecommender",
            dependencies: [
                "ApusCore", "ArrowFormat", "CMalloc", "DeltaProtocol", "DeltaTables", "KafkaClient", "LakeEngine",
                "ModelKit",
                "S3Client", "TrackingClient", "YAMLFormat", .argumentParser, .asyncHTTPClient, .grdb, .hummingbird,
                .httpTypes, .logging, .nioCore, .nioHTTP1, .nioPosix, .serviceLifecycle, .unixSignals,
            ],
            path: "Examples/MovieRecommender", exclude: ["deploy", "README.md"],
            // One binary, queries and all; --queries takes others. The file in Python goes into models.
            resources: [.embedInCode("queries"), .embedInCode("python")], swiftSettings: strict),

        // Random numbers for tests, the same each time.
        .target(name: "SeededRandom", path: "Tests/SeededRandom", swiftSettings: strict),
        tests("ApusCore", ["SeededRandom"]),
        tests("DataFolders"),
        tests("KubeAPI", ["ApusCore", "ProtobufFormat"]),
        tests("LinearRegex"),
        tests("CEL", ["ApusCore", "KubeAPI"]),
        tests("AdmissionRules", ["ApusCore", "KubeAPI"]),
        tests("ServerSideApply", ["ApusCore", "KubeAPI", "SeededRandom"]),
        tests("YAMLFormat", ["ApusCore"]),
        tests("CustomResources", ["ApusCore", "CEL", "KubeAPI", "SeededRandom"]),
        tests("KubeStore", ["ApusCore", .grdb, .logging]),
        // Databases for tests: SQLite in a folder, and a PostgreSQL of Debian's package.
        .target(
            name: "DatabaseFixtures", dependencies: ["DataFolders", "SQLDatabases"], path: "Tests/DatabaseFixtures",
            swiftSettings: strict),
        tests("SQLDatabases", ["DatabaseFixtures"]),
        tests("TrackingModel", ["ApusCore"]),
        tests("TrackingStore", ["ApusCore", "DatabaseFixtures", "SQLDatabases", "TrackingModel"]),
        tests("SchedulerCore", ["ApusCore", "KubeAPI"]),
        tests("ModelKit", ["ApusCore"]),
        tests("ArrowFormat", ["ApusCore"]),
        tests("DeltaProtocol", ["ApusCore"]),
        tests("S3Protocol", ["ByteCodes", .crypto]),
        tests("ObjectStore", ["ByteCodes", "ApusCore", "DataFolders", .grdb, .logging]),
        tests("ObjectServer", ["ApusCore", "S3Protocol", "ObjectStore", "S3Client", .logging, .nioCore, .nioPosix]),
        // A server for tests of clients: it answers as a test says.
        .target(
            name: "ScriptedHTTP", dependencies: [.nioCore, .nioHTTP1, .nioPosix], path: "Tests/ScriptedHTTP",
            swiftSettings: strict),
        tests("S3Client", ["ApusCore", "ByteCodes", "S3Protocol", "ScriptedHTTP", .crypto, .nioCore]),
        tests("LakeEngine", ["ApusCore", "ArrowFormat", .logging]),
        tests("DeltaTables", ["ApusCore", "ArrowFormat", "DeltaProtocol", "LakeEngine", "S3Client", .logging]),
        tests("KafkaProtocol"),
        tests("KafkaRecords", ["ByteCodes"]),
        tests("EventLog", ["ApusCore", "DataFolders", "KafkaRecords", .logging]),
        tests("EventCoordination", ["ByteCodes", "ApusCore", "SASLMessages"]),
        tests(
            "EventBroker",
            [
                "ByteCodes", "ApusCore", "KafkaProtocol", "KafkaRecords", "EventLog", "EventCoordination",
                "SASLMessages", .logging,
                .nioCore, .nioEmbedded, .nioPosix,
            ]),
        tests(
            "KafkaClient",
            [
                "ByteCodes", "CRDKafka", "EventCoordination", "KafkaProtocol", "SASLMessages", .nioCore, .nioEmbedded,
                .nioPosix,
            ]),
        tests("AccessControl", ["ApusCore", "KubeAPI"]),
        tests(
            "KubeServer",
            ["ApusCore", "KubeAPI", "KubeStore", "Listening", "AccessControl", .crypto, .cryptoExtras, .logging, .x509]),
        tests("ControllerRuntime", ["ApusCore", "KubeAPI", "KubeClient"]),
        tests(
            "Controllers",
            [
                "ApusCore", "AutoscalingCore", "KubeAPI", "KubeClient", "KubeServer", "KubeStore", "ControllerRuntime",
                .logging,
            ]),
        tests("Scheduler", ["ApusCore", "KubeAPI", "KubeClient", "KubeServer", "KubeStore", .logging]),
        tests("ContainerRuntimes", ["ApusCore", "SeededRandom"]),
        tests(
            "Kubelet",
            [
                "ApusCore", "KubeAPI", "KubeClient", "KubeServer", "KubeStore", "ControllerRuntime",
                "ContainerRuntimes", .logging,
            ]),
        tests("EventOperators", ["ByteCodes", "ApusCore", "KafkaClient", "KubeAPI", "SASLMessages"]),
        tests("ServiceHTTP", ["Listening", .httpTypes, .hummingbird, .logging]),
        tests("SQLServer", ["ApusCore", "ArrowFormat", "LakeEngine", .httpTypes]),
        tests(
            "TrackingServer",
            [
                "ApusCore", "DatabaseFixtures", "S3Protocol", "ServiceHTTP", "TrackingModel", "TrackingStore",
                .httpTypes,
                .hummingbird, .logging, .nioCore,
            ]),
        tests("TrackingClient", ["ApusCore", "ScriptedHTTP"]),
        tests("IcebergProtocol", ["ApusCore"]),
        tests("IcebergCatalog", ["ApusCore", "IcebergProtocol", "ServiceHTTP", .httpTypes, .hummingbird, .logging]),
        tests("ObjectOperators", ["ApusCore", "ByteCodes", "KubeAPI", "S3Protocol"]),
        tests("InferenceProtocol", ["ApusCore", "ByteCodes", "ProtobufFormat", .nioCore]),
        tests("ServingObjects", ["ApusCore", "KubeAPI", "YAMLFormat"]),
        tests("HTTP2Streams", ["SeededRandom", .nioCore, .nioEmbedded, .nioHPACK, .nioHTTP2]),
        tests("GatewayRules", ["ApusCore", "KubeAPI"]),
        tests("AutoscalingCore", ["ApusCore", "KubeAPI", "SeededRandom"]),
        tests("ModelRuntimes", ["InferenceProtocol", "ModelKit"]),
        tests("InferenceEngine", ["ApusCore", "InferenceProtocol", "ModelRuntimes", .logging]),
        tests(
            "InferenceServer",
            [
                "ApusCore", "CZlib", "InferenceEngine", "InferenceProtocol", "ServiceHTTP", .logging, .nioCore,
                .nioEmbedded, .nioHPACK, .nioHTTP1, .nioHTTP2, .nioPosix,
            ]),
        tests(
            "ModelSources",
            ["DataFolders", "InferenceProtocol", "ModelRuntimes", "ScriptedHTTP", .logging]),
        tests("PayloadSinks", ["ApusCore", "InferenceProtocol", "ScriptedHTTP", .logging, .nioCore]),
        tests("GraphRouter", ["ApusCore", "ScriptedHTTP", "ServingObjects", .logging, .nioCore]),
        tests(
            "Gateway",
            [
                "ApusCore", "GatewayRules", "ScriptedHTTP", "SeededRandom", .logging, .nioCore, .nioEmbedded, .nioHTTP1,
                .nioHTTP2, .nioPosix, .nioSSL,
            ]),
        tests("GatewayController", ["ApusCore", "GatewayRules", "KubeAPI", "KubeClient", .logging]),
        tests("ServingAutoscaler", ["ApusCore", "AutoscalingCore", "GatewayRules", "KubeAPI", "KubeClient"]),
        tests("ServingCertificates", ["ApusCore", "KubeAPI"]),
        tests(
            "ServingOperators",
            [
                "ApusCore", "AutoscalingCore", "KubeAPI", "KubeClient", "KubeServer", "KubeStore", "ServingObjects",
                "YAMLFormat", .logging,
            ]),
        tests("ServiceProxy", ["ApusCore", "KubeAPI", .nioCore, .nioPosix]),
    ],
    cxxLanguageStandard: .cxx17
)
