// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import YAMLFormat

/// The body of a server-side apply: a YAML or JSON document.
struct ApplyBody {
    var configuration: JSONValue
    /// Keys that occur more than once: `line 2: key "a" already set in map`.
    private var duplicates: [String]

    init(_ request: KubeRequest) throws(StatusError) {
        // Clients mostly send JSON, which is YAML too.
        if request.body.first(where: { $0 > 0x20 }) == UInt8(ascii: "{"),
            let parsed = try? JSONParser.parseReportingDuplicates(request.body), parsed.duplicates.isEmpty
        {
            (configuration, duplicates) = parsed
        } else {
            do {
                (configuration, duplicates) = try YAMLDocuments.parseOne(request.body)
            } catch {
                throw .badRequest("error decoding YAML: error converting YAML to JSON: \(error)")
            }
        }
        guard case .object = configuration else {
            throw .badRequest(
                "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
                    + "\(configuration.typeName) into Go value of type map[string]interface {}")
        }
    }

    /// Refuses keys that occur more than once, or warns of them.
    func warnings(_ strictness: BodyDecoder.Strictness) throws(StatusError) -> [String] {
        guard strictness != .ignore, !duplicates.isEmpty else { return [] }
        guard strictness == .strict else { return duplicates }
        throw .badRequest(
            "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  "
                + duplicates.joined(separator: "\n  "))
    }

    /// Checks that the configuration is of the object that the request names, and fills in what it leaves out.
    mutating func place(_ call: ResourceCall, apiVersion: String, kind: String) throws(StatusError) {
        let givenVersion = configuration["apiVersion"].string ?? ""
        let givenKind = configuration["kind"].string ?? ""
        guard !givenKind.isEmpty else {
            throw .badRequest("Object 'Kind' is missing in '\(configuration.text.prefix(256))'")
        }
        guard givenKind == kind, givenVersion.isEmpty == false else {
            let parts = GroupVersionKind(apiVersion: givenVersion, kind: givenKind)
            throw .badRequest(
                "invalid object type: \(parts.apiVersion.isEmpty ? "/" : parts.apiVersion), Kind=\(givenKind)")
        }
        guard givenVersion == apiVersion else {
            throw .badRequest(
                "Incorrect version specified in apply patch. Specified patch version: \(givenVersion), expected: "
                    + apiVersion)
        }
        let name = configuration["metadata"]["name"].string ?? ""
        guard name.isEmpty || name == call.name else {
            throw .badRequest(
                "the name of the object (\(name)) does not match the name on the URL (\(call.name))")
        }
        let namespace = configuration["metadata"]["namespace"].string ?? ""
        guard namespace.isEmpty || namespace == call.namespace else {
            throw .badRequest(
                "the namespace of the object (\(namespace)) does not match the namespace on the URL "
                    + "(\(call.namespace))")
        }
        configuration["metadata"]["name"] = .string(call.name)
        if !call.namespace.isEmpty { configuration["metadata"]["namespace"] = .string(call.namespace) }
    }
}
