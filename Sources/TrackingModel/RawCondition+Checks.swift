// SPDX-License-Identifier: Apache-2.0

private let byOrder: [SearchComparator] = [.greater, .atLeast, .notEqual, .equal, .less, .atMost]
private let byText: [SearchComparator] = [.notEqual, .equal, .like, .ilike]
private let byNull: [SearchComparator] = [.isNull, .isNotNull]
private let byList: [SearchComparator] = [.in, .notIn]

extension RawCondition {
    /// The condition, when its entity may be compared so.
    /// - Throws: INVALID_PARAMETER_VALUE in MLflow's words.
    func checked(_ kind: SearchKind) throws(TrackingError) -> SearchCondition {
        switch kind {
        case .runs: try checkedForRuns()
        case .experiments: try checkedForExperiments()
        case .registeredModels: try checkedForModels(numeric: [])
        case .modelVersions: try checkedForModels(numeric: SearchWords.of(kind).numeric)
        case .loggedModels: try allowed(SearchComparator.all, "")
        case .traces: try checkedForTraces()
        }
    }

    private func checkedForRuns() throws(TrackingError) -> SearchCondition {
        switch entity {
        case .attribute where SearchWords.of(.runs).numeric.contains(key):
            return try allowed(byOrder, "Invalid comparator '\(comparator)' not one of '\(Self.set(byText + byList))")
        case .attribute:
            return try allowed(
                byText + byList, "Invalid comparator '\(comparator)' not one of '\(Self.set(byText + byList))'")
        case .metric:
            return try allowed(byOrder, "Invalid comparator '\(comparator)' not one of '\(Self.set(byOrder))")
        case .param:
            return try allowed(
                byText + byNull, "Invalid comparator '\(comparator)' not one of '\(Self.set(byText + byNull))'")
        case .tag:
            return try allowed(
                byText + byNull, "Invalid comparator '\(comparator)' not one of '\(Self.set(byText + byNull))")
        case .dataset:
            return try allowed(
                byText + byList, "Invalid comparator '\(comparator)' not one of '\(Self.set(byText + byList))")
        default: throw .invalid("Invalid search expression type '\(entity.rawValue)'")
        }
    }

    private func checkedForExperiments() throws(TrackingError) -> SearchCondition {
        guard entity == .attribute else {
            return try allowed(byText + byNull, "Invalid comparator for tag: \(comparator)")
        }
        if key == "experiment_id" {
            let condition = try allowed(
                [.equal, .notEqual] + byList, "Invalid comparator for experiment_id: \(comparator)")
            return SearchCondition(.attribute, key, condition.comparator, try Self.experiments(value))
        }
        guard SearchWords.of(.experiments).numeric.contains(key) else {
            let asText = "Invalid comparator '\(comparator)' not one of '\(Self.set(byText + byList))'"
            let isList = ["IN", "NOT IN"].contains(comparator)
            return try allowed(byText, isList ? "Invalid comparator for string attribute: \(comparator)" : asText)
        }
        let condition = try allowed(
            byOrder, "Invalid comparator '\(comparator)' not one of '\(Self.set(byText + byList))")
        return SearchCondition(.attribute, key, condition.comparator, try whole())
    }

    private func checkedForModels(numeric: Set<String>) throws(TrackingError) -> SearchCondition {
        guard entity == .attribute else {
            return try allowed(byText, "Invalid comparator for tag: \(comparator)")
        }
        guard numeric.contains(key) else {
            return try allowed(byText + byList, "Invalid comparator for attribute: \(comparator)")
        }
        let condition = try allowed(byOrder, "Invalid comparator for attribute \(key): \(comparator)")
        return SearchCondition(.attribute, key, condition.comparator, try whole())
    }

