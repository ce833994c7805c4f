// SPDX-License-Identifier: Apache-2.0

/// What names, keys and values may be, with MLflow's words (MLflow, `utils/validation.py`).
///
/// All throw INVALID_PARAMETER_VALUE. `path` says where a value was in the request, as `metrics[3]`; empty for a
/// request of one.
package enum Validation {
    private static let badCharacters =
        "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:)"
        + " and slashes (/)."

    /// What a value was refused with.
    package static func invalidValue(_ parameter: String, json: String, _ reason: String? = nil) -> TrackingError {
        let head = "Invalid value \(json) for parameter '\(parameter)' supplied"
        return .invalid(reason.map { "\(head): \($0)" } ?? "\(head).")
    }

    package static func missingValue(_ parameter: String) -> TrackingError {
        .invalid("Missing value for required parameter '\(parameter)'.")
    }

    /// Whether a text has at most so many characters.
    package static func length(_ parameter: String, _ limit: Int, _ value: String) throws(TrackingError) {
        // No text has more characters than bytes.
        guard value.utf8.count > limit, PythonText.length(value) > limit else { return }
        throw .invalid("'\(parameter)' exceeds the maximum length of \(limit) characters")
    }

    // MARK: Names

    /// A key of a metric, a param or a tag: it may become the name of a file.
    package static func key(_ name: String, _ parameter: String) throws(TrackingError) {
        if isPlain(name) { return }
        guard isNameOfKey(name) else { throw invalidValue(parameter, json: PythonText.json(name), badCharacters) }
        let path = PosixPath.normal(name)
        guard path == name, path != ".", !path.hasPrefix(".."), !path.hasPrefix("/") else {
            throw invalidValue(
                parameter, json: PythonText.json(name),
                "Names may be treated as files in certain cases, and must not resolve to other names when treated as"
                    + " such. This name would resolve to \(PythonText.repr(path))")
        }
    }

    /// Whether all is a letter, a digit, an underscore or a dash: such a name is never wrong.
    private static func isPlain(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private static func isNameOfKey(_ name: String) -> Bool {
        var scalars = name.unicodeScalars[...]
        // Python's `$` stands before a newline at the end, too.
        if scalars.last == "\n" { scalars = scalars.dropLast() }
        return scalars.allSatisfy { scalar in
            switch scalar {
            case "/", ".", "-", " ", ":": true
            default: isWord(scalar)
            }
        }
    }

    /// What Python's `\w` matches.
    static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        if scalar == "_" { return true }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber:
            return true
        default: return false
        }
    }

    /// A run's id as a batch gives it.
    package static func runID(_ id: String, _ parameter: String = "run_id") throws(TrackingError) {
        var scalars = id.unicodeScalars[...]
        if scalars.last == "\n" { scalars = scalars.dropLast() }
        let isGood =
            scalars.count <= 256 && scalars.first.map { $0.isASCII && isWord($0) && $0 != "_" } ?? false
            && scalars.allSatisfy { isWord($0) || $0 == "-" }
        guard isGood else { throw invalidValue(parameter, json: PythonText.json(id)) }
    }

    /// The number of an experiment's id; the default experiment where there is none.
    package static func experimentID(_ id: String) throws(TrackingError) -> Int64 {
        if id.isEmpty { return Experiment.defaultID }
        if let number = PythonText.integer(id) { return number }
        // More digits than any experiment has.
        if PythonText.isInteger(id) { return -1 }
        throw .invalid("Invalid experiment ID '\(id)'. Experiment ID must be a valid integer.")
    }

    package static func experimentName(_ name: String) throws(TrackingError) {
        guard !name.isEmpty else { throw .invalid("Invalid experiment name: ''") }
        try length("name", Limits.experimentName, name)
    }

    // MARK: What is logged

    /// Whether nothing is wrong with a metric, as is quickly seen.
    package static func isSurelyGood(_ metric: Metric) -> Bool {
        metric.timestamp >= 0 && metric.key.utf8.count <= Limits.key && isPlain(metric.key)
    }

    /// A metric's key and time.
    package static func metric(_ metric: Metric, path: String = "") throws(TrackingError) {
        try key(metric.key, joined(path, "name"))
        guard metric.timestamp >= 0 else {
            throw invalidValue(
                joined(path, "timestamp"), json: String(metric.timestamp),
                "metric '\(metric.key)' (value=\(metric.value)). Timestamp must be a nonnegative long (64-bit integer) "
            )
        }
        try length("Metric name", Limits.key, metric.key)
    }

    /// A param. A value that is too long is cut, as MLflow does unless it is told not to.
    package static func param(_ param: Param, path: String = "") throws(TrackingError) -> Param {
        try key(param.key, joined(path, "key"))
        try length("Param key", Limits.key, param.key)
        return Param(param.key, cut(param.value, Limits.paramValue))
    }

    /// A run's tag. A value that is too long is cut.
    package static func tag(_ tag: Tag, path: String = "") throws(TrackingError) -> Tag {
        try key(tag.key, joined(path, "key"))
        try length(joined(path, "key"), Limits.key, tag.key)
        return Tag(tag.key, cut(tag.value, Limits.tagValue))
    }

    package static func experimentTag(_ tag: Tag) throws(TrackingError) {
        try key(tag.key, "key")
        try length("key", Limits.key, tag.key)
        try length("value", Limits.experimentTagValue, tag.value)
    }

    /// How much a batch has.
    package static func batch(metrics: Int, params: Int, tags: Int) throws(TrackingError) {
        try batch("metrics", Limits.metricsOfBatch, metrics)
        try batch("params", Limits.paramsOfBatch, params)
        try batch("tags", Limits.tagsOfBatch, tags)
        try batch("metrics, params, and tags", Limits.entitiesOfBatch, metrics + params + tags)
    }

    private static func batch(_ what: String, _ limit: Int, _ count: Int) throws(TrackingError) {
        guard count > limit else { return }
        throw .invalid(
            "A batch logging request can contain at most \(limit) \(what). Got \(count) \(what). Please split up \(what)"
                + " across multiple requests and try again.")
    }

    /// A batch gives one value for a param.
    package static func uniqueKeys(_ params: [Param]) throws(TrackingError) {
        var seen: Set<String> = []
        let twice = params.filter { !seen.insert($0.key).inserted }.map(\.key)
        guard !twice.isEmpty else { return }
        throw .invalid(
            "Duplicate parameter keys have been submitted: \(PythonText.repr(twice)). Please ensure the request"
                + " contains only one param value per param key.")
    }

    /// A dataset and its tags.
    package static func datasetInput(_ input: DatasetInput) throws(TrackingError) {
        let dataset = input.dataset
        try length("name", Limits.datasetName, dataset.name)
        try length("digest", Limits.datasetDigest, dataset.digest)
        try length("source", Limits.datasetSource, dataset.source)
        try length("schema", Limits.datasetSchema, dataset.schema)
        try length("profile", Limits.datasetProfile, dataset.profile)
        for tag in input.tags {
            try length("key", Limits.inputTagKey, tag.key)
            try length("value", Limits.inputTagValue, tag.value)
        }
    }

    private static func joined(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    private static func cut(_ value: String, _ limit: Int) -> String {
        guard value.utf8.count > limit, PythonText.length(value) > limit else { return value }
        return String(String.UnicodeScalarView(value.unicodeScalars.prefix(limit)))
    }
}
