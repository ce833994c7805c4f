// SPDX-License-Identifier: Apache-2.0

/// A comparison whose names are known, and whose comparator is not checked yet.
struct RawCondition: Hashable {
    let entity: SearchEntity
    let key: String
    let comparator: String
    let value: SearchValue

    init(entity: SearchEntity, key: String, comparator: String, value: SearchValue) {
        self.entity = entity
        self.key = key
        self.comparator = comparator
        self.value = value
    }

    /// - Throws: INVALID_PARAMETER_VALUE for what the kind of search does not know.
    init(_ comparison: FilterSyntax.Comparison, _ kind: SearchKind) throws(TrackingError) {
        guard case .identifier(let written) = comparison.left else {
            throw .invalid("Invalid comparison clause. Expected 'Identifier' found '\(comparison.left.written)'")
        }
        let words = SearchWords.of(kind)
        let name = try SearchName(written, kind, words.attributes)
        guard let right = comparison.right else {
            try Self.refuseNull(name, kind)
            self.init(entity: name.entity, key: name.key, comparator: comparison.comparator, value: .none)
            return
        }
        // MLflow knows `like` in small letters everywhere but among experiments and spans.
        let heedsCase = kind == .experiments || name.writtenEntity == .span
        let comparator = heedsCase ? comparison.comparator : comparison.comparator.uppercased()
        let value = try Self.value(right, name, comparator, kind)
        self.init(entity: name.entity, key: name.key, comparator: comparator, value: value)
    }

    private static func refuseNull(_ name: SearchName, _ kind: SearchKind) throws(TrackingError) {
        switch kind {
        case .runs where name.entity != .tag && name.entity != .param:
            throw .invalid(
                "IS NULL / IS NOT NULL is only supported for tags and params, not for "
                    + "'\(name.entity.rawValue)' '\(name.key)'")
        case .experiments where name.entity != .tag:
            throw .invalid(
                "IS NULL / IS NOT NULL is only supported for tags, not for attribute '\(name.key)'")
        case .registeredModels, .modelVersions:
            throw .invalid("Invalid comparison clause. Expected 3 tokens found 2")
        default: break
        }
    }

    private static func value(
        _ right: FilterSyntax.Operand, _ name: SearchName, _ comparator: String, _ kind: SearchKind
    ) throws(TrackingError) -> SearchValue {
        if name.writtenEntity == .feedback || name.writtenEntity == .expectation { try assess(right, name, comparator) }
        switch (right, name.writtenEntity) {
        case (.integer(let digits), _) where takesNumbers(name, kind):
            if name.writtenEntity == .metric { return .real(Double(digits) ?? 0) }
            return Int64(digits).map { .integer($0) } ?? .real(Double(digits) ?? 0)
        case (.float(let digits), _) where takesNumbers(name, kind): return .real(number(digits))
        case (_, .metric): throw .invalid("Expected numeric value type for metric. Found \(right.written)")
        case (_, .attribute) where (kind == .runs || kind == .experiments) && name.isNumeric(kind):
            throw .invalid(
                "Expected numeric value type for numeric attribute: \(name.written). Found \(right.written)")
        case (.text(let written), _), (.identifier(let written), _): return .text(try unquoted(written))
        case (.list(let written), .attribute), (.list(let written), .dataset), (.list(let written), .span):
            return .texts(try list(written, name, kind))
        case (.list(let written), .tag) where kind == .traces: return .texts(try list(written, name, kind))
        case (.integer, .attribute) where kind == .modelVersions || kind == .traces,
            (.float, .attribute) where kind == .modelVersions || kind == .traces:
            let numeric = PythonText.set(SearchWords.of(kind).numeric.sorted())
            throw .invalid("Only the '\(numeric)' attributes support comparison with numeric values.")
        default: throw .invalid(Self.expected(right, name, kind))
        }
    }

    private static func takesNumbers(_ name: SearchName, _ kind: SearchKind) -> Bool {
        switch name.writtenEntity {
        case .metric, .feedback, .expectation: true
        case .attribute: name.isNumeric(kind)
        default: false
        }
    }

    /// A decimal number as the lexer passes it: `1.`, `.5`, `-1.5e-3`.
    private static func number(_ digits: String) -> Double {
        Double(digits) ?? Double(digits + "0") ?? Double("0" + digits) ?? 0
    }

    private static func expected(_ right: FilterSyntax.Operand, _ name: SearchName, _ kind: SearchKind) -> String {
        let entity = name.writtenEntity.rawValue
        switch (name.writtenEntity, kind) {
        case (.attribute, .runs), (.attribute, .experiments):
            return "Expected a quoted string value for attributes. Got value \(right.written)"
        case (.attribute, _):
            return "Expected a quoted string value or a list of quoted string values for attributes. Got value "
                + right.written
        case (.dataset, _):
            return "Expected a quoted string value for dataset attributes. Got value \(right.written)"
        default:
            return "Expected a quoted string value for \(entity) (e.g. 'my-value'). Got value \(right.written)"
        }
    }

    /// Numbers are compared by size, texts otherwise (MLflow, `_validate_assessment_comparison_value`).
    private static func assess(
        _ right: FilterSyntax.Operand, _ name: SearchName, _ comparator: String
    ) throws(TrackingError) {
        let entity = name.writtenEntity.rawValue
        let bySize = ["<", "<=", ">", ">="].contains(comparator)
        let isRight =
            switch right {
            case .text, .identifier: !bySize
            case .integer, .float: bySize
            default: false
            }
        guard !isRight else { return }
        throw .invalid(
            bySize
                ? "Expected a numeric value for \(entity) when using comparator '\(comparator)'. "
                    + "Got value \(right.written)"
                : "Expected a quoted string value for \(entity) (e.g. 'my-value'). Got value \(right.written)")
    }

    /// The text between the quotes, which have to be there.
    private static func unquoted(_ written: String) throws(TrackingError) -> String {
        guard let first = written.first, first == "'" || first == "\"", written.count >= 2, written.last == first else {
            throw .invalid(
                "Parameter value is either not quoted or unidentified quote types used for string value \(written). "
                    + "Use either single or double quotes.")
        }
        return String(written.dropFirst().dropLast())
    }

    private static func list(
        _ written: String, _ name: SearchName, _ kind: SearchKind
    ) throws(TrackingError) -> [String] {
        if name.writtenEntity == .attribute, let keys = SearchWords.of(kind).lists, !keys.contains(name.written) {
            guard kind == .traces else {
                throw .invalid(
                    "Only \(PythonText.repr(keys)) attributes support comparison with a list of quoted string values.")
            }
            throw .invalid(
                "Only attributes in \(PythonText.set(keys)) supports comparison with a list of quoted string values.")
        }
        return try texts(written)
    }

    /// The texts of a list, as Python has them.
    static func texts(_ written: String) throws(TrackingError) -> [String] {
        let texts: [String]
        do {
            texts = try PythonList.texts(written)
        } catch {
            switch error {
            case .empty:
                throw .invalid(
                    "While parsing a list in the query, expected a non-empty list of string values, but got empty list")
            case .illFormed:
                throw .invalid(
                    "While parsing a list in the query, expected a non-empty list of string values, "
                        + "but got ill-formed list.")
            case .otherKinds:
                throw .invalid(
                    "While parsing a list in the query, expected string value, punctuation, or whitespace, "
                        + "but got different type in list: \(written.contains(",") ? written : written.dropLast() + ",)")"
                )
            }
        }
        return texts
    }
}
