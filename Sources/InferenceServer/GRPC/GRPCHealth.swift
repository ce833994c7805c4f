// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceEngine
import InferenceProtocol
import NIOCore

/// `grpc.health.v1.Health` (health.proto of gRPC): what probes ask.
struct GRPCHealth: Sendable {
    enum Status: String {
        case serving = "SERVING", notServing = "NOT_SERVING", unknownService = "SERVICE_UNKNOWN"
    }

    let catalog: any ModelCatalog
    let limits: RequestLimits

    /// The server as a whole has the name "".
    func service(_ message: ByteBuffer) throws(GRPCStatus) -> String {
        let limits = limits
        let decoded = message.withUnsafeReadableBytes { bytes in
            Result { () throws(InferenceFault) in
                try MessageTable.standard.decode(bytes, as: "grpc.health.v1.HealthCheckRequest", limits: limits)
            }
        }
        do {
            return try decoded.get()["service"].string ?? ""
        } catch {
            throw GRPCStatus(error)
        }
    }

    func status(_ service: String) -> Status {
        guard service.isEmpty || MessageTable.standard.services.contains(service) else { return .unknownService }
        return catalog.isReady ? .serving : .notServing
    }

    func check(_ message: ByteBuffer) throws(GRPCStatus) -> ByteBuffer {
        let service = try service(message)
        let status = status(service)
        guard status != .unknownService else {
            throw GRPCStatus(.notFound, "there is no service \(service)")
        }
        return answer(status)
    }

    func answer(_ status: Status) -> ByteBuffer {
        var buffer = ByteBuffer()
        MessageTable.standard.encode(
            ["status": .string(status.rawValue)], as: "grpc.health.v1.HealthCheckResponse", into: &buffer)
        return buffer
    }
}
