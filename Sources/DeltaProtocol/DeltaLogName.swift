// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// What a file in `_delta_log` is, by its name (protocol, "File Types").
package enum DeltaLogName: Sendable, Hashable {
    /// `N.json`.
    case commit(Int64)
    /// `N.checkpoint.parquet`.
    case checkpoint(Int64)
    /// `N.checkpoint.PART.PARTS.parquet`.
    case checkpointPart(Int64, part: Int, parts: Int)
    /// `N.checkpoint.UUID.json` or `.parquet`.
    case checkpointV2(Int64, id: String, isJSON: Bool)
    /// `N.crc`.
    case checksum(Int64)
    /// `FROM.TO.compacted.json`.
    case compacted(from: Int64, to: Int64)
    /// `_last_checkpoint`.
    case lastCheckpoint

    /// The log's folder in the table's.
    package static let folder = "_delta_log"

    /// Nil for any other name.
    package init?(_ name: String) {
        if name == "_last_checkpoint" {
            self = .lastCheckpoint
            return
        }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard let first = parts.first, let version = Self.number(first, digits: 20) else { return nil }
        switch (parts.count, parts.last) {
        case (2, "json"): self = .commit(version)
        case (2, "crc"): self = .checksum(version)
        case (3, "parquet") where parts[1] == "checkpoint": self = .checkpoint(version)
        case (4, "json") where parts[2] == "compacted":
            guard let end = Self.number(parts[1], digits: 20), end >= version else { return nil }
            self = .compacted(from: version, to: end)
        case (4, "json") where parts[1] == "checkpoint", (4, "parquet") where parts[1] == "checkpoint":
            guard !parts[2].isEmpty else { return nil }
            self = .checkpointV2(version, id: String(parts[2]), isJSON: parts[3] == "json")
        case (5, "parquet") where parts[1] == "checkpoint":
            guard let part = Self.number(parts[2], digits: 10), let count = Self.number(parts[3], digits: 10),
                part >= 1, part <= count
            else { return nil }
            self = .checkpointPart(version, part: Int(part), parts: Int(count))
        default: return nil
        }
    }

    private static func number(_ text: Substring, digits: Int) -> Int64? {
        guard text.utf8.count == digits, text.utf8.allSatisfy({ $0 &- UInt8(ascii: "0") <= 9 }) else { return nil }
        return Int64(text)
    }

    private static func padded(_ number: Int64, _ digits: Int = 20) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }

    package var name: String {
        switch self {
        case .commit(let version): Self.padded(version) + ".json"
        case .checkpoint(let version): Self.padded(version) + ".checkpoint.parquet"
        case .checkpointPart(let version, let part, let parts):
            "\(Self.padded(version)).checkpoint.\(Self.padded(Int64(part), 10)).\(Self.padded(Int64(parts), 10)).parquet"
        case .checkpointV2(let version, let id, let isJSON):
            "\(Self.padded(version)).checkpoint.\(id).\(isJSON ? "json" : "parquet")"
        case .checksum(let version): Self.padded(version) + ".crc"
        case .compacted(let from, let to): "\(Self.padded(from)).\(Self.padded(to)).compacted.json"
        case .lastCheckpoint: "_last_checkpoint"
        }
    }

    /// The path from the table's root.
    package var path: String { "\(Self.folder)/\(name)" }

    /// The version whose state, or the last whose changes, the file has.
    package var version: Int64? {
        switch self {
        case .commit(let version), .checkpoint(let version), .checkpointPart(let version, _, _),
            .checkpointV2(let version, _, _), .checksum(let version), .compacted(_, let version):
            version
        case .lastCheckpoint: nil
        }
    }

    package var isCheckpoint: Bool {
        switch self {
        case .checkpoint, .checkpointPart, .checkpointV2: true
        default: false
        }
    }
}

/// What `_last_checkpoint` says: a hint where to begin (protocol, "Last Checkpoint File").
package struct DeltaLastCheckpoint: Sendable, Equatable {
    package var version: Int64
    /// Actions in the checkpoint.
    package var size: Int64
    package var parts: Int?
    package var sizeInBytes: Int64?
    package var numOfAddFiles: Int64?

    package init(
        version: Int64, size: Int64, parts: Int? = nil, sizeInBytes: Int64? = nil, numOfAddFiles: Int64? = nil
    ) {
        self.version = version
        self.size = size
        self.parts = parts
        self.sizeInBytes = sizeInBytes
        self.numOfAddFiles = numOfAddFiles
    }

    /// Nil for anything else: it is only a hint, so a damaged one is none.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count <= 16 << 20, let json = try? JSONParser.parse(bytes), let version = json["version"].int,
            version >= 0
        else { return nil }
        self.version = Int64(version)
        size = Int64(json["size"].int ?? 0)
        parts = json["parts"].int
        sizeInBytes = json["sizeInBytes"].int.map(Int64.init)
        numOfAddFiles = json["numOfAddFiles"].int.map(Int64.init)
    }

    package var encoded: [UInt8] {
        let json: JSONValue = [
            "version": .int(version), "size": .int(size), "parts": parts.map { JSONValue($0) } ?? .null,
            "sizeInBytes": JSONFields.json(sizeInBytes), "numOfAddFiles": JSONFields.json(numOfAddFiles),
        ]
        return json.encoded
    }
}
