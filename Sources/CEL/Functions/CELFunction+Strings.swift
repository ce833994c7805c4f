// SPDX-License-Identifier: Apache-2.0

/// Functions of text; positions are code points.
///
/// Source: cel-go ext/strings, version 2.
extension CELFunction {
    static let strings: [CELFunction] = [
        CELFunction("contains", [".string, string -> bool"]) { arguments, _ throws(CELError) in
            let (text, part) = try texts(arguments)
            return .bool(CELText.contains(text, part))
        },
        CELFunction("startsWith", [".string, string -> bool"]) { arguments, _ throws(CELError) in
            let (text, part) = try texts(arguments)
            return .bool(text.utf8.starts(with: part.utf8))
        },
        CELFunction("endsWith", [".string, string -> bool"]) { arguments, _ throws(CELError) in
            let (text, part) = try texts(arguments)
            return .bool(text.utf8.reversed().starts(with: part.utf8.reversed()))
        },
        CELFunction("charAt", [".string, int -> string"]) { arguments, _ throws(CELError) in
            guard case .string(let text) = arguments[0], case .int(let index) = arguments[1] else {
                throw .noSuchOverload
            }
            let scalars = Array(text.unicodeScalars)
            guard (0...Int64(scalars.count)).contains(index) else { throw CELError("index out of range: \(index)") }
            return .string(index == scalars.count ? "" : String(scalars[Int(index)]))
        },
        CELFunction("indexOf", [".string, string -> int", ".string, string, int -> int"]) {
            arguments, _ throws(CELError) in
            let (text, part) = try texts(arguments)
            let start = try position(arguments, 2, in: text) ?? 0
            return .int(Int64(find(Array(part.unicodeScalars), Array(text.unicodeScalars), from: start) ?? -1))
        },
        CELFunction("lastIndexOf", [".string, string -> int", ".string, string, int -> int"]) {
            arguments, _ throws(CELError) in
            let (text, part) = try texts(arguments)
            let start = try position(arguments, 2, in: text)
            return .int(Int64(findLast(Array(part.unicodeScalars), Array(text.unicodeScalars), from: start) ?? -1))
        },
        CELFunction("lowerAscii", [".string -> string"]) { arguments, _ throws(CELError) in
            .string(try mapped(arguments[0]) { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 })
        },
        CELFunction("upperAscii", [".string -> string"]) { arguments, _ throws(CELError) in
            .string(try mapped(arguments[0]) { (0x61...0x7A).contains($0) ? $0 & 0xDF : $0 })
        },
        CELFunction(
            "replace", [".string, string, string -> string", ".string, string, string, int -> string"], body: replace),
        CELFunction("split", [".string, string -> list(string)", ".string, string, int -> list(string)"]) {
            arguments, _ throws(CELError) in
            let (text, separator) = try texts(arguments)
            guard arguments.count > 2 else { return .list(list(split(text, separator, limit: -1))) }
            guard case .int(let limit) = arguments[2] else { throw .noSuchOverload }
            return .list(list(split(text, separator, limit: limit)))
        },
        CELFunction("join", [".list(string) -> string", ".list(string), string -> string"]) {
            arguments, _ throws(CELError) in
            guard case .list(let list) = arguments[0] else { throw .noSuchOverload }
            var separator = ""
            if arguments.count > 1 {
                guard case .string(let given) = arguments[1] else { throw .noSuchOverload }
                separator = given
            }
            var text = ""
            for index in 0..<list.count {
                guard case .string(let element) = list[index] else { throw .noSuchOverload }
                if index > 0 { text += separator }
                text += element
                guard text.utf8.count <= CELMachine.maxText else { throw .costExceeded }
            }
            return .string(text)
        },
        CELFunction("substring", [".string, int -> string", ".string, int, int -> string"]) {
            arguments, _ throws(CELError) in
            guard case .string(let text) = arguments[0], case .int(let start) = arguments[1] else {
                throw .noSuchOverload
            }
            let scalars = Array(text.unicodeScalars)
            var end = Int64(scalars.count)
            if arguments.count > 2 {
                guard case .int(let given) = arguments[2] else { throw .noSuchOverload }
                end = given
            }
            guard (0...Int64(scalars.count)).contains(start) else { throw CELError("index out of range: \(start)") }
            guard (0...Int64(scalars.count)).contains(end) else { throw CELError("index out of range: \(end)") }
            guard start <= end else { throw CELError("invalid substring range. start: \(start), end: \(end)") }
            return .string(CELText.text(scalars[Int(start)..<Int(end)]))
        },
        CELFunction("trim", [".string -> string"]) { arguments, _ throws(CELError) in
            guard case .string(let text) = arguments[0] else { throw .noSuchOverload }
            let scalars = Array(text.unicodeScalars)
            guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
                let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
            else { return .string("") }
            return .string(CELText.text(scalars[first...last]))
        },
        CELFunction("reverse", [".string -> string"]) { arguments, _ throws(CELError) in
            guard case .string(let text) = arguments[0] else { throw .noSuchOverload }
            return .string(CELText.text(text.unicodeScalars.reversed()))
        },
        CELFunction("strings.quote", ["string -> string"]) { arguments, _ throws(CELError) in
            guard case .string(let text) = arguments[0] else { throw .noSuchOverload }
            return .string(CELText.quote(text))
        },
        CELFunction("format", [".string, list(dyn) -> string"]) { arguments, machine throws(CELError) in
            guard case .string(let text) = arguments[0], case .list(let list) = arguments[1] else {
                throw .noSuchOverload
            }
            return .string(try CELFormatter.format(text, list, &machine))
        },
    ]

