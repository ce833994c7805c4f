// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ByteCodes
import InferenceProtocol
import NIOCore

/// `ServerReflection` in its versions v1 and v1alpha, whose messages are the same: tells tools as grpcurl what there is.
struct GRPCReflection: Sendable {
    /// `grpc.reflection.v1` or `grpc.reflection.v1alpha`.
    let version: String
    let limits: RequestLimits

    func answer(_ message: ByteBuffer) throws(GRPCStatus) -> ByteBuffer {
        let table = MessageTable.standard
        let (limits, name) = (limits, "\(version).ServerReflectionRequest")
        let decoded = message.withUnsafeReadableBytes { bytes in
            Result { () throws(InferenceFault) in try table.decode(bytes, as: name, limits: limits) }
        }
        let request: JSONValue
        do {
            request = try decoded.get()
        } catch {
            throw GRPCStatus(error)
        }
        var answer = self.answer(request)
        answer["valid_host"] = request["host"]
        answer["original_request"] = request
        var buffer = ByteBuffer()
        table.encode(answer, as: "\(version).ServerReflectionResponse", into: &buffer)
        return buffer
    }

    private func answer(_ request: JSONValue) -> JSONValue {
        let table = MessageTable.standard
        if request["list_services"].string != nil {
            let services = table.services.map { ["name": .string($0)] as JSONValue }
            return ["list_services_response": ["service": .array(services)]]
        }
        if let name = request["file_by_filename"].string { return files(name, "file \(name)") }
        if let symbol = request["file_containing_symbol"].string {
            return files(table.file(of: symbol) ?? "", "symbol \(symbol)")
        }
        if let type = request["all_extension_numbers_of_type"].string, table.file(of: type) != nil {
            return ["all_extension_numbers_response": ["base_type_name": .string(type)]]
        }
        return Self.error(.notFound, "there is no such extension: the protocol has none")
    }

    /// The file and those that it imports.
    private func files(_ name: String, _ what: String) -> JSONValue {
        let table = MessageTable.standard
        let descriptors = table.files(with: name).compactMap { table.descriptor(ofFile: $0) }
        guard !descriptors.isEmpty else { return Self.error(.notFound, "there is no \(what)") }
        let encoded = descriptors.map { JSONValue.string(Base64Text.encode(Array($0.readableBytesView))) }
        return ["file_descriptor_response": ["file_descriptor_proto": .array(encoded)]]
    }

    private static func error(_ code: GRPCStatus.Code, _ message: String) -> JSONValue {
        ["error_response": ["error_code": JSONValue(code.rawValue), "error_message": .string(message)]]
    }
}
