// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Reads one operation of a document: what MLflow's UI sends. Named fragments, subscriptions and definitions of types are
/// not read.
package struct GraphQLParser {
    private var lexer: GraphQLLexer
    private var token = GraphQLToken.end
    private let variables: [String: JSONValue]
    private var declared: Set<String> = []
    private var defaults: [String: JSONValue] = [:]
    private var count = 0

    /// - Parameters:
    ///   - text: the document.
    ///   - name: of the operation; nil where the document has one only.
    ///   - variables: values for its `$…`.
    /// - Returns: the operation.
    /// - Throws: ``GraphQLError``.
    package static func operation(
        _ text: String, name: String?, variables: [String: JSONValue]
    ) throws(GraphQLError) -> GraphQLOperation {
        guard text.utf8.count <= GraphQLLimits.bytes else {
            throw GraphQLError("the query is longer than \(GraphQLLimits.bytes) bytes")
        }
        var parser = GraphQLParser(lexer: GraphQLLexer(text), variables: variables)
        try parser.advance()
        var found: [(name: String?, operation: GraphQLOperation)] = []
        while parser.token != .end {
            found.append(try parser.definition())
            guard found.count <= GraphQLLimits.rootFields else { throw GraphQLError("the document has too many parts") }
        }
        if let name {
            guard let operation = found.first(where: { $0.name == name }) else {
                throw GraphQLError("Unknown operation named '\(name.prefix(100))'.")
            }
            return operation.operation
        }
        guard found.count == 1 else {
            throw GraphQLError("Must provide operation name if query contains multiple operations.")
        }
        return found[0].operation
    }

    private init(lexer: GraphQLLexer, variables: [String: JSONValue]) {
        self.lexer = lexer
        self.variables = variables
    }

    private mutating func advance() throws(GraphQLError) { token = try lexer.next() }

    private func unexpected() -> GraphQLError {
        switch token {
        case .end: GraphQLError("Syntax Error: Unexpected <EOF>.")
        case .mark(let mark): GraphQLError("Syntax Error: Unexpected '\(mark)'.")
        case .name(let name): GraphQLError("Syntax Error: Unexpected Name '\(name.prefix(100))'.")
        default: GraphQLError("Syntax Error: Unexpected value.")
        }
    }

    private mutating func take(_ mark: String) throws(GraphQLError) -> Bool {
        guard token == .mark(mark) else { return false }
        try advance()
        return true
    }

    private mutating func expect(_ mark: String) throws(GraphQLError) {
        guard try take(mark) else { throw unexpected() }
    }

    private mutating func name() throws(GraphQLError) -> String {
        guard case .name(let name) = token else { throw unexpected() }
        try advance()
        return name
    }

    private mutating func definition() throws(GraphQLError) -> (name: String?, operation: GraphQLOperation) {
        var operation = GraphQLOperation()
        var title: String?
        declared = []
        defaults = [:]
        if token != .mark("{") {
            let word = try name()
            guard let kind = GraphQLOperation.Kind(rawValue: word) else {
                throw GraphQLError("Syntax Error: '\(word.prefix(100))' is not read, only queries and mutations are.")
            }
            operation.kind = kind
            if case .name(let name) = token {
                title = name
                try advance()
            }
            if try take("(") { try variableDefinitions() }
            try directives()
        }
        operation.fields = try selections(depth: 1)
        guard operation.fields.count <= GraphQLLimits.rootFields else {
            throw GraphQLError(
                "GraphQL queries should have at most \(GraphQLLimits.rootFields) root fields, "
                    + "got \(operation.fields.count) root fields.")
        }
        return (title, operation)
    }

    private mutating func variableDefinitions() throws(GraphQLError) {
        repeat {
            try expect("$")
            let name = try name()
            try expect(":")
            let isRequired = try type(depth: 0)
            declared.insert(name)
            if try take("=") { defaults[name] = try value(depth: 0, isConstant: true) }
            try directives()
            if isRequired, variables[name] ?? .null == .null, defaults[name] == nil {
                throw GraphQLError("Variable '$\(name.prefix(100))' of a required type was not provided.")
            }
        } while token == .mark("$")
        try expect(")")
    }

    /// - Returns: whether a null is refused.
    private mutating func type(depth: Int) throws(GraphQLError) -> Bool {
        guard depth < GraphQLLimits.valueDepth else { throw GraphQLError("a type is nested too deep") }
        if try take("[") {
            _ = try type(depth: depth + 1)
            try expect("]")
        } else {
            _ = try name()
        }
        return try take("!")
    }

    /// MLflow's own directive only names a part of its UI.
    private mutating func directives() throws(GraphQLError) {
        while try take("@") {
            let name = try name()
            guard name == "component" else { throw GraphQLError("Unknown directive '@\(name.prefix(100))'.") }
            if try take("(") { _ = try arguments() }
        }
    }

    private mutating func arguments() throws(GraphQLError) -> [String: JSONValue] {
        var arguments: [String: JSONValue] = [:]
        repeat {
            let name = try name()
            try expect(":")
            arguments[name] = try value(depth: 0)
        } while token != .mark(")")
        try expect(")")
        return arguments
    }

    private mutating func selections(depth: Int) throws(GraphQLError) -> [GraphQLField] {
        guard depth <= GraphQLLimits.depth else {
            throw GraphQLError("Query exceeds maximum depth of \(GraphQLLimits.depth)")
        }
        try expect("{")
        var fields: [GraphQLField] = []
        repeat {
            if try take("...") {
                guard token == .mark("{") || token == .name("on") else {
                    throw GraphQLError("Named fragments are not read.")
                }
                if token == .name("on") {
                    try advance()
                    _ = try name()
                }
                fields += try selections(depth: depth + 1)
                continue
            }
            count += 1
            guard count <= GraphQLLimits.fields else {
                throw GraphQLError("Query exceeds maximum total selections of \(GraphQLLimits.fields)")
            }
            var field = GraphQLField(name: try name(), alias: "", arguments: [:], fields: [])
            field.alias = field.name
            if try take(":") { field.name = try name() }
            if try take("(") { field.arguments = try arguments() }
            try directives()
            if token == .mark("{") { field.fields = try selections(depth: depth + 1) }
            fields.append(field)
        } while token != .mark("}")
        try expect("}")
        return fields
    }

    private mutating func value(depth: Int, isConstant: Bool = false) throws(GraphQLError) -> JSONValue {
        guard depth < GraphQLLimits.valueDepth else { throw GraphQLError("a value is nested too deep") }
        let found = token
        try advance()
        switch found {
        case .integer(let value): return .int(value)
        case .double(let value): return .double(value)
        case .string(let text): return .string(text)
        case .name("true"): return .bool(true)
        case .name("false"): return .bool(false)
        case .name("null"): return .null
        // An enum's value.
        case .name(let name): return .string(name)
        case .mark("$") where !isConstant:
            let name = try name()
            guard declared.contains(name) else {
                throw GraphQLError("Variable '$\(name.prefix(100))' is not defined.")
            }
            return variables[name] ?? defaults[name] ?? .null
        case .mark("["):
            var elements: [JSONValue] = []
            while !(try take("]")) { elements.append(try value(depth: depth + 1, isConstant: isConstant)) }
            return .array(elements)
        case .mark("{"):
            var members: [String: JSONValue] = [:]
            while !(try take("}")) {
                let name = try name()
                try expect(":")
                members[name] = try value(depth: depth + 1, isConstant: isConstant)
            }
            return .object(members)
        default: throw unexpected()
        }
    }
}
