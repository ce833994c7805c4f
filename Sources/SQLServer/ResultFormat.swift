// SPDX-License-Identifier: Apache-2.0

/// How rows are sent.
package enum ResultFormat: Sendable, Hashable, CaseIterable {
    /// Arrow's IPC stream, and its file format.
    case arrowStream, arrowFile
    /// A JSON object a line; one JSON document.
    case jsonLines, json
    /// With and without a line of the columns' names.
    case csvNamed, csv, tsvNamed, tsv
    case parquet

    /// The content type of an answer.
    package var contentType: String {
        switch self {
        case .arrowStream: "application/vnd.apache.arrow.stream"
        case .arrowFile: "application/vnd.apache.arrow.file"
        case .jsonLines: "application/x-ndjson"
        case .json: "application/json"
        case .csvNamed: "text/csv; charset=utf-8; header=present"
        case .csv: "text/csv; charset=utf-8; header=absent"
        case .tsvNamed, .tsv: "text/tab-separated-values; charset=utf-8"
        case .parquet: "application/vnd.apache.parquet"
        }
    }

    /// Names that requests may use, in small letters: our own, and those of ClickHouse.
    private static let names: [String: ResultFormat] = [
        "arrow-stream": .arrowStream, "arrowstream": .arrowStream, "arrow": .arrowFile, "arrow-file": .arrowFile,
        "ndjson": .jsonLines, "jsonl": .jsonLines, "jsonlines": .jsonLines, "jsoneachrow": .jsonLines,
        "json": .json, "csv": .csv, "csvwithnames": .csvNamed, "csv-header": .csvNamed,
        "tsv": .tsv, "tabseparated": .tsv, "tsvwithnames": .tsvNamed, "tabseparatedwithnames": .tsvNamed,
        "parquet": .parquet,
    ]

    /// Nil for a name that is not known.
    package init?(name: String) {
        guard let format = Self.names[name.lowercased()] else { return nil }
        self = format
    }

    /// Nil for a type of which there is none.
    private init?(mediaType: String) {
        switch mediaType {
        case "application/vnd.apache.arrow.stream": self = .arrowStream
        case "application/vnd.apache.arrow.file": self = .arrowFile
        case "application/x-ndjson", "application/jsonl", "application/jsonlines", "application/ndjson":
            self = .jsonLines
        case "application/json": self = .json
        case "text/csv": self = .csvNamed
        case "text/tab-separated-values": self = .tsvNamed
        case "application/vnd.apache.parquet": self = .parquet
        default: return nil
        }
    }

    /// What `Accept` (RFC 9110, section 12.5.1) prefers; `standard` where it leaves the choice, nil where it allows none.
    package init?(accept: String?, standard: ResultFormat) {
        guard let accept, !accept.allSatisfy(\.isWhitespace) else {
            self = standard
            return
        }
        var best: (format: ResultFormat, quality: Double)?
        for element in accept.split(separator: ",").prefix(64) {
            let parts = element.split(separator: ";").map { $0.filter { !$0.isWhitespace }.lowercased() }
            guard let type = parts.first else { continue }
            let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            let isAny = type == "*/*" || type == standard.contentType.prefix { $0 != "/" } + "/*"
            guard let format = isAny ? standard : ResultFormat(mediaType: type), quality > best?.quality ?? 0 else {
                continue
            }
            best = (format, quality)
        }
        guard let best else { return nil }
        self = best.format
    }

    /// The format that a statement names at its end as ClickHouse has it (`SELECT 1 FORMAT CSV`), and the statement
    /// without it. No statement of DuckDB can end so.
    package static func clause(in sql: String) -> (sql: String, format: ResultFormat?) {
        var text = Substring(sql)
        while let last = text.last, last.isWhitespace || last == ";" { text.removeLast() }
        let name = text.reversed().prefix { $0.isLetter || $0.isNumber }
        guard let format = ResultFormat(name: String(name.reversed())) else { return (sql, nil) }
        text.removeLast(name.count)
        guard text.last?.isWhitespace == true else { return (sql, nil) }
        while text.last?.isWhitespace == true { text.removeLast() }
        guard text.suffix(6).uppercased() == "FORMAT" else { return (sql, nil) }
        text.removeLast(6)
        guard text.last?.isWhitespace == true else { return (sql, nil) }
        return (String(text), format)
    }
}