    private func checkedForTraces() throws(TrackingError) -> SearchCondition {
        let texts = byText + byList + [.rlike]
        switch entity {
        case .issue:
            guard key == "id" else {
                throw .invalid("Invalid issue attribute '\(key)'. Supported attributes: id")
            }
            return try allowed([.equal], "issue.\(key) comparator '\(comparator)' not one of '{'='}'")
        case .attribute where SearchWords.of(.traces).numeric.contains(key):
            let condition = try allowed(
                byOrder, "Invalid comparator '\(comparator)' not one of '\(Self.set(byText + byList))")
            // A number in quotes is a text to MLflow, and no time is equal to a text.
            guard case .text(let text) = value else { return condition }
            throw .invalid("Invalid value for numeric attribute '\(key)': \(PythonText.repr(text))")
        case .attribute:
            return try allowed(texts, "Invalid comparator '\(comparator)' not one of '\(Self.set(texts))'")
        case .tag where key == "mlflow.linkedPrompts":
            return try checkedPrompt()
        case .tag:
            let may = byText + byNull + [.rlike]
            return try allowed(may, "Invalid comparator '\(comparator)' not one of '\(Self.set(may))")
        case .metadata:
            let may = byText + byNull + [.rlike]
            return try allowed(may, "Invalid comparator '\(comparator)' not one of '\(Self.set(may))'")
        case .span:
            return try checkedSpan(texts)
        case .feedback, .expectation:
            guard !key.isEmpty else { throw .invalid("Assessment field name cannot be empty") }
            let may = byOrder + [.like, .ilike, .rlike] + byNull
            return try allowed(may, "assessment.\(key) comparator '\(comparator)' not one of '\(Self.set(may))'")
        default: throw .invalid("Invalid search expression type '\(entity.rawValue)'")
        }
    }

    private func checkedPrompt() throws(TrackingError) -> SearchCondition {
        let condition = try allowed(
            [.equal],
            "Invalid comparator '\(comparator)' for prompts filter. Only '=' is supported with format: "
                + "prompt = \"name/version\"")
        guard case .text(let text) = value, text.split(separator: "/", omittingEmptySubsequences: false).count == 2
        else {
            throw .invalid(
                "Invalid prompts filter value '\(written)'. Expected format: prompt = \"name/version\"")
        }
        return condition
    }

    private func checkedSpan(_ texts: [SearchComparator]) throws(TrackingError) -> SearchCondition {
        if key == "attributes." { throw .invalid("Span attribute name cannot be empty after 'attributes.'") }
        guard key.hasPrefix("attributes.") || ["name", "type", "status", "content"].contains(key) else {
            throw .invalid(
                "Invalid span attribute '\(key)'. "
                    + "Supported attributes: name, status, type, attributes.<attribute_name>.")
        }
        let may = key == "content" ? [.like, .ilike] : texts
        return try allowed(may, "span.\(key) comparator '\(comparator)' not one of '\(Self.set(may))'")
    }

    private var written: String {
        switch value {
        case .text(let text): text
        case .texts(let texts): "(" + texts.map(PythonText.repr).joined(separator: ", ") + ")"
        default: ""
        }
    }

    /// The condition, when its comparator is one of these and fits its value.
    private func allowed(_ comparators: [SearchComparator], _ fault: String) throws(TrackingError) -> SearchCondition {
        guard let known = SearchComparator(rawValue: comparator), comparators.contains(known) else {
            throw .invalid(fault)
        }
        // A list belongs to IN and to nothing else.
        let isList = if case .texts = value { true } else { false }
        guard isList == byList.contains(known) else {
            // MLflow's database refuses a list there, which has this code.
            throw isList
                ? TrackingError(.badRequest, "Only IN and NOT IN compare with a list, not \(known.rawValue).")
                : .invalid("\(known.rawValue) compares with a list of quoted string values in parentheses.")
        }
        return SearchCondition(entity, key, known, value)
    }

    /// The value as a whole number.
    private func whole() throws(TrackingError) -> SearchValue {
        switch value {
        case .integer: return value
        case .text(let text):
            if let number = Int64(text) { return .integer(number) }
            throw .invalid("Invalid value for numeric attribute '\(key)': \(PythonText.repr(text))")
        case .real(let number):
            // MLflow writes it so for experiments, and without quotes for versions.
            let quote = SearchWords.of(.experiments).numeric.contains(key) ? "'" : ""
            throw .invalid("Invalid value for numeric attribute '\(key)': \(quote)\(number)\(quote)")
        default: throw .invalid("Invalid value for numeric attribute '\(key)': \(written)")
        }
    }

    private static func experiments(_ value: SearchValue) throws(TrackingError) -> SearchValue {
        func number(_ text: String) throws(TrackingError) -> Int64 {
            guard let number = Int64(text) else {
                throw .invalid("Invalid experiment ID '\(text)'. Experiment ID must be a valid integer.")
            }
            return number
        }
        switch value {
        case .text(let text): return .integer(try number(text))
        case .texts(let texts):
            var numbers: [Int64] = []
            for text in texts { numbers.append(try number(text)) }
            return .integers(numbers)
        default: return value
        }
    }

    private static func set(_ comparators: [SearchComparator]) -> String { PythonText.set(comparators.map(\.rawValue)) }
}

extension SearchComparator {
    static let all: [SearchComparator] = byOrder + [.like, .ilike, .rlike] + byNull + byList
}
