// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArrowFormat
import LakeEngine

/// Writes a result in a format, piece by piece: a start, batches, an end. What a format cannot say of an error after its
/// start, the connection says by ending before the body does.
struct ResultEncoder: Sendable {
    let format: ResultFormat
    let schema: ArrowSchemaInfo
    private var file: IPCFileEncoder
    private var rows = 0

    init(_ format: ResultFormat, _ schema: ArrowSchemaInfo) {
        self.format = format
        self.schema = schema
        file = IPCFileEncoder(schema)
    }

    mutating func start() -> [UInt8] {
        switch format {
        case .arrowStream: return IPCEncoder.schema(schema)
        case .arrowFile: return file.start()
        case .jsonLines, .csv, .tsv, .parquet: return []
        case .json:
            var writer = JSONWriter()
            writer.append(raw: "{\"meta\":")
            writer.append(
                .array(schema.fields.map { .object(["name": .string($0.name), "type": .string("\($0.type)")]) }))
            writer.append(raw: ",\"data\":[")
            return writer.bytes
        case .csvNamed: return Array(ResultText.csv(header: schema).utf8)
        case .tsvNamed: return Array(ResultText.tsv(header: schema).utf8)
        }
    }

    mutating func batch(_ batch: ArrowBatch) throws(LakeError) -> [UInt8] {
        do {
            defer { rows += batch.rowCount }
            switch format {
            case .arrowStream: return try IPCEncoder.batch(batch)
            case .arrowFile: return try file.batch(batch)
            case .jsonLines: return ResultText.json(batch)
            case .json:
                let bytes = ResultText.json(batch, separator: ",\n").dropLast(2)
                return (rows == 0 ? [] : Array(",\n".utf8)) + bytes
            case .csvNamed, .csv: return Array(batch.rows.map(ResultText.csv).joined().utf8)
            case .tsvNamed, .tsv: return Array(batch.rows.map(ResultText.tsv).joined().utf8)
            case .parquet: return []
            }
        } catch {
            throw LakeError(error)
        }
    }

    func end() -> [UInt8] {
        switch format {
        case .arrowStream: IPCEncoder.end
        case .arrowFile: file.end()
        case .jsonLines, .csvNamed, .csv, .tsvNamed, .tsv, .parquet: []
        case .json: Array("],\"rows\":\(rows)}\n".utf8)
        }
    }

    /// What says that the rest is missing, in formats that have a place for it; the body is left unfinished after it.
    func failure(_ fault: SQLFault) -> [UInt8] {
        switch format {
        case .jsonLines: fault.json.encoded + [0x0A]
        default: []
        }
    }
}
