// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArrowFormat

/// Payloads of the frames that are not Arrow's.
enum WorkerMessage {
    static func json(_ members: [String: JSONValue]) -> [UInt8] {
        var writer = JSONWriter()
        writer.append(.object(members))
        return writer.bytes
    }

    static func parse(_ bytes: some Sequence<UInt8>) -> JSONValue { (try? JSONParser.parse(bytes)) ?? .null }

    static func error(_ error: LakeError) -> [UInt8] {
        json([
            "code": .string(error.code.rawValue), "message": .string(error.message),
            "sqlState": JSONValue(error.sqlState),
            "vendorCode": error.vendorCode.map { .int(Int64($0)) } ?? .null,
        ])
    }

    static func error(_ payload: [UInt8]) -> LakeError {
        let value = parse(payload)
        return LakeError(
            value["code"].string.flatMap(LakeError.Code.init) ?? .unknown,
            value["message"].string ?? "the worker failed without a reason", sqlState: value["sqlState"].string,
            vendorCode: value["vendorCode"].int.flatMap { Int32(exactly: $0) })
    }

    static func execute(_ statement: LakeStatement) throws(ArrowError) -> [UInt8] {
        var members: [String: JSONValue] = ["sql": .string(statement.sql), "options": JSONValue(statement.options)]
        var rows: [UInt8] = []
        if let ingest = statement.ingest {
            members["table"] = .string(ingest.table)
            members["mode"] = .string(ingest.mode.rawValue)
            rows = try IPCEncoder.stream(ingest.schema, ingest.batches)
        } else if let parameters = statement.parameters {
            rows = try IPCEncoder.stream(parameters.schema, [parameters])
        }
        let head = json(members)
        return withUnsafeBytes(of: UInt32(head.count).littleEndian) { Array($0) } + head + rows
    }

    static func execute(_ payload: [UInt8]) throws(LakeError) -> LakeStatement {
        guard payload.count >= 4 else { throw LakeError(.internal, "a statement's frame is too short") }
        let length = Int(payload.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) })
        guard length <= payload.count - 4 else { throw LakeError(.internal, "a statement's frame is too short") }
        let head = parse(payload[4..<4 + length])
        var statement = LakeStatement(sql: head["sql"].string ?? "", options: head["options"].stringMembers)
        guard payload.count > 4 + length else { return statement }
        do {
            let (schema, batches) = try IPCDecoder.stream(Array(payload[(4 + length)...]))
            if let table = head["table"].string {
                let mode = head["mode"].string.flatMap(IngestMode.init) ?? .append
                statement.ingest = .init(table: table, mode: mode, schema: schema, batches: batches)
            } else {
                statement.parameters = batches.first
            }
        } catch { throw LakeError(error) }
        return statement
    }

    static func head(_ head: StatementHead) -> [UInt8] {
        withUnsafeBytes(of: (head.rowsAffected ?? -1).littleEndian) { Array($0) } + IPCEncoder.schema(head.schema)
    }
}
