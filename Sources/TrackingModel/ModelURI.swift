// SPDX-License-Identifier: Apache-2.0

/// What a `models:/…` URI names.
package enum ModelURI: Sendable, Hashable {
    /// `models:/m-…`: a logged model.
    case logged(String)
    /// `models:/NAME/3`
    case version(String, Int64)
    /// `models:/NAME/Production`
    case stage(String, String)
    /// `models:/NAME/latest`
    case latest(String)
    /// `models:/NAME@champion`
    case alias(String, String)

    /// - Returns: nil where it is none of these.
    package init?(_ uri: SourceURI) {
        // A fragment belongs to the path here.
        let path = String(uri.text.dropFirst("models:".count + (uri.authority.isEmpty ? 0 : 2 + uri.authority.count)))
            .prefix { $0 != "?" }
        guard uri.scheme == "models", path.hasPrefix("/"), path.count > 1 else { return nil }
        let parts = path.drop { $0 == "/" }.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, let name = parts.first, !Self.isBlank(name) else { return nil }
        if parts.count == 2 {
            let suffix = parts[1]
            guard !Self.isBlank(suffix) else { return nil }
            if suffix.allSatisfy({ ("0"..."9").contains($0) }) {
                guard let version = Int64(suffix) else { return nil }
                self = .version(name, version)
            } else if suffix.lowercased() == "latest" {
                self = .latest(name)
            } else {
                self = .stage(name, suffix)
            }
        } else if let at = name.lastIndex(of: "@") {
            let alias = String(name[name.index(after: at)...])
            guard !Self.isBlank(alias) else { return nil }
            self = .alias(String(name[..<at]), alias)
        } else {
            self = .logged(name)
        }
    }

    private static func isBlank(_ text: String) -> Bool { text.allSatisfy(\.isWhitespace) }

    /// The registered model; nil for logged models.
    package var name: String? {
        switch self {
        case .logged: nil
        case .version(let name, _), .stage(let name, _), .latest(let name), .alias(let name, _): name
        }
    }
}
