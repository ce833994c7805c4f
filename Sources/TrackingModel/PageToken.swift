// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation

/// Where a search's page ended: the values of its last row by which rows are ordered, bound to the search that they are
/// of. A later page begins behind them, also when rows came or went between.
///
/// The text is opaque: Base64 (RFC 4648, section 5) of a JSON array of a checksum and the values.
package struct PageToken: Sendable, Hashable {
    package enum Value: Sendable, Hashable {
        case null
        case integer(Int64)
        case real(Double)
        case text(String)
    }

    /// Characters of a token at most.
    package static let maximumLength = 1 << 16

    package let values: [Value]

    package init(_ values: [Value]) { self.values = values }

    /// The token's text.
    /// - Parameter search: all that decides which rows there are and in which order, and no more: not the page's size.
    /// - Returns: what the client gets.
    package func encoded(for search: [String]) -> String {
        let written = values.map(Self.write)
        let sum = Self.checksum(search, written)
        let json = JSONValue.array(([sum] + written).map { .string($0) })
        return Data(json.encoded).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
    }

    /// Reads a token.
    /// - Parameters:
    ///   - text: as the client sent it; empty: the first page.
    ///   - search: as it was when the token was made.
    ///   - count: of the values that it has to have.
    /// - Returns: nil for the first page.
    /// - Throws: INVALID_PARAMETER_VALUE for what is no token, or one of another search.
    package static func decode(
        _ text: String, for search: [String], count: Int
    ) throws(TrackingError) -> PageToken? {
        guard !text.isEmpty else { return nil }
        let standard = text.replacing("-", with: "+").replacing("_", with: "/")
        guard text.utf8.count <= maximumLength, let data = Data(base64Encoded: standard) else {
            throw .invalid("Invalid page token, could not base64-decode")
        }
        guard let json = try? JSONParser.parse([UInt8](data)) else {
            throw .invalid("Invalid page token, decoded value is no token of this server")
        }
        let parts = json.elements.compactMap(\.string)
        let written = Array(parts.dropFirst())
        let values = written.compactMap(read)
        guard parts.count == count + 1, values.count == count, parts[0] == checksum(search, written) else {
            throw .invalid("Invalid page token, it is of another search: begin again without it")
        }
        return PageToken(values)
    }

    private static func write(_ value: Value) -> String {
        switch value {
        case .null: "n"
        case .integer(let number): "i\(number)"
        case .real(let number): "r" + String(number.bitPattern, radix: 16)
        case .text(let text): "t" + text
        }
    }

    private static func read(_ text: String) -> Value? {
        let rest = text.dropFirst()
        switch text.first {
        case "n": return rest.isEmpty ? .null : nil
        case "i": return Int64(rest).map { .integer($0) }
        case "r": return UInt64(rest, radix: 16).map { .real(Double(bitPattern: $0)) }
        case "t": return .text(String(rest))
        default: return nil
        }
    }

    /// FNV-1a of 64 bits, each text with its length before it.
    private static func checksum(_ search: [String], _ values: [String]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for text in search + [""] + values {
            for byte in Array("\(text.utf8.count):".utf8) + Array(text.utf8) {
                hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
            }
        }
        return String(hash, radix: 16)
    }
}