    static func list(_ texts: [String]) -> CELList { CELList(texts.map(CELValue.string)) }

    private static func texts(_ arguments: [CELValue]) throws(CELError) -> (String, String) {
        guard case .string(let first) = arguments[0], case .string(let second) = arguments[1] else {
            throw .noSuchOverload
        }
        return (first, second)
    }

    private static func position(_ arguments: [CELValue], _ index: Int, in text: String) throws(CELError) -> Int? {
        guard arguments.count > index else { return nil }
        guard case .int(let start) = arguments[index] else { throw .noSuchOverload }
        guard (0...Int64(CELText.length(text))).contains(start) else {
            throw CELError("index out of range: \(start)")
        }
        return Int(start)
    }

    private static func find(_ part: [Unicode.Scalar], _ text: [Unicode.Scalar], from start: Int) -> Int? {
        guard !part.isEmpty else { return start }
        guard text.count >= part.count, start <= text.count - part.count else { return nil }
        return (start...text.count - part.count).first { matches(part, text, at: $0) }
    }

    private static func findLast(_ part: [Unicode.Scalar], _ text: [Unicode.Scalar], from start: Int?) -> Int? {
        guard !part.isEmpty else { return start ?? text.count }
        guard text.count >= part.count else { return nil }
        return (0...min(start ?? .max, text.count - part.count)).last { matches(part, text, at: $0) }
    }

    private static func matches(_ part: [Unicode.Scalar], _ text: [Unicode.Scalar], at index: Int) -> Bool {
        part.indices.allSatisfy { text[index + $0] == part[$0] }
    }

    private static func mapped(_ value: CELValue, _ change: (UInt8) -> UInt8) throws(CELError) -> String {
        guard case .string(let text) = value else { throw .noSuchOverload }
        return String(decoding: text.utf8.map(change), as: UTF8.self)
    }

    private static func replace(_ arguments: [CELValue], _: inout CELMachine) throws(CELError) -> CELValue {
        let (text, old) = try texts(arguments)
        guard case .string(let new) = arguments[2] else { throw .noSuchOverload }
        var limit = Int64(-1)
        if arguments.count > 3 {
            guard case .int(let given) = arguments[3] else { throw .noSuchOverload }
            limit = given
        }
        var pieces = old.isEmpty ? split(text, "", limit: limit < 0 ? -1 : limit) : []
        if old.isEmpty {
            // Before every code point and at the end.
            guard limit != 0 else { return .string(text) }
            let isComplete = limit < 0 || limit > Int64(CELText.length(text))
            pieces = [""] + pieces + (isComplete ? [""] : [])
        } else {
            pieces = split(text, old, limit: limit < 0 ? -1 : limit == .max ? -1 : limit + 1)
        }
        let size = CELCost.sum(UInt64(text.utf8.count), CELCost.product(UInt64(new.utf8.count), UInt64(pieces.count)))
        guard size <= UInt64(CELMachine.maxText) else { throw .costExceeded }
        return .string(pieces.joined(separator: new))
    }

    /// The pieces between separators, at most `limit` where it is not negative; with no separator, the code points.
    private static func split(_ text: String, _ separator: String, limit: Int64) -> [String] {
        guard limit != 0 else { return [] }
        let most = limit < 0 ? Int.max : Int(limit)
        guard !separator.isEmpty else {
            let scalars = Array(text.unicodeScalars)
            guard scalars.count > most else { return scalars.map { String($0) } }
            return scalars.prefix(most - 1).map { String($0) } + [CELText.text(scalars[(most - 1)...])]
        }
        let (bytes, part) = (Array(text.utf8), Array(separator.utf8))
        var pieces: [String] = []
        var start = 0
        while pieces.count < most - 1, let next = CELText.find(part, in: bytes, from: start) {
            pieces.append(String(decoding: bytes[start..<next], as: UTF8.self))
            start = next + part.count
        }
        return pieces + [String(decoding: bytes[start...], as: UTF8.self)]
    }
}
