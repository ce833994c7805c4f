// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// A seeded source of hostile values (SplitMix64).
struct FuzzSource: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0xD1B5_4A32_D192_ED03 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// True in one of `count` cases.
    mutating func one(of count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    mutating func pick<Element>(_ choices: [Element]) -> Element { choices[number(0...choices.count - 1)] }

    private static let texts = [
        "", " ", "a", "A", "None", "-", "..", "/", "a/b", "a/b/c", "a=b", "=", "%", "101%", "-5%",
        "99999999999999999999%",
        "0", "-1", "01", "1.5", "65536", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e1000",
        "99999999999999999999999Ei", "1e18Ei", "0.0000000001n", "-0", "Infinity", "NaN", ".", "1..2", "Always", "Never",
        "TCP", "tcp", "Foreground", "default", "kube-system", "system:", "\u{0}", "\u{1}\n\r\"\\", "é", "\u{202E}",
        "\u{1F9A2}\u{200D}\u{FE0F}", "0001-01-01T00:00:00Z", "1600-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z",
        "2026-02-30T25:61:61Z", "2026-01-01T00:00:00+99:99", "127.96.0.1", "127.96.255.255", "256.1.1.1", "::1", "::",
        "10.0.0.0/8", "10.0.0.0/-1", "AAAA", "AAA", "=AAA", "$patch", "{{", "$(A)", "*", "https://[::1", "kubernetes",
    ]

    mutating func text() -> String {
        if one(of: 40) {
            return String(repeating: pick(["a", "a.", "é", "/"]), count: pick([63, 64, 253, 254, 5000]))
        }
        return pick(Self.texts)
    }

    mutating func value(depth: Int = 0) -> JSONValue {
        switch number(0...15) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &self))
        case 2: return .int(pick([0, 1, -1, 2, 255, 65_536, 2_147_483_647, 2_147_483_648, -2_147_483_649]))
        case 3: return .int(pick([.max, .min, .max - 1, 1 << 53, 9_000_000_000, 31_536_000_000]))
        case 4: return .double(pick([0.5, -0.5, 1e308, 1e19, -1e19, 1e-300, 9.3e18]))
        case 5: return .array([])
        case 6: return .object([:])
        case 7 where depth < 3: return .array((0..<number(1...3)).map { _ in value(depth: depth + 1) })
        case 8 where depth < 3:
            var members: [String: JSONValue] = [:]
            for _ in 0..<number(1...3) { members[text()] = value(depth: depth + 1) }
            return .object(members)
        case 9 where one(of: 10): return Self.nested(pick([30, 100, 250, 300]), isArray: one(of: 2))
        default: return .string(text())
        }
    }

    /// A value inside of so many others.
    static func nested(_ depth: Int, isArray: Bool) -> JSONValue {
        var value = JSONValue.int(1)
        for _ in 0..<depth { value = isArray ? .array([value]) : .object(["a": value]) }
        return value
    }

    // MARK: Mutations

    /// The value with a few places changed.
    mutating func mutated(_ value: JSONValue, changes: Int, directives: Bool = false) -> JSONValue {
        var value = value
        for _ in 0..<changes { change(&value, directives) }
        return value
    }

    private mutating func change(_ value: inout JSONValue, _ directives: Bool) {
        switch value {
        case .object(var members) where !members.isEmpty && !one(of: 6):
            let key = pick(members.keys.sorted())
            var member = members[key] ?? .null
            change(&member, directives)
            members[key] = member
            value = .object(members)
        case .object(var members):
            switch number(0...3) {
            case 0 where !members.isEmpty: members[pick(members.keys.sorted())] = nil
            case 1 where directives:
                let (key, directive) = self.directive(members.keys.sorted())
                members[key] = directive
            case 2: members[text()] = self.value()
            default:
                value = self.value()
                return
            }
            value = .object(members)
        case .array(var elements) where !elements.isEmpty && !one(of: 4):
            let index = number(0...elements.count - 1)
            change(&elements[index], directives)
            value = .array(elements)
        case .array(var elements):
            switch number(0...3) {
            case 0 where !elements.isEmpty: elements.append(pick(elements))
            case 1 where !elements.isEmpty: elements.remove(at: number(0...elements.count - 1))
            case 2: elements.insert(self.value(), at: number(0...elements.count))
            case 3 where directives: elements.append(["$patch": pick(["replace", "delete", "merge", "x", 1])])
            default: value = self.value()
            }
            if case .array = value { value = .array(elements) }
        default: value = one(of: 3) ? self.value() : similar(value)
        }
    }

    private static let times = [
        "1700-01-01T00:00:00Z", "1685-01-01T00:00:00.5+14:00", "2250-12-31T23:59:59.999999Z", "1969-12-31T23:59:59Z",
        "2026-01-01t00:00:00z", "0001-01-01T00:00:00Z", "2026-01-01T00:00:00.1234567890123456789Z",
    ]
    private static let quantities = [
        "0", "-1", "1e3", "1E", "9223372036854775807E", "0.1n", "1.0000000001", "-0.5Gi", "100000000000000000000",
        "1Ei",
        "8Ei", "16Ei", "+1", "1e18", "1e-18", ".5", "5.", "00001", "1m", "-9223372036854775808",
    ]

    /// A value of the same kind that may be accepted.
    private mutating func similar(_ value: JSONValue) -> JSONValue {
        switch value {
        case .string(let text):
            if Timestamp(rfc3339: text) != nil { return .string(pick(Self.times)) }
            if text.first?.isNumber == true { return .string(pick(Self.quantities)) }
            return .string(self.text())
        case .int: return .int(pick([0, 1, -1, 7, 600, 65_535, 2_147_483_647, .max, .min]))
        case .bool(let flag): return .bool(!flag)
        default: return self.value()
        }
    }

    private mutating func directive(_ keys: [String]) -> (String, JSONValue) {
        let key = keys.isEmpty ? "a" : pick(keys)
        switch number(0...4) {
        case 0: return ("$patch", pick(["replace", "delete", "merge", "", 1, nil, [:]]))
        case 1: return ("$retainKeys", pick([.array(keys.map(JSONValue.string)), [], [1], "a", value()]))
        case 2: return ("$setElementOrder/\(key)", pick([[], [["name": "c"]], ["a", "a"], [1, nil], value()]))
        case 3: return ("$deleteFromPrimitiveList/\(key)", pick([[], ["a"], value()]))
        default: return ("$\(text())", value())
        }
    }

    /// The bytes with a few of them changed.
    mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<number(1...4) where !bytes.isEmpty {
            let index = number(0...bytes.count - 1)
            switch number(0...4) {
            case 0: bytes[index] = UInt8(truncatingIfNeeded: next())
            case 1: bytes[index] ^= 1 << UInt8(number(0...7))
            case 2: bytes.removeSubrange(index..<min(bytes.count, index + number(1...8)))
            case 3:
                bytes.insert(contentsOf: (0..<number(1...12)).map { _ in pick([0, 0xFF, 0x80, 0x7F, 10]) }, at: index)
            default: bytes.removeLast(bytes.count - index)
            }
        }
        return bytes
    }

    // MARK: Patches

    /// A JSON patch that fits the object in part.
    mutating func jsonPatch(_ object: JSONValue) -> JSONValue {
        .array(
            (0..<number(1...5)).map { _ in
                var operation: JSONValue = .object([
                    "op": .string(pick(["add", "remove", "replace", "move", "copy", "test", "add", "replace", "x"])),
                    "path": .string(pointer(object)), "from": .string(pointer(object)), "value": value(),
                ])
                if one(of: 12) { operation = mutated(operation, changes: 2) }
                return operation
            })
    }

    private mutating func pointer(_ object: JSONValue) -> String {
        var pointer = ""
        var value = object
        for _ in 0..<number(0...6) {
            switch value {
            case .object(let members) where !members.isEmpty:
                let key = pick(members.keys.sorted())
                pointer += "/" + key.replacing("~", with: "~0").replacing("/", with: "~1")
                value = members[key] ?? .null
            case .array(let elements) where !elements.isEmpty:
                let index = number(0...elements.count - 1)
                pointer += "/\(index)"
                value = elements[index]
            default: break
            }
        }
        guard one(of: 3) else { return pointer }
        return pointer
            + pick([
                "/-", "/-1", "/0", "/00", "/99999999999999999999", "/9223372036854775807", "/", "//", "/a", "/~", "/~2",
                "/a/b/c", "a", String(repeating: "/a", count: 500), "/é", "/\u{0}",
            ])
    }
}
