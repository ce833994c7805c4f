// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Options of list, watch and deletecollection (meta/v1 ListOptions).
struct ListOptions {
    var labels = LabelSelector.everything
    var fields = FieldSelector.everything
    var limit: Int?
    var continueToken: String?
    var resourceVersion = ""
    var resourceVersionMatch = ""
    var isWatch = false
    var timeout: Duration?
    var allowsBookmarks = false
    var sendsInitialEvents: Bool?

    init(_ request: KubeRequest, declaration: ResourceDeclaration) throws(StatusError) {
        for (name, value) in request.query where !value.isEmpty {
            switch name {
            case "labelSelector": labels = try LabelSelector(parsing: value)
            case "fieldSelector": fields = try FieldSelector(parsing: value)
            case "limit": limit = try Self.number(name, value)
            case "continue": continueToken = value
            case "resourceVersion": resourceVersion = value
            case "resourceVersionMatch": resourceVersionMatch = value
            case "watch": isWatch = Self.isTrue(value)
            case "timeoutSeconds": timeout = .seconds(min(try Self.number(name, value), 86_400))
            case "allowWatchBookmarks": allowsBookmarks = Self.isTrue(value)
            case "sendInitialEvents": sendsInitialEvents = Self.isTrue(value)
            default: continue
            }
        }
        for (index, requirement) in fields.requirements.enumerated() {
            guard let field = declaration.storedField(requirement.field) else {
                throw .badRequest("field label not supported: \(requirement.field)")
            }
            fields.requirements[index].field = field
        }
        try validate()
    }

    private func validate() throws(StatusError) {
        var causes: [String] = []
        if !resourceVersionMatch.isEmpty, !["Exact", "NotOlderThan"].contains(resourceVersionMatch) {
            causes.append(
                "resourceVersionMatch: Unsupported value: \"\(resourceVersionMatch)\": supported values: "
                    + "\"Exact\", \"NotOlderThan\", \"\"")
        }
        if isWatch {
            if let sendsInitialEvents, sendsInitialEvents || !resourceVersionMatch.isEmpty {
                if resourceVersionMatch != "NotOlderThan" {
                    causes.append(
                        "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch "
                            + "to NotOlderThan")
                }
            } else if sendsInitialEvents == nil, !resourceVersionMatch.isEmpty {
                causes.append(
                    "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless "
                        + "sendInitialEvents is provided")
            }
        } else {
            if sendsInitialEvents != nil {
                causes.append("sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list")
            }
            if !resourceVersionMatch.isEmpty, resourceVersion.isEmpty {
                causes.append(
                    "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is "
                        + "provided")
            }
            if !resourceVersionMatch.isEmpty, continueToken != nil {
                causes.append("resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for continue")
            }
            if resourceVersionMatch == "Exact", resourceVersion == "0" {
                causes.append(
                    "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for "
                        + "resourceVersion \"0\"")
            }
        }
        guard !causes.isEmpty else { return }
        throw StatusError(
            code: 422, reason: "Invalid",
            message: "ListOptions.meta.k8s.io \"\" is invalid: \(causes.joined(separator: ", "))")
    }

    /// The revision that `resourceVersion` names; nil when it is unset.
    func revision() throws(StatusError) -> Int64? {
        if resourceVersion.isEmpty { return nil }
        guard let revision = Int64(resourceVersion), revision >= 0 else {
            throw .badRequest("Invalid value: \"\(resourceVersion.prefix(64))\": must be a non-negative number")
        }
        return revision
    }

    private static func number(_ name: String, _ value: String) throws(StatusError) -> Int {
        guard let number = Int(value), number >= 0 else {
            throw .badRequest("invalid value \"\(value.prefix(64))\" of parameter \(name): expected a number from 0")
        }
        return number
    }

    /// As Go's query conversion reads a boolean: everything but `false` and `0` is true.
    static func isTrue(_ value: String) -> Bool { !["false", "0"].contains(value.lowercased()) }
}

/// Where the next page of a list begins.
struct ContinueToken: Equatable {
    var revision: Int64
    var namespace: String
    var name: String

    init(revision: Int64, namespace: String, name: String) {
        self.revision = revision
        self.namespace = namespace
        self.name = name
    }

    /// Opaque to clients.
    var text: String {
        let json: JSONValue = [
            "v": "apus/v1", "rv": .int(revision), "namespace": .string(namespace), "name": .string(name),
        ]
        return Base64URL.encode(json.encoded)
    }

    init(parsing text: String) throws(StatusError) {
        guard text.utf8.count < 8192, let bytes = Base64URL.decode(text), let json = try? JSONParser.parse(bytes),
            json["v"] == "apus/v1", let revision = json["rv"].int, let namespace = json["namespace"].string,
            let name = json["name"].string
        else { throw .badRequest("continue key is not valid: it is not one that this server gave") }
        self.init(revision: Int64(revision), namespace: namespace, name: name)
    }
}

/// Base64 with the alphabet for URLs and without padding (RFC 4648, section 5).
private enum Base64URL {
    static func encode(_ bytes: [UInt8]) -> String {
        String(Base64.encode(bytes).filter { $0 != "=" }.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
    }

    static func decode(_ text: String) -> [UInt8]? {
        let standard = text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return try? Base64.decode(String(standard) + padding).get()
    }
}
