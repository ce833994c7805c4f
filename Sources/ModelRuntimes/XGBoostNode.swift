// SPDX-License-Identifier: Apache-2.0
internal import ApusCore
internal import InferenceProtocol

/// A value of XGBoost's files, which are JSON or UBJSON (ubjson.org) of one form.
enum XGBoostNode {
    case object([String: XGBoostNode])
    case array([XGBoostNode])
    case integers([Int])
    /// Only how many there are: their values cannot do harm.
    case reals(Int)
    case string(String)
    case integer(Int)
    case other

    subscript(key: String) -> XGBoostNode {
        if case .object(let members) = self { return members[key] ?? .other }
        return .other
    }

    var elements: [XGBoostNode]? {
        switch self {
        case .array(let elements): elements
        case .integers(let numbers): numbers.map(XGBoostNode.integer)
        default: nil
        }
    }

    var integers: [Int]? {
        switch self {
        case .integers(let numbers): return numbers
        case .array(let elements):
            var numbers: [Int] = []
            for element in elements {
                guard let number = element.integer else { return nil }
                numbers.append(number)
            }
            return numbers
        default: return nil
        }
    }

    /// Also of a text of digits, as parameters are written.
    var integer: Int? {
        switch self {
        case .integer(let number): number
        case .string(let text): Int(text)
        default: nil
        }
    }

    var string: String? { if case .string(let text) = self { text } else { nil } }

    /// How many elements a list has; nil where it is none.
    var count: Int? {
        switch self {
        case .array(let elements): elements.count
        case .integers(let numbers): numbers.count
        case .reals(let count): count
        default: nil
        }
    }

    private static func wrong(_ what: String) -> InferenceFault {
        InferenceFault(.invalid, "it is not a file of XGBoost, or damaged: \(what)")
    }

    /// The document of a file's bytes. JSON is known, as XGBoost knows it, by what follows the first brace.
    static func parse(_ bytes: [UInt8]) throws(InferenceFault) -> XGBoostNode {
        guard bytes.count > 2, bytes[0] == UInt8(ascii: "{") else { throw wrong("it does not begin with a brace") }
        if bytes[1] == UInt8(ascii: "\"") || [0x20, 0x0A, 0x0D, 0x09].contains(bytes[1]) {
            do {
                return try XGBoostNode(try JSONParser.parse(bytes, maxDepth: UBJSON.depthLimit))
            } catch let error as JSONError {
                throw wrong(error.description)
            } catch {
                throw wrong("it has a number out of range")
            }
        }
        var parser = UBJSON(bytes)
        return try parser.document()
    }

    private init(_ value: JSONValue) throws(InferenceFault) {
        switch value {
        case .object(let members):
            var nodes: [String: XGBoostNode] = [:]
            for (key, member) in members { nodes[key] = try XGBoostNode(member) }
            self = .object(nodes)
        case .array(let values):
            var nodes: [XGBoostNode] = []
            nodes.reserveCapacity(values.count)
            for value in values { nodes.append(try XGBoostNode(value)) }
            self = .array(nodes)
        case .string(let text): self = .string(text)
        case .int(let number): self = .integer(Int(number))
        default: self = .other
        }
    }

    /// UBJSON, as much of it as XGBoost writes.
    private struct UBJSON {
        static let depthLimit = 16
        private static let keyLimit = 1 << 20

        private let bytes: [UInt8]
        private var place = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        mutating func document() throws(InferenceFault) -> XGBoostNode {
            let root = try value(try byte(), depth: 0)
            guard place == bytes.count else { throw wrong("there is something behind its end") }
            return root
        }

        private mutating func byte() throws(InferenceFault) -> UInt8 {
            guard place < bytes.count else { throw wrong("it is cut off") }
            defer { place += 1 }
            return bytes[place]
        }

