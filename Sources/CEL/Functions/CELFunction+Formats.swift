// SPDX-License-Identifier: Apache-2.0

/// Named formats of text, and checks of access.
///
/// Source: Kubernetes documentation, "Common Expression Language in Kubernetes", format and authorizer libraries.
extension CELFunction {
    static let formats: [CELFunction] =
        CELFormat.names.sorted().map { name in
            CELFunction("format.\(name)", [" -> format"]) { _, _ throws(CELError) in
                guard let format = CELFormat(name: name) else { throw .noSuchOverload }
                return .format(format)
            }
        } + [
            CELFunction("format.named", ["string -> optional(format)"]) { arguments, _ throws(CELError) in
                guard case .string(let name) = arguments[0] else { throw .noSuchOverload }
                return .optional(CELFormat(name: name).map(CELValue.format))
            },
            CELFunction("validate", [".format, string -> optional(list(string))"]) { arguments, _ throws(CELError) in
                guard case .format(let format) = arguments[0], case .string(let text) = arguments[1] else {
                    throw .noSuchOverload
                }
                let problems = format.problems(text)
                return .optional(problems.isEmpty ? nil : .list(list(problems)))
            },
        ]

    static let authorization: [CELFunction] = [
        step("path", [".authorizer, string -> path"], from: .authorizer, to: .path) { $0.path = $1 },
        step("group", [".authorizer, string -> group"], from: .authorizer, to: .group) { $0.group = $1 },
        step("serviceAccount", [".authorizer, string, string -> authorizer"], from: .authorizer, to: .authorizer) {
            $0.serviceAccount = $1
        },
        step("resource", [".group, string -> resource"], from: .group, to: .resource) { $0.resource = $1 },
        step("subresource", [".resource, string -> resource"], from: .resource, to: .resource) { $0.subresource = $1 },
        step("namespace", [".resource, string -> resource"], from: .resource, to: .resource) { $0.namespace = $1 },
        step("name", [".resource, string -> resource"], from: .resource, to: .resource) { $0.name = $1 },
        step("fieldSelector", [".resource, string -> resource"], from: .resource, to: .resource) {
            $0.fieldSelector = $1
        },
        step("labelSelector", [".resource, string -> resource"], from: .resource, to: .resource) {
            $0.labelSelector = $1
        },
        CELFunction("check", [".path, string -> decision", ".resource, string -> decision"]) {
            arguments, machine throws(CELError) in
            guard case .access(var access) = arguments[0], case .string(let verb) = arguments[1],
                access.step == .path || access.step == .resource
            else { throw .noSuchOverload }
            access.question.verb = verb
            guard let decision = machine.activation.decide(access.question) else {
                throw CELError(code: .needsDecision(access.question), message: "the authorizer was not asked yet")
            }
            access.step = .decision(decision)
            return .access(access)
        },
        CELFunction("allowed", [".decision -> bool"]) { arguments, _ throws(CELError) in
            .bool(try decision(arguments[0]).isAllowed)
        },
        CELFunction("reason", [".decision -> string"]) { arguments, _ throws(CELError) in
            .string(try decision(arguments[0]).reason)
        },
        CELFunction("errored", [".decision -> bool"]) { arguments, _ throws(CELError) in
            _ = try decision(arguments[0])
            return .bool(false)
        },
        CELFunction("error", [".decision -> string"]) { arguments, _ throws(CELError) in
            _ = try decision(arguments[0])
            return .string("")
        },
    ]

    private static func decision(_ value: CELValue) throws(CELError) -> CELDecision {
        guard case .access(let access) = value, case .decision(let decision) = access.step else {
            throw .noSuchOverload
        }
        return decision
    }

    private static func step(
        _ name: String, _ signatures: [String], from: CELAccess.Step, to: CELAccess.Step,
        _ change: @escaping @Sendable (inout CELAccessQuestion, String) -> Void
    ) -> CELFunction {
        CELFunction(name, signatures) { arguments, _ throws(CELError) in
            guard case .access(var access) = arguments[0], access.step == from else { throw .noSuchOverload }
            var words: [String] = []
            for argument in arguments.dropFirst() {
                guard case .string(let word) = argument else { throw .noSuchOverload }
                words.append(word)
            }
            change(&access.question, words.joined(separator: "/"))
            access.step = to
            return .access(access)
        }
    }
}
