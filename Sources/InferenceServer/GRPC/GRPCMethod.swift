// SPDX-License-Identifier: Apache-2.0

/// The methods that are served, by their paths.
enum GRPCMethod: Sendable, Hashable {
    /// The rest of `inference.GRPCInferenceService`: one message each way.
    enum Unary: String, Sendable, CaseIterable {
        case serverLive = "ServerLive"
        case serverReady = "ServerReady"
        case modelReady = "ModelReady"
        case serverMetadata = "ServerMetadata"
        case modelMetadata = "ModelMetadata"
        case modelConfig = "ModelConfig"
        case modelStatistics = "ModelStatistics"
        case repositoryIndex = "RepositoryIndex"
        case repositoryModelLoad = "RepositoryModelLoad"
        case repositoryModelUnload = "RepositoryModelUnload"
        case systemSharedMemoryStatus = "SystemSharedMemoryStatus"
        case systemSharedMemoryRegister = "SystemSharedMemoryRegister"
        case systemSharedMemoryUnregister = "SystemSharedMemoryUnregister"
        case cudaSharedMemoryStatus = "CudaSharedMemoryStatus"
        case cudaSharedMemoryRegister = "CudaSharedMemoryRegister"
        case cudaSharedMemoryUnregister = "CudaSharedMemoryUnregister"
        case traceSetting = "TraceSetting"
        case logSettings = "LogSettings"
    }

    case infer
    case streamInfer
    case unary(Unary)
    case healthCheck
    case healthWatch
    /// The package of the version that was asked: `grpc.reflection.v1`, `grpc.reflection.v1alpha`.
    case reflection(String)

    private static let table: [String: GRPCMethod] = {
        var table: [String: GRPCMethod] = [
            "/inference.GRPCInferenceService/ModelInfer": .infer,
            "/inference.GRPCInferenceService/ModelStreamInfer": .streamInfer,
            "/grpc.health.v1.Health/Check": .healthCheck,
            "/grpc.health.v1.Health/Watch": .healthWatch,
        ]
        for version in ["grpc.reflection.v1", "grpc.reflection.v1alpha"] {
            table["/\(version).ServerReflection/ServerReflectionInfo"] = .reflection(version)
        }
        for method in Unary.allCases { table["/inference.GRPCInferenceService/\(method.rawValue)"] = .unary(method) }
        return table
    }()

    init?(path: String) {
        guard let method = Self.table[path] else { return nil }
        self = method
    }

    /// Whether clients may call it without a token, as probes do.
    var isOpen: Bool {
        switch self {
        case .healthCheck, .healthWatch, .unary(.serverLive), .unary(.serverReady): true
        default: false
        }
    }

    /// Whether a client may send several messages.
    var isClientStreaming: Bool {
        switch self {
        case .streamInfer, .reflection: true
        default: false
        }
    }
}