        /// A big-endian number with a sign.
        private mutating func number(_ width: Int) throws(InferenceFault) -> Int {
            guard width <= bytes.count - place else { throw wrong("it is cut off") }
            var value: UInt64 = 0
            for index in 0..<width { value = value << 8 | UInt64(bytes[place + index]) }
            place += width
            let shift = UInt64(64 - 8 * width)
            return Int(Int64(bitPattern: value << shift) >> Int64(shift))
        }

        private static func width(_ kind: UInt8) -> Int? {
            switch kind {
            case UInt8(ascii: "i"), UInt8(ascii: "U"): 1
            case UInt8(ascii: "I"): 2
            case UInt8(ascii: "l"), UInt8(ascii: "d"): 4
            case UInt8(ascii: "L"), UInt8(ascii: "D"): 8
            default: nil
            }
        }

        private static func isReal(_ kind: UInt8) -> Bool { kind == UInt8(ascii: "d") || kind == UInt8(ascii: "D") }

        private mutating func integer(_ kind: UInt8) throws(InferenceFault) -> Int {
            guard let width = Self.width(kind), !Self.isReal(kind) else { throw wrong("a number of the kind \(kind)") }
            let value = try number(width)
            return kind == UInt8(ascii: "U") ? value & 0xFF : value
        }

        private mutating func length() throws(InferenceFault) -> Int {
            let count = try integer(try byte())
            guard count >= 0, count <= bytes.count - place else { throw wrong("it is cut off") }
            return count
        }

        private mutating func text() throws(InferenceFault) -> String {
            let count = try length()
            defer { place += count }
            return String(decoding: bytes[place..<place + count], as: UTF8.self)
        }

        private mutating func value(_ kind: UInt8, depth: Int) throws(InferenceFault) -> XGBoostNode {
            guard depth < Self.depthLimit else { throw wrong("it is too deep") }
            switch kind {
            case UInt8(ascii: "{"):
                var members: [String: XGBoostNode] = [:]
                while true {
                    guard place < bytes.count else { throw wrong("it is cut off") }
                    if bytes[place] == UInt8(ascii: "}") {
                        place += 1
                        return .object(members)
                    }
                    let key = try text()
                    guard members[key] == nil else { throw wrong("'\(key.prefix(40))' is there twice") }
                    members[key] = try value(try byte(), depth: depth + 1)
                }
            case UInt8(ascii: "["): return try list(depth)
            case UInt8(ascii: "S"): return .string(try text())
            case UInt8(ascii: "Z"), UInt8(ascii: "T"), UInt8(ascii: "F"): return .other
            case UInt8(ascii: "d"), UInt8(ascii: "D"):
                _ = try number(Self.width(kind) ?? 8)
                return .other
            default: return .integer(try integer(kind))
            }
        }

        private mutating func list(_ depth: Int) throws(InferenceFault) -> XGBoostNode {
            guard place < bytes.count else { throw wrong("it is cut off") }
            if bytes[place] == UInt8(ascii: "$") {
                place += 1
                let kind = try byte()
                guard let width = Self.width(kind), try byte() == UInt8(ascii: "#") else { throw wrong("a list") }
                let count = try integer(try byte())
                guard count >= 0, count <= (bytes.count - place) / width else { throw wrong("it is cut off") }
                if Self.isReal(kind) {
                    place += count * width
                    return .reals(count)
                }
                var numbers: [Int] = []
                numbers.reserveCapacity(count)
                for _ in 0..<count { numbers.append(try integer(kind)) }
                return .integers(numbers)
            }
            var elements: [XGBoostNode] = []
            if bytes[place] == UInt8(ascii: "#") {
                place += 1
                for _ in 0..<(try length()) { elements.append(try value(try byte(), depth: depth + 1)) }
                return .array(elements)
            }
            while case let kind = try byte(), kind != UInt8(ascii: "]") {
                elements.append(try value(kind, depth: depth + 1))
            }
            return .array(elements)
        }
    }
}
