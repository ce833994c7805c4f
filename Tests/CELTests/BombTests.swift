// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import CEL

/// Expressions that would take for ever, or all memory: refused when they are parsed, or by their cost.
@Suite struct BombTests {
    private static let list = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"

    @Test(arguments: [
        // Macros in macros.
        "L.all(a, L.all(b, L.all(c, L.all(d, L.all(e, L.all(f, L.all(g, true)))))))",
        "L.map(a, L.map(b, L.map(c, L.map(d, L.map(e, L.map(f, a))))))",
        "L.exists(a, L.exists(b, L.exists(c, L.exists(d, L.exists(e, L.exists(f, a > 10))))))",
        // Text that doubles.
        "cel.bind(a, S, cel.bind(b, a+a+a+a+a+a+a+a, cel.bind(c, b+b+b+b+b+b+b+b, cel.bind(d, c+c+c+c+c+c+c+c, "
            + "cel.bind(e, d+d+d+d+d+d+d+d, cel.bind(f, e+e+e+e+e+e+e+e, f.size()))))))",
        "cel.bind(a, S.replace('', S), cel.bind(b, a.replace('', a), b.replace('', b).size()))",
        "cel.bind(a, L.map(x, S).join(S), L.map(x, a).join(a)).replace('a', S)",
        "'%s%s%s'.format([S, S, S]).replace('a', S).replace('a', S).replace('a', S)",
        // Lists that double, and are looked at to the end.
        "cel.bind(a, [L, L], cel.bind(b, [a, a, a, a, a, a, a, a], cel.bind(c, [b, b, b, b, b, b, b, b], "
            + "cel.bind(d, [c, c, c, c, c, c, c, c], cel.bind(e, [d, d, d, d, d, d, d, d], "
            + "cel.bind(f, [e, e, e, e, e, e, e, e], cel.bind(g, [f, f, f, f, f, f, f, f], [g, g] == [g, g])))))))",
        "lists.range(9000000).size() > 0",
        "lists.range(100000).all(x, lists.range(100000).all(y, x + y >= 0))",
        "L.map(x, lists.range(1000000)).flatten().size()",
        // Patterns.
        "S.matches('(' + 'a+'.replace('a', '(a|aa|aaa)') + ')*b') || L.all(x, L.all(y, S.matches(S)))",
        // Checks of access.
        "L.all(x, !authorizer.path('/a').check('get').allowed())",
    ])
    func isCancelled(expression: String) {
        let text = String(repeating: "a", count: 1000)
        let source = expression.replacing("L", with: Self.list).replacing("S", with: "'\(text)'")
        let environment = CELEnvironment(variables: ["authorizer": .authorizer])
        let values: [String: CELValue] = ["authorizer": .access(.authorizer)]
        let clock = ContinuousClock()
        var found = ""
        let time = clock.measure { found = ExpressionTable.outcome(source, environment, values) }
        #expect(found == "error: operation cancelled: actual cost limit exceeded")
        #expect(time < .seconds(20))
    }

    @Test(arguments: [
        (String(repeating: "(", count: 100_000), "recursion limit"),
        (String(repeating: "[", count: 90_000), "recursion limit"),
        (String(repeating: "{1:", count: 30_000), "recursion limit"),
        (String(repeating: "-(", count: 40_000), "recursion limit"),
        (String(repeating: "a.b(", count: 20_000), "recursion limit"),
        ("1" + String(repeating: " + 1", count: 20_000), "recursion limit"),
        ("a" + String(repeating: ".a", count: 40_000), "recursion limit"),
        ("a" + String(repeating: "[0]", count: 30_000), "recursion limit"),
        (String(repeating: "true ? 1 : ", count: 9_000) + "1", "recursion limit"),
        (String(repeating: "'a'.matches(", count: 300) + String(repeating: ")", count: 300), "recursion limit"),
        (String(repeating: "a", count: 100_001), "expression code point size exceeds limit"),
        ("'" + String(repeating: "é", count: 100_001) + "'", "expression code point size exceeds limit"),
        ("'x'.matches('((((a{100}){100}){100}){100})')", "invalid matches argument"),
    ])
    func isRefused(source: String, message: String) {
        let found = ExpressionTable.outcome(source)
        #expect(found.contains(message), "\(found.prefix(200))")
    }

    /// Long rows are no deep trees.
    @Test func longRowsAreFine() {
        let row = Array(repeating: "true", count: 10_000).joined(separator: " && ")
        #expect(ExpressionTable.outcome(row) == "true")
        #expect(ExpressionTable.outcome("[" + String(repeating: "1,", count: 40_000) + "].size()") == "40000")
        #expect(ExpressionTable.outcome(String(repeating: "!", count: 90_001) + "true") == "false")
    }

    /// As deep as it may be, in the macros that take the most of the stack.
    @Test func theDeepestExpressionRuns() {
        let nested = (0..<240).reduce("1") { inner, _ in "[1].map(x, \(inner))" }
        #expect(ExpressionTable.outcome(nested).hasPrefix("[[[["))
        let calls = (0..<240).reduce("1") { inner, _ in "(1 + \(inner))" }
        #expect(ExpressionTable.outcome(calls) == "241")
    }

    @Test func theBudgetOfARequestRunsOut() throws {
        let program = try CELProgram(
            compiling: "lists.range(1000).all(x, x >= 0)", environment: CELEnvironment())
        var budget = CELBudget(perCall: 1_000_000, remaining: 10_000)
        _ = try program.evaluate(CELActivation([:]), budget: &budget)
        #expect(budget.remaining > 0)
        var rounds = 0
        while budget.remaining > 0, rounds < 100 {
            _ = try program.evaluate(CELActivation([:]), budget: &budget)
            rounds += 1
        }
        #expect((1...5).contains(rounds))
    }

    @Test func aProgramIsUsedFromManyTasks() async throws {
        let program = try CELProgram(
            compiling: "self.filter(x, x % 2 == 0).map(x, string(x)).join(',').matches('^[0-9,]*$')",
            environment: CELEnvironment(variables: ["self": .list(.int)]))
        let list = CELValue(.array((0..<100).map { JSONValue($0) }))
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var budget = CELBudget()
                    return ExpressionTable.literal(try program.evaluate(CELActivation(["self": list]), budget: &budget))
                }
            }
            for try await result in group { #expect(result == "true") }
        }
    }
}
