// SPDX-License-Identifier: Apache-2.0

/// What names, tags and aliases of the model registry may be (MLflow, mlflow/utils/validation.py).
package enum RegistryRules {
    package static let maximumTagKey = 250
    package static let maximumTagValue = 100_000
    package static let maximumAlias = 255

    /// The tag that makes a registered model, or a version, a prompt.
    package static let promptTag = "mlflow.prompt.is_prompt"
    /// The tag with a prompt's text.
    package static let promptTextTag = "mlflow.prompt.text"
    /// The tag with a prompt's kind.
    package static let promptTypeTag = "_mlflow_prompt_type"

    /// A registered model's name.
    /// - Throws: INVALID_PARAMETER_VALUE.
    package static func checkModelName(_ name: String, parameter: String = "name") throws(TrackingError) {
        guard !name.allSatisfy(\.isWhitespace) else {
            throw .invalid("Missing value for required parameter '\(parameter)'.")
        }
        guard !name.contains("/"), !name.contains(":") else {
            throw .invalid("Invalid model name '\(name)'. Names cannot contain '/' or ':'.")
        }
        try checkPath(name)
    }

    /// A version's number.
    /// - Throws: INVALID_PARAMETER_VALUE where it is none.
    package static func version(_ text: String) throws(TrackingError) -> Int64 {
        var digits = Substring(text)
        while let first = digits.first, first.isWhitespace { digits.removeFirst() }
        while let last = digits.last, last.isWhitespace { digits.removeLast() }
        if let number = Int64(digits) { return number }
        let plain = digits.first == "-" || digits.first == "+" ? digits.dropFirst() : digits
        // A number that no version has.
        if !plain.isEmpty, plain.allSatisfy({ ("0"..."9").contains($0) }) { return -1 }
        throw .invalid("Parameter 'version' must be an integer, got '\(text)'.")
    }

    /// An alias that is asked for or deleted.
    package static func checkAlias(_ alias: String) throws(TrackingError) {
        guard !alias.isEmpty else { throw .invalid("Registered model alias name cannot be empty.") }
        guard alias.unicodeScalars.allSatisfy({ Validation.isWord($0) || $0 == "-" }) else {
            throw .invalid(
                "Invalid alias name: '\(alias)'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
            )
        }
        try Validation.length("Registered model alias name", maximumAlias, alias)
    }

    /// An alias that is set: `latest` and `v1` mean something already.
    package static func checkNewAlias(_ alias: String) throws(TrackingError) {
        try checkAlias(alias)
        guard alias.lowercased() != "latest" else {
            throw .invalid("'latest' alias name (case insensitive) is reserved.")
        }
        let rest = alias.unicodeScalars.dropFirst()
        if alias.first == "v" || alias.first == "V", !rest.isEmpty,
            rest.allSatisfy({ $0.properties.generalCategory == .decimalNumber })
        {
            throw .invalid("Version alias name '\(alias)' is reserved.")
        }
    }

    /// A tag of a registered model.
    package static func checkTag(_ key: String, _ value: String) throws(TrackingError) {
        try checkTagKey(key)
        try Validation.length("key", maximumTagKey, key)
        try Validation.length("value", maximumTagValue, value)
    }

    /// A tag of a version.
    package static func checkVersionTag(_ key: String, _ value: String) throws(TrackingError) {
        try checkTagKey(key)
        try Validation.length("key", maximumTagKey, key)
        if key == promptTextTag, PythonText.length(value) > maximumTagValue {
            throw .invalid("Prompt text exceeds max length of \(maximumTagValue) characters.")
        }
        try Validation.length("value", maximumTagValue, value)
    }

    /// A tag's key.
    package static func checkTagKey(_ key: String) throws(TrackingError) { try Validation.key(key, "key") }

    /// A logged model's name; an empty one is made up by the server.
    package static func checkLoggedModelName(_ name: String) throws(TrackingError) {
        let bad: [Character] = ["/", ":", ".", "%", "\"", "'"]
        guard !name.contains(where: bad.contains) else {
            throw .invalid(
                "Invalid model name (\(PythonText.repr(name))) provided. Model name must be a non-empty string and "
                    + #"cannot contain the following characters: ('/', ':', '.', '%', '"', "'")"#)
        }
    }

    private static func checkPath(_ name: String) throws(TrackingError) {
        let normal = PosixPath.normal(name)
        guard normal == name, normal != ".", !normal.hasPrefix(".."), !normal.hasPrefix("/") else {
            throw Validation.invalidValue(
                "name", json: PythonText.json(name),
                "Names may be treated as files in certain cases, and must not resolve to other names when treated as "
                    + "such. This name would resolve to \(PythonText.repr(normal))")
        }
    }
}
