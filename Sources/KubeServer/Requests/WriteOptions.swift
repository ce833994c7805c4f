// SPDX-License-Identifier: Apache-2.0
import KubeAPI

/// Options that every write has (meta/v1 CreateOptions, UpdateOptions, PatchOptions).
struct WriteOptions: Sendable {
    /// The media type of server-side apply.
    static let applyMediaType = "application/apply-patch+yaml"
    /// The longest name of a field manager, in bytes.
    static let longestManager = 128

    /// Whether nothing is to be written (`dryRun=All`).
    var isDryRun = false
    /// Whose fields the changed ones are; empty when the request does not say.
    var fieldManager = ""
    /// Whether an apply takes over fields of others.
    var force = false

    /// - Throws: 422 with all that is wrong.
    init(_ request: KubeRequest) throws(StatusError) {
        var causes: [StatusCause] = []
        let dryRun = request.parameter("dryRun") ?? ""
        if !dryRun.isEmpty {
            isDryRun = dryRun == "All"
            if !isDryRun { causes.append(Self.unsupported("dryRun", dryRun, "\"All\"")) }
        }
        let kind: String
        switch request.method {
        case "POST": kind = "CreateOptions"
        case "PUT": kind = "UpdateOptions"
        case "PATCH": kind = "PatchOptions"
        case "DELETE":
            // The rest of its options is in its body.
            kind = "DeleteOptions"
            try Self.check(kind, causes)
            return
        default:
            try Self.check("", causes)
            return
        }
        fieldManager = request.parameter("fieldManager") ?? ""
        if request.method == "PATCH" { checkPatch(request, &causes) }
        if fieldManager.utf8.count > Self.longestManager {
            causes.append(
                StatusCause(
                    reason: "FieldValueTooLong", field: "fieldManager",
                    message: "Too long: may not be more than \(Self.longestManager) bytes"))
        } else if !fieldManager.unicodeScalars.allSatisfy(Self.isPrintable) {
            causes.append(
                StatusCause(
                    reason: "FieldValueInvalid", field: "fieldManager",
                    message: "Invalid value: \(Self.quoted(fieldManager)): should only contain printable characters"))
        }
        let validation = request.parameter("fieldValidation") ?? ""
        if !validation.isEmpty, BodyDecoder.Strictness(rawValue: validation) == nil {
            causes.append(Self.unsupported("fieldValidation", validation, "\"Ignore\", \"Strict\", \"Warn\""))
        }
        try Self.check(kind, causes)
    }

    private mutating func checkPatch(_ request: KubeRequest, _ causes: inout [StatusCause]) {
        let isApply = BodyDecoder.mediaType(request.contentType) == Self.applyMediaType
        if let force = request.parameter("force"), !force.isEmpty {
            self.force = ListOptions.isTrue(force)
            if !isApply {
                causes.append(
                    StatusCause(
                        reason: "FieldValueForbidden", field: "force",
                        message: "Forbidden: may not be specified for non-apply patch"))
            }
        }
        if isApply, fieldManager.isEmpty {
            causes.append(
                StatusCause(
                    reason: "FieldValueRequired", field: "fieldManager",
                    message: "Required value: is required for apply patch"))
        }
    }

    private static func check(_ kind: String, _ causes: [StatusCause]) throws(StatusError) {
        guard !causes.isEmpty else { return }
        let resource = KubeResource(group: "meta.k8s.io", version: "v1", plural: "", kind: kind)
        guard kind.isEmpty else { throw .invalid(resource, "", causes) }
        var error = StatusError.invalid(resource, "", causes)
        error.message = "\"\" is invalid: \(causes.map { "\($0.field): \($0.message)" }.joined(separator: ", "))"
        throw error
    }

    private static func unsupported(_ field: String, _ value: String, _ supported: String) -> StatusCause {
        StatusCause(
            reason: "FieldValueNotSupported", field: field,
            message: "Unsupported value: \(quoted(String(value.prefix(64)))): supported values: \(supported)")
    }

    private static func quoted(_ text: String) -> String {
        "\"\(text.unicodeScalars.map { isPrintable($0) ? String($0) : $0.escaped(asASCII: true) }.joined())\""
    }

    /// As Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols, and the ASCII space.
    static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar.value >= 0x20 && scalar.value < 0x7F }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .spaceSeparator, .lineSeparator,
            .paragraphSeparator:
            return false
        default: return true
        }
    }

    /// The manager of what a request changes: the one that it names, else the program that asks.
    static func manager(_ request: KubeRequest) -> String {
        if let manager = request.parameter("fieldManager"), !manager.isEmpty { return manager }
        let program = request.userAgent.prefix { $0 != "/" }
        var name = String.UnicodeScalarView()
        var length = 0
        for scalar in program.unicodeScalars where isPrintable(scalar) {
            length += UTF8.width(scalar)
            guard length <= longestManager else { break }
            name.append(scalar)
        }
        return String(name)
    }
}
