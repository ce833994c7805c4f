// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@Suite struct OpenAPIProtobufTests {
    private static let json = OpenAPI.v2Document(
        [OpenAPI.Resource(.deployments, subresources: ["status", "scale"]), OpenAPI.Resource(.pods)],
        serverVersion: "v1.36.0")
    private static let document = ProtobufMessage(OpenAPIProtobuf.encode(json))

    private func definition(_ name: String) throws -> ProtobufMessage {
        try #require(Self.document.message(9)?.named(1, name))
    }

    @Test func documentHasWhatTheJSONHas() throws {
        #expect(Self.document.text(1) == "2.0")
        #expect(Self.document.message(2)?.text(1) == "Kubernetes")
        #expect(Self.document.message(2)?.text(2) == "v1.36.0")
        let definitions = try #require(Self.document.message(9)).messages(1)
        #expect(definitions.map { $0.text(1) } == Self.json["definitions"].members.keys.sorted())
        let paths = try #require(Self.document.message(8)).messages(2)
        #expect(paths.map { $0.text(1) } == Self.json["paths"].members.keys.sorted())
        #expect(Set(Self.document.fields.map(\.number)) == [1, 2, 8, 9])
    }

    @Test func everyPropertyKeepsItsTypeAndReference() throws {
        for (name, schema) in Self.json["definitions"].members {
            let written = try definition(name)
            let properties = written.message(25)?.messages(1) ?? []
            #expect(properties.map { $0.text(1) } == schema["properties"].members.keys.sorted(), "\(name)")
            #expect(written.texts(19) == schema["required"].elements.map(\.string), "\(name)")
            for property in properties {
                let key = try #require(property.text(1))
                let value = try #require(property.message(2))
                let expected = schema["properties"][key]
                #expect(value.text(1) == expected["$ref"].string, "\(name) \(key)")
                #expect(value.text(2) == expected["format"].string, "\(name) \(key)")
                #expect(value.message(22)?.text(1) == expected["type"].string, "\(name) \(key)")
                let item = value.message(23)?.message(1)
                #expect(item?.text(1) == expected["items"]["$ref"].string, "\(name) \(key)")
                let mapped = value.message(21)?.message(1)
                #expect(
                    mapped?.message(22)?.text(1) == expected["additionalProperties"]["type"].string, "\(name) \(key)")
            }
        }
    }

    /// Kinds and merge keys are found in them by kubectl.
    @Test func extensionsAreYAML() throws {
        let deployment = try definition("io.k8s.api.apps.v1.Deployment")
        let kinds = deployment.named(31, "x-kubernetes-group-version-kind")?.text(2)
        #expect(kinds == #"[{"group":"apps","kind":"Deployment","version":"v1"}]"#)
        let ports = try definition("io.k8s.api.core.v1.Container").message(25)?.named(1, "ports")
        #expect(
            ports?.messages(31).map { $0.text(1) } == [
                "x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-patch-merge-key",
                "x-kubernetes-patch-strategy",
            ])
        #expect(ports?.named(31, "x-kubernetes-patch-merge-key")?.text(2) == #""containerPort""#)
        #expect(ports?.message(23)?.message(1)?.message(5)?.text(2) == "{}")
        let strategy = try definition("io.k8s.api.apps.v1.DeploymentStrategy").message(25)?.named(1, "type")
        #expect(strategy?.messages(20).map { $0.text(2) } == [#""Recreate""#, #""RollingUpdate""#])
    }

    /// kubectl sends `--dry-run=server` only where the patch operation has the parameter.
    @Test func patchOperationsHaveTheirParameters() throws {
        let path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
        let item = try #require(Self.document.message(8)?.named(2, path))
        let shared = item.messages(9).map { $0.message(1)?.message(2) }
        #expect(shared.map { $0?.message(4)?.text(4) ?? $0?.message(3)?.text(4) } == ["namespace", "name", "pretty"])
        #expect(shared.first??.message(4)?.number(1) == 1)
        #expect(shared.first??.message(4)?.number(19) == 1)
        let patch = try #require(item.message(8))
        let kind = patch.named(13, "x-kubernetes-group-version-kind")?.text(2)
        #expect(kind == #"{"group":"apps","kind":"Deployment","version":"v1"}"#)
        let queries = patch.messages(8).compactMap { $0.message(1)?.message(2)?.message(3) }
        #expect(queries.map { $0.text(4) } == ["dryRun", "fieldManager", "fieldValidation", "force"])
        #expect(queries.map { $0.text(6) } == ["string", "string", "string", "boolean"])
        let body = patch.messages(8).compactMap { $0.message(1)?.message(1) }
        #expect(body.map { $0.text(2) } == ["body"])
        #expect(body.first?.message(5)?.text(1) == "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Patch")
        #expect(patch.texts(7).contains("application/strategic-merge-patch+json"))
        let answer = patch.message(9)?.named(1, "200")?.message(1)
        #expect(answer?.text(1) == "OK")
        #expect(answer?.message(2)?.message(1)?.text(1) == "#/definitions/io.k8s.api.apps.v1.Deployment")
    }

    @Test func numbersFlagsAndReferences() throws {
        let document: JSONValue = [
            "definitions": [
                "A": [
                    "maximum": 2.5, "minLength": 300, "minItems": -1, "uniqueItems": true, "readOnly": false,
                    "additionalProperties": false, "items": [["type": "string"], ["type": "integer"]],
                    "title": 7,
                ],
                "B": ["additionalProperties": true],
            ],
            "paths": ["/x": ["parameters": [["$ref": "#/parameters/p"]]]],
        ]
        let written = ProtobufMessage(OpenAPIProtobuf.encode(document))
        let schema = try #require(written.message(9)?.named(1, "A"))
        #expect(schema.number(7) == (2.5).bitPattern)
        #expect(schema.number(12) == 300)
        #expect(schema.number(15) == UInt64(bitPattern: -1))
        #expect(schema.number(16) == 1)
        #expect(schema.number(27) == nil)
        #expect(schema.message(21)?.number(2) == 0)
        #expect(schema.message(23)?.messages(1).map { $0.message(22)?.text(1) } == ["string", "integer"])
        #expect(schema.text(3) == nil)
        #expect(written.message(9)?.named(1, "B")?.message(21)?.number(2) == 1)
        let parameter = written.message(8)?.named(2, "/x")?.messages(9).first
        #expect(parameter?.message(2)?.text(1) == "#/parameters/p")
    }

    @Test(arguments: [
        ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", true),
        ("application/com.github.proto-openapi.spec.v2.v1.0+protobuf", true),
        ("application/com.github.proto-openapi.spec.v2.v1.0+protobuf; q=1, application/json", true),
        ("application/json, application/com.github.proto-openapi.spec.v2.v1.0+protobuf", false),
        ("*/*", false), ("", false), ("text/html", false),
    ])
    func firstKnownFormInAcceptIsTaken(accept: String, isProtobuf: Bool) {
        #expect(OpenAPIProtobuf.isAccepted(accept) == isProtobuf)
    }
}

