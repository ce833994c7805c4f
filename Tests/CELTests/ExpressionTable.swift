// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import CEL

/// Runs tables of lines `expression => result`.
///
/// A result is a literal of the language, `error: TEXT` for one that evaluation gives, or `compile: TEXT` for a finding
/// of the check; TEXT is a part of the message.
enum ExpressionTable {
    static func run(
        _ table: String, _ environment: CELEnvironment = CELEnvironment(), _ values: [String: CELValue] = [:]
    ) -> Int {
        var count = 0
        for line in table.split(separator: "\n") where !line.hasPrefix("#") {
            guard let arrow = line.ranges(of: " => ").last else {
                Issue.record("no result: \(line)")
                continue
            }
            let expression = String(line[..<arrow.lowerBound]).trimmed
            let wanted = String(line[arrow.upperBound...]).trimmed
            let found = outcome(expression, environment, values)
            let isMessage = wanted.hasPrefix("error: ") || wanted.hasPrefix("compile: ")
            let holds = isMessage ? matches(found, wanted) : found == wanted
            #expect(holds, "\(expression) gave \(found), not \(wanted)")
            count += 1
        }
        return count
    }

    private static func matches(_ found: String, _ wanted: String) -> Bool {
        let kind = wanted.prefix { $0 != " " }
        return found.hasPrefix(kind) && found.contains(wanted.dropFirst(kind.count + 1))
    }

    static func outcome(
        _ expression: String, _ environment: CELEnvironment = CELEnvironment(), _ values: [String: CELValue] = [:]
    ) -> String {
        do throws(CELCompileError) {
            let program = try CELProgram(compiling: expression, environment: environment)
            var budget = CELBudget()
            do throws(CELError) {
                return literal(try program.evaluate(CELActivation(values), budget: &budget))
            } catch {
                return "error: \(error)"
            }
        } catch {
            return "compile: " + error.issues.map(\.message).joined(separator: "; ")
        }
    }

    /// A value as a literal.
    static func literal(_ value: CELValue) -> String {
        switch value {
        case .string(let text): return CELText.quote(text)
        case .bytes(let bytes):
            return "b\"" + bytes.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\""
        case .uint(let number): return "\(number)u"
        case .double(let number):
            let text = CELPrinter.text(number)
            return text.contains { ".eNI".contains($0) } ? text : text + ".0"
        case .list(let list): return "[" + list.values.map(literal).joined(separator: ", ") + "]"
        case .map(let map):
            let entries = map.keys.map { key in
                "\(literal(key)): " + (CELKey(key).flatMap { map[$0] }.map(literal) ?? "?")
            }
            return "{" + entries.joined(separator: ", ") + "}"
        case .object(let object):
            let fields = object.fields.sorted { $0.key < $1.key }.map { "\($0.key): \(literal($0.value))" }
            return "\(object.type.name){" + fields.joined(separator: ", ") + "}"
        case .optional(let value): return value.map { "optional.of(\(literal($0)))" } ?? "optional.none()"
        case .timestamp(let moment): return "timestamp(\"\(moment.text)\")"
        case .duration(let span): return "duration(\"\(span.text)\")"
        case .quantity(let quantity): return "quantity(\"\(quantity.text)\")"
        case .ip(let address): return "ip(\"\(address.text)\")"
        case .cidr(let network): return "cidr(\"\(network.text)\")"
        default: return CELPrinter.plain(value)
        }
    }
}

extension String {
    var trimmed: String {
        var text = self[...]
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
