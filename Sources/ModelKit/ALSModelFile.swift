// SPDX-License-Identifier: Apache-2.0
internal import ApusCore

#if _endian(big)
    #error("the model file is little-endian and is read as it lies in memory")
#endif

/// The file format of a model; see docs/formats/als-model.md.
package enum ALSModelFile {
    /// The first eight bytes.
    static let magic: [UInt8] = Array("APUSALS\n".utf8)
    /// The version that is written, and the only one that is read.
    static let version: UInt32 = 1
    /// The most users or items.
    private static let countLimit = 1 << 28

    /// The bytes of `model`'s file.
    package static func encode(_ model: ALSModel) -> [UInt8] {
        var writer = ByteWriter()
        writer.bytes.append(contentsOf: magic)
        writer.append([version])
        let header = header(model).encoded
        writer.append([UInt32(header.count)])
        writer.bytes.append(contentsOf: header)
        writer.append(model.users.ids)
        writer.append(model.items.ids)
        writer.append([model.factors.biases.mean])
        writer.append(model.factors.biases.users)
        writer.append(model.factors.biases.items)
        for matrix in [model.factors.users, model.factors.items] {
            for row in 0..<matrix.rowCount { writer.append(Array(matrix.row(row))) }
        }
        writer.append(model.seen.offsets.map(Int64.init))
        writer.append(model.seen.columns)
        writer.append([CRC32.checksum(writer.bytes)])
        return writer.bytes
    }

    /// Reads a model from its file's bytes; throws `ALSError` with code `invalidFile` for anything but a whole,
    /// undamaged file of this version.
    package static func decode(_ bytes: [UInt8]) throws(ALSError) -> ALSModel {
        var reader = ByteReader(bytes)
        guard bytes.starts(with: magic) else {
            throw ALSError(.invalidFile, "not a model file: it does not start with APUSALS")
        }
        _ = try reader.array(UInt8.self, magic.count)
        let found = try reader.one(UInt32.self)
        guard found == version else {
            throw ALSError(.invalidFile, "model file version \(found), expected \(version); train again")
        }
        guard bytes.count > 20 else { throw ByteReader.short }
        let stored = bytes.suffix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let actual = CRC32.checksum(bytes.dropLast(4))
        guard stored == actual else {
            throw ALSError(.invalidFile, "the checksum does not match: the file is damaged or cut short")
        }
        let length = try reader.one(UInt32.self)
        let (info, users, items, entries) = try parseHeader(try reader.array(UInt8.self, Int(length)))
        let userIDs = try identifiers(try reader.array(Int64.self, users), "user")
        let itemIDs = try identifiers(try reader.array(Int64.self, items), "item")
        let biases = Biases(
            mean: try reader.one(Float.self), users: try reader.array(Float.self, users),
            items: try reader.array(Float.self, items))
        let width = info.configuration.factors
        let factors = ALSFactors(
            biases: biases, users: try matrix(&reader, rows: users, columns: width),
            items: try matrix(&reader, rows: items, columns: width))
        let offsets = try reader.array(Int64.self, users + 1).map(Int.init)
        let columns = try reader.array(Int32.self, entries)
        _ = try reader.one(UInt32.self)
        let isFinite =
            (biases.users + biases.items + [biases.mean]).allSatisfy(\.isFinite)
            && factors.users.elements.allSatisfy(\.isFinite) && factors.items.elements.allSatisfy(\.isFinite)
        let seen = SparseMatrix(
            rowCount: users, columnCount: items, offsets: offsets, columns: columns,
            values: [Float](repeating: 1, count: entries))
        guard reader.isAtEnd, isFinite, let seen,
            let model = ALSModel(info: info, users: userIDs, items: itemIDs, factors: factors, seen: seen)
        else { throw ALSError(.invalidFile, "the parts of the model file do not agree with each other") }
        return model
    }

    private static func header(_ model: ALSModel) -> JSONValue {
        let configuration = model.info.configuration
        var header: JSONValue = [
            "users": JSONValue(model.users.count), "items": JSONValue(model.items.count),
            "factors": JSONValue(configuration.factors), "entries": JSONValue(model.seen.count),
            "iterations": JSONValue(configuration.iterations), "seed": .string(String(configuration.seed)),
            "lambda": JSONValue(Double(configuration.regularization)),
            "userBiasDamping": JSONValue(Double(configuration.userBiasDamping)),
            "itemBiasDamping": JSONValue(Double(configuration.itemBiasDamping)),
            "minValue": JSONValue(Double(model.info.valueRange.lowerBound)),
            "maxValue": JSONValue(Double(model.info.valueRange.upperBound)),
            "datasetVersion": .string(model.info.datasetVersion), "trainedAt": .int(model.info.trainedAt),
        ]
        if case .implicit(let alpha) = configuration.feedback { header["alpha"] = JSONValue(Double(alpha)) }
        if let rmse = model.info.rmse { header["rmse"] = JSONValue(rmse) }
        if let recall = model.info.recallAt10 { header["recallAt10"] = JSONValue(recall) }
        return header
    }

    private static func parseHeader(
        _ bytes: [UInt8]
    ) throws(ALSError) -> (info: ALSModel.Info, users: Int, items: Int, entries: Int) {
        let header: JSONValue
        do {
            header = try JSONParser.parse(bytes, maxDepth: 4)
        } catch {
            throw ALSError(.invalidFile, "the header of the model file is not JSON: \(error)")
        }
        var configuration = ALSConfiguration()
        guard let users = header["users"].int, let items = header["items"].int, let entries = header["entries"].int,
            (0...countLimit).contains(users), (0...countLimit).contains(items), (0...1 << 40).contains(entries),
            let factors = header["factors"].int, let iterations = header["iterations"].int,
            let seed = header["seed"].string.flatMap({ UInt64($0) }), let lambda = header["lambda"].double,
            let userDamping = header["userBiasDamping"].double, let itemDamping = header["itemBiasDamping"].double,
            let low = header["minValue"].double, let high = header["maxValue"].double, low <= high
        else { throw ALSError(.invalidFile, "the header of the model file lacks a field or has one out of range") }
        configuration.factors = factors
        configuration.iterations = iterations
        configuration.seed = seed
        configuration.regularization = Float(lambda)
        configuration.userBiasDamping = Float(userDamping)
        configuration.itemBiasDamping = Float(itemDamping)
        if let alpha = header["alpha"].double { configuration.feedback = .implicit(alpha: Float(alpha)) }
        do {
            try configuration.validate()
        } catch {
            throw ALSError(.invalidFile, "the header of the model file is out of range: \(error)")
        }
        var info = ALSModel.Info(configuration: configuration)
        info.valueRange = Float(low)...Float(high)
        info.datasetVersion = header["datasetVersion"].string ?? ""
        info.trainedAt = Int64(header["trainedAt"].int ?? 0)
        info.rmse = header["rmse"].double
        info.recallAt10 = header["recallAt10"].double
        return (info, users, items, entries)
    }

    private static func identifiers(_ ids: [Int64], _ kind: String) throws(ALSError) -> IDIndex {
        for index in ids.indices.dropFirst() where ids[index] <= ids[index - 1] {
            throw ALSError(.invalidFile, "the \(kind) identifiers of the model file are not ascending")
        }
        return IDIndex(ascending: ids)
    }

    private static func matrix(
        _ reader: inout ByteReader, rows: Int, columns: Int
    ) throws(ALSError) -> FactorMatrix {
        let elements = try reader.array(Float.self, rows * columns)
        var matrix = FactorMatrix(rowCount: rows, columnCount: columns)
        for row in 0..<rows {
            for column in 0..<columns {
                matrix.elements[row * matrix.stride + column] = elements[row * columns + column]
            }
        }
        return matrix
    }
}

