// SPDX-License-Identifier: Apache-2.0
internal import ApusCore
package import InferenceProtocol

/// Where a model is to be had:
///
/// - a path, or `file:///PATH`: used where it lies
/// - `pvc://CLAIM/PATH`: a volume of the pod
/// - `s3://BUCKET/KEY`: an object, or all below a prefix
/// - `http://…`, `https://…`: one file, or an archive
/// - `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/m-ID`, `runs:/RUN/PATH`, `mlflow-artifacts:/PATH`: of the
///   tracking server
///
/// `#sha256=HEX` behind it is the checksum of its one file. Archives (`.zip`, `.tar`, `.tar.gz`, `.tgz`) are unpacked.
package struct ModelURI: Sendable, Hashable, CustomStringConvertible {
    enum Place: Sendable, Hashable {
        case file(String)
        case volume(claim: String, path: String)
        case object(bucket: String, key: String)
        case web(String)
        case alias(name: String, String)
        case version(name: String, String)
        case loggedModel(String)
        case run(String, path: String)
        case artifacts(String)
    }

    package let description: String
    let place: Place
    /// SHA-256 in hexadecimal digits; nil: not said.
    let checksum: String?

    /// Bytes of a reference.
    private static let limit = 4096

    /// - Throws: `invalid` for what cannot be read, `unsupported` for a scheme that is not known.
    package init(_ text: String) throws(InferenceFault) {
        guard text.utf8.count <= Self.limit, !text.isEmpty, !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
        else {
            throw InferenceFault(
                .invalid, "a model's URI has 1 to \(Self.limit) bytes and no control characters: '\(text.prefix(100))'")
        }
        description = text
        var rest = text[...]
        let mark = "#sha256="
        if let hash = rest.lastIndex(of: "#"), rest[hash...].hasPrefix(mark) {
            let digits = rest[hash...].dropFirst(mark.count).lowercased()
            guard digits.count == 64, digits.allSatisfy(\.isHexDigit) else {
                throw InferenceFault(.invalid, "'\(text)': #sha256= is followed by 64 hexadecimal digits")
            }
            checksum = digits
            rest = rest[..<hash]
        } else {
            checksum = nil
        }
        place = try Self.place(rest, text)
    }

    private static func place(_ rest: Substring, _ text: String) throws(InferenceFault) -> Place {
        guard let colon = rest.firstIndex(of: ":"), !rest[..<colon].contains("/") else {
            return .file(try path(rest, text))
        }
        let (scheme, tail) = (rest[..<colon].lowercased(), rest[rest.index(after: colon)...])
        func invalid(_ expected: String) -> InferenceFault { InferenceFault(.invalid, "'\(text)' is not \(expected)") }
        switch scheme {
        case "file":
            guard tail.hasPrefix("/") else { throw invalid("file:///PATH") }
            guard tail.hasPrefix("//") else { return .file(try path(tail, text)) }
            let afterHost = tail.dropFirst(2)
            guard afterHost.hasPrefix("/") || afterHost.hasPrefix("localhost/") else { throw invalid("file:///PATH") }
            return .file(try path(afterHost.drop { $0 != "/" }, text))
        case "pvc", "s3":
            guard tail.hasPrefix("//") else { throw invalid("\(scheme)://NAME/PATH") }
            let parts = tail.dropFirst(2).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = parts.first, !name.isEmpty else { throw invalid("\(scheme)://NAME/PATH") }
            let key = parts.count > 1 ? String(parts[1]) : ""
            if scheme == "s3" { return .object(bucket: String(name), key: key) }
            guard !name.contains("..") else { throw invalid("pvc://CLAIM/PATH") }
            return .volume(claim: String(name), path: try path(key[...], text))
        case "http", "https":
            let host = tail.dropFirst(2)
            guard tail.hasPrefix("//"), let first = host.first, !"/?#:@".contains(first) else {
                throw invalid("\(scheme)://HOST/PATH")
            }
            return .web(String(rest))
        case "models": return try registered(tail, text)
        case "runs":
            let parts = tail.split(separator: "/", maxSplits: 1)
            guard tail.hasPrefix("/"), let run = parts.first else { throw invalid("runs:/RUN/PATH") }
            return .run(String(run), path: parts.count > 1 ? try path(parts[1], text) : "")
        case "mlflow-artifacts": return .artifacts(String(rest))
        default:
            throw InferenceFault(
                .unsupported,
                "'\(text)': the scheme \(scheme): is not fetched; known are file, pvc, s3, http, https, models, runs and "
                    + "mlflow-artifacts")
        }
    }

    private static func registered(_ tail: Substring, _ text: String) throws(InferenceFault) -> Place {
        let rest = tail.drop { $0 == "/" }
        if let at = rest.lastIndex(of: "@"), !rest.contains("/") {
            let (name, alias) = (rest[..<at], rest[rest.index(after: at)...])
            if !name.isEmpty, !alias.isEmpty { return .alias(name: String(name), String(alias)) }
        } else {
            let parts = rest.split(separator: "/", omittingEmptySubsequences: false)
            if parts.count == 1, parts[0].hasPrefix("m-") { return .loggedModel(String(parts[0])) }
            if parts.count == 2, !parts[0].isEmpty, let number = Int(parts[1]), number > 0 {
                return .version(name: String(parts[0]), String(number))
            }
        }
        throw InferenceFault(
            .invalid, "'\(text)' is not models:/NAME@ALIAS, models:/NAME/VERSION or models:/m-ID")
    }

    /// Without `..`; a path is where the caller says, and nowhere above it.
    private static func path(_ path: Substring, _ text: String) throws(InferenceFault) -> String {
        guard !path.split(separator: "/").contains("..") else {
            throw InferenceFault(.invalid, "'\(text)': a path may not have .. in it")
        }
        return String(path)
    }
}

/// The files that a URI names now.
package struct ResolvedModel: Sendable, Hashable {
    enum Files: Sendable, Hashable {
        case local(String)
        case objects(bucket: String, [RemoteFile])
        case web(String)
        case artifacts([RemoteFile])
    }

    /// One of a server's files.
    struct RemoteFile: Sendable, Hashable {
        /// Where the server has it.
        let source: String
        /// Where it goes, below the model's folder.
        let path: String
        let size: Int64
        let mark: String
    }

    package let uri: ModelURI
    /// The registry's number; `1` where there is none.
    package let version: String
    /// Changes when the files do.
    package let identity: String
    let files: Files
}
