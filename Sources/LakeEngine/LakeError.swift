// SPDX-License-Identifier: Apache-2.0
package import ArrowFormat

/// What went wrong with a driver or a statement: one set of codes for all engines.
package struct LakeError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// The SQL does not parse, or does not fit the types of its columns.
        case syntax
        /// No such table, column, function, file or driver.
        case notFound
        case alreadyExists
        /// Refused by the engine's lock-down or by a server's rights.
        case unauthorized
        case unauthenticated
        case invalidArgument
        /// The object is not in a state for this: closed, or a result is still being read.
        case invalidState
        /// A value cannot be computed or converted: overflow, a cast, a division.
        case invalidData
        /// A constraint was violated.
        case integrity
        /// Two transactions wrote the same.
        case conflict
        case cancelled
        case timeout
        /// A limit of ours or of the engine's: rows, size, depth.
        case limit
        /// More memory than the statement may have.
        case memory
        case notImplemented
        /// Files, network.
        case io
        /// The library or the worker process is missing or died.
        case driver
        case `internal`
        case unknown
    }

    package let code: Code
    package let message: String
    /// Five characters of ISO 9075, where the engine gives one.
    package let sqlState: String?
    /// The engine's own number (a gRPC status for Spark), where it gives one.
    package let vendorCode: Int32?

    package init(_ code: Code, _ message: String, sqlState: String? = nil, vendorCode: Int32? = nil) {
        self.code = code
        self.message = message
        self.sqlState = sqlState
        self.vendorCode = vendorCode
    }

    package init(_ error: ArrowError) {
        let code: Code =
            switch error.code {
            case .malformed: .internal
            case .unsupported: .notImplemented
            case .tooLarge: .limit
            case .mismatch: .invalidArgument
            }
        self.init(code, error.description)
    }

    package var description: String {
        let state = sqlState.map { " [\($0)]" } ?? ""
        return "\(code.rawValue)\(state): \(message)"
    }
}

/// How an engine's answer becomes one of our codes: ADBC's status, sharpened by what the message says, because drivers
/// report most failures as internal or unknown.
enum ErrorNormaliser {
    static func error(status: UInt8, message: String, sqlState: String?, vendorCode: Int32?) -> LakeError {
        var state = sqlState
        if state == nil { state = stateInMessage(message) }
        let code = codeOf(message: message) ?? state.flatMap(codeOf(state:)) ?? codeOf(status: status)
        return LakeError(code, message, sqlState: state, vendorCode: vendorCode)
    }

    /// ADBC 1.1, "Error codes".
    private static func codeOf(status: UInt8) -> LakeError.Code {
        switch status {
        case 2: .notImplemented
        case 3: .notFound
        case 4: .alreadyExists
        case 5: .invalidArgument
        case 6: .invalidState
        case 7: .invalidData
        case 8: .integrity
        case 9: .internal
        case 10: .io
        case 11: .cancelled
        case 12: .timeout
        case 13: .unauthenticated
        case 14: .unauthorized
        default: .unknown
        }
    }

    /// The class of an SQLSTATE (ISO 9075, table of SQLSTATE class codes).
    private static func codeOf(state: String) -> LakeError.Code? {
        switch state {
        case "42P01", "42703", "42704", "42883": return .notFound
        case "42P06", "42P07", "42710": return .alreadyExists
        case "42501": return .unauthorized
        case "57014", "HY008": return .cancelled
        // Spark's for a file that is not of its format.
        case "KD001": return .io
        default: break
        }
        switch state.prefix(2) {
        // A scalar subquery of several rows; an error that the statement raises itself.
        case "21", "22", "P0": return .invalidData
        case "23": return .integrity
        case "28": return .unauthenticated
        case "40": return .conflict
        case "42": return .syntax
        case "0A": return .notImplemented
        case "08", "58": return .io
        case "24", "55": return .invalidState
        case "3F": return .notFound
        case "53", "54": return .limit
        default: return nil
        }
    }