/// Appends numbers as they lie in memory (little-endian).
private struct ByteWriter {
    var bytes: [UInt8] = []

    mutating func append<Element: BitwiseCopyable>(_ elements: [Element]) {
        elements.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }
}

/// Reads numbers as they lie in memory (little-endian), never past the end.
private struct ByteReader {
    static let short = ALSError(.invalidFile, "the model file is cut short")

    private let bytes: [UInt8]
    private var index = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { index == bytes.count }

    mutating func one<Element: BitwiseCopyable & Numeric>(_ type: Element.Type) throws(ALSError) -> Element {
        try array(type, 1)[0]
    }

    mutating func array<Element: BitwiseCopyable & Numeric>(
        _ type: Element.Type, _ count: Int
    ) throws(ALSError) -> [Element] {
        let (length, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.size)
        guard !overflow, count >= 0, length <= bytes.count - index else { throw Self.short }
        var elements = [Element](repeating: 0, count: count)
        let start = index
        elements.withUnsafeMutableBytes { target in
            bytes.withUnsafeBytes {
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<start + length]))
            }
        }
        index += length
        return elements
    }
}

/// CRC-32 as in zlib and IEEE 802.3.
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
    }

    static func checksum(_ bytes: some Collection<UInt8>) -> UInt32 {
        let table = table
        return bytes.withContiguousStorageIfAvailable { checksum($0, table) }
            ?? Array(bytes).withUnsafeBufferPointer { checksum($0, table) }
    }

    private static func checksum(_ bytes: UnsafeBufferPointer<UInt8>, _ table: [UInt32]) -> UInt32 {
        ~bytes.reduce(~UInt32(0)) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ ($0 >> 8) }
    }
}