/// The fields of a protobuf message, in order; it ends at the first byte that it does not understand.
private struct ProtobufMessage {
    enum Value {
        case number(UInt64)
        case bytes([UInt8])
    }

    private(set) var fields: [(number: Int, value: Value)] = []

    init(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while let key = Self.varint(&rest) {
            let number = Int(key >> 3)
            switch key & 7 {
            case 0:
                guard let value = Self.varint(&rest) else { return }
                fields.append((number, .number(value)))
            case 1:
                guard rest.count >= 8 else { return }
                fields.append((number, .number(rest.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) })))
                rest = rest.dropFirst(8)
            case 2:
                guard let length = Self.varint(&rest), rest.count >= Int(length) else { return }
                fields.append((number, .bytes(Array(rest.prefix(Int(length))))))
                rest = rest.dropFirst(Int(length))
            default: return
            }
        }
    }

    private static func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while let byte = rest.popFirst() {
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }

    private func payloads(_ number: Int) -> [[UInt8]] {
        fields.compactMap { field in
            if field.number == number, case .bytes(let bytes) = field.value { bytes } else { nil }
        }
    }

    func texts(_ number: Int) -> [String] { payloads(number).map { String(decoding: $0, as: UTF8.self) } }
    func text(_ number: Int) -> String? { texts(number).first }
    func messages(_ number: Int) -> [ProtobufMessage] { payloads(number).map(ProtobufMessage.init) }
    func message(_ number: Int) -> ProtobufMessage? { messages(number).first }

    func number(_ number: Int) -> UInt64? {
        for field in fields where field.number == number {
            if case .number(let value) = field.value { return value }
        }
        return nil
    }

    /// The value of the entry of that name in a repeated message of name and value.
    func named(_ number: Int, _ name: String) -> ProtobufMessage? {
        messages(number).first { $0.text(1) == name }?.message(2)
    }
}
