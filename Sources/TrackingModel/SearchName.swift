// SPDX-License-Identifier: Apache-2.0

/// The name at the left of a comparison, or in an order: `metrics.x`, `` tags.`a b` ``, `start_time`.
struct SearchName: Hashable {
    let entity: SearchEntity
    /// In its one spelling.
    let key: String
    /// As they were written, without quotes.
    let writtenEntity: SearchEntity
    let written: String

    /// - Parameters:
    ///   - path: as it was written.
    ///   - kind: of things that are searched.
    ///   - attributes: that may be named.
    /// - Throws: INVALID_PARAMETER_VALUE for other entities and attributes.
    init(_ path: String, _ kind: SearchKind, _ attributes: [String]) throws(TrackingError) {
        let words = SearchWords.of(kind)
        var entity = SearchEntity.attribute
        var key = path
        if let point = path.firstIndex(of: ".") {
            var word = String(path[..<point])
            // Only these two know backticks there.
            if kind == .runs || kind == .traces { word = Self.trimmed(word, "`") }
            guard let found = words.entities[word] else { throw .invalid(words.entityFault(word)) }
            entity = found
            key = String(path[path.index(after: point)...])
        }
        let bare = Self.bare(key)
        // Models and versions look at the attribute with its quotes.
        let looked = kind == .registeredModels || kind == .modelVersions ? key : bare
        if entity == .attribute, !attributes.contains(looked) {
            throw .invalid(
                "Invalid attribute key '\(looked)' specified. Valid keys are '\(PythonText.set(attributes))'")
        }
        if entity == .dataset, !["name", "digest", "context"].contains(bare) {
            throw .invalid(
                "Invalid dataset key '\(bare)' specified. Valid keys are '{'name', 'digest', 'context'}'")
        }
        writtenEntity = entity
        written = bare
        let (place, name) = kind == .traces ? Self.ofTrace(entity, bare) : (entity, bare)
        self.entity = place
        self.key = place == .attribute ? words.aliases[name] ?? name : name
    }

    /// Whether it is an attribute that is a number.
    func isNumeric(_ kind: SearchKind) -> Bool {
        writtenEntity == .attribute && SearchWords.of(kind).numeric.contains(written)
    }

    /// Where traces keep what has a short name (MLflow, `_replace_key_to_tag_or_metadata`).
    private static func ofTrace(_ entity: SearchEntity, _ key: String) -> (SearchEntity, String) {
        guard entity != .span else { return (entity, key) }
        switch key.lowercased() {
        case "name": return (.tag, "mlflow.traceName")
        case "prompt": return (.tag, "mlflow.linkedPrompts")
        case "run_id": return (.metadata, "mlflow.sourceRun")
        case "text": return (.span, "content")
        default: return (entity, key)
        }
    }

    /// Without quotes, and without backticks.
    static func bare(_ key: String) -> String {
        let single = trimmed(key, "'")
        return trimmed(single == key ? trimmed(key, "\"") : single, "`")
    }

    private static func trimmed(_ text: String, _ quote: Character) -> String {
        text.count >= 2 && text.first == quote && text.last == quote ? String(text.dropFirst().dropLast()) : text
    }
}