    /// DuckDB starts a message with its class; Spark with `[CLASS]`.
    private static func codeOf(message: String) -> LakeError.Code? {
        let prefixes: [(String, LakeError.Code)] = [
            ("Parser Error", .syntax), ("Binder Error", .syntax), ("Syntax Error", .syntax),
            ("Catalog Error", .notFound), ("Permission Error", .unauthorized), ("INTERRUPT Error", .cancelled),
            ("Constraint Error", .integrity), ("Conversion Error", .invalidData),
            ("Out of Range Error", .invalidData), ("Mismatch Type Error", .invalidData),
            ("Out of Memory Error", .memory), ("IO Error", .io), ("HTTP Error", .io),
            ("Invalid Input Error", .invalidArgument), ("Not implemented Error", .notImplemented),
            ("TransactionContext Error", .conflict), ("Invalid Configuration Error", .invalidArgument),
            ("FATAL Error", .internal), ("INTERNAL Error", .internal),
        ]
        let text = message.drop { $0 == " " }
        for (prefix, code) in prefixes where text.hasPrefix(prefix) {
            if prefix == "Catalog Error", text.contains("already exists") { return .alreadyExists }
            if prefix == "Binder Error", text.contains("not found in FROM clause") { return .notFound }
            if text.contains("the configuration has been locked") { return .unauthorized }
            if prefix == "TransactionContext Error", !text.contains("onflict") { return .invalidState }
            return code
        }
        // Sail's, which gives no class: its parser's first.
        if message.contains("[Spark] invalid argument: found ") { return .syntax }
        if message.contains("[Spark] invalid argument: ") { return .invalidArgument }
        if message.contains("[Spark] Failed to commit transaction") { return .conflict }
        return sparkClass(message).flatMap(codeOf(sparkClass:))
    }

    /// Spark's error classes (error-conditions.json) say more than their states: 42K03 is "not found" for some, and for
    /// others not. nil where the state is enough.
    private static func codeOf(sparkClass name: Substring) -> LakeError.Code? {
        for part in name.split(separator: ".") {
            if part.hasSuffix("_NOT_FOUND") || part.hasSuffix("_NOT_EXIST") || part.hasSuffix("_NOT_EXISTS") {
                return .notFound
            }
            if part.hasSuffix("_ALREADY_EXISTS") || part.hasSuffix("_ALREADY_EXIST") { return .alreadyExists }
            if part.hasSuffix("_CANCELED") || part.hasSuffix("_CANCELLED") { return .cancelled }
            if part.hasSuffix("OUT_OF_MEMORY") || part == "UNABLE_TO_ACQUIRE_MEMORY" { return .memory }
        }
        switch name.split(separator: ".").first {
        case "UNRESOLVED_COLUMN", "UNRESOLVED_ROUTINE": return .notFound
        case "PARSE_SYNTAX_ERROR": return .syntax
        case "DIVIDE_BY_ZERO", "CAST_INVALID_INPUT", "ARITHMETIC_OVERFLOW": return .invalidData
        default: return nil
        }
    }

    /// `CLASS.SUBCLASS`, as Spark puts it before its messages.
    private static func sparkClass(_ message: String) -> Substring? {
        var rest = message.prefix(300)[...]
        while let start = rest.firstIndex(of: "[") {
            rest = rest[rest.index(after: start)...]
            guard let end = rest.firstIndex(of: "]") else { return nil }
            let name = rest[..<end]
            let isClass = name.utf8.allSatisfy {
                (0x41...0x5A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F || $0 == 0x2E
            }
            if isClass, name.utf8.count > 2 { return name }
        }
        return nil
    }

    /// `SQLSTATE: 42P01`, as Spark writes it into its messages.
    private static func stateInMessage(_ message: String) -> String? {
        let mark = Array("SQLSTATE: ".utf8)
        let bytes = Array(message.utf8)
        guard bytes.count >= mark.count + 5 else { return nil }
        for start in 0...bytes.count - mark.count - 5 where bytes[start..<start + mark.count].elementsEqual(mark) {
            let state = bytes[start + mark.count..<start + mark.count + 5]
            let isState = state.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) }
            return isState ? String(decoding: state, as: UTF8.self) : nil
        }
        return nil
    }
}
