// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import Testing

/// Input that is refused: upstream's error, nothing changed.
@Suite struct BadInputTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var method = "POST"
        var target = "/api/v1/namespaces/default/configmaps"
        var contentType = "application/json"
        var body: String
        var status: Int
        var reason: String
        var contains: String

        var testDescription: String { name }
    }

    static let cases = [
        Case(
            name: "malformed JSON", body: "{\"metadata\":", status: 400, reason: "BadRequest",
            contains: "unexpected end"),
        Case(name: "no object", body: "[1]", status: 400, reason: "BadRequest", contains: "expected a JSON object"),
        Case(
            name: "deep nesting", body: String(repeating: "[", count: 10_000), status: 400, reason: "BadRequest",
            contains: "nested deeper"),
        Case(
            name: "wrong type", body: "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":1}}", status: 400,
            reason: "BadRequest", contains: "cannot unmarshal number"),
        Case(
            name: "wrong kind", body: "{\"kind\":\"Secret\",\"apiVersion\":\"v1\"}", status: 400,
            reason: "BadRequest", contains: "cannot be handled as a ConfigMap"),
        Case(
            name: "wrong version", body: "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v2\"}", status: 400,
            reason: "BadRequest", contains: "does not match the expected API version (v1)"),
        Case(
            name: "invalid name", body: "{\"metadata\":{\"name\":\"Bad_Name\"}}", status: 422, reason: "Invalid",
            contains: "ConfigMap \"Bad_Name\" is invalid: metadata.name: Invalid value: \"Bad_Name\""),
        Case(name: "no name", body: "{}", status: 422, reason: "Invalid", contains: "name or generateName is required"),
        Case(
            name: "other namespace", body: "{\"metadata\":{\"name\":\"a\",\"namespace\":\"b\"}}", status: 400,
            reason: "BadRequest", contains: "does not match the namespace sent on the request"),
        Case(
            name: "version on create", body: "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}}", status: 400,
            reason: "BadRequest", contains: "resourceVersion should not be set on objects to be created"),
        Case(
            name: "YAML", contentType: "application/yaml", body: "kind: ConfigMap", status: 415,
            reason: "UnsupportedMediaType", contains: "application/json"),
        Case(
            name: "protobuf garbage", contentType: "application/vnd.kubernetes.protobuf", body: "k8s", status: 400,
            reason: "BadRequest", contains: "k8s"),
        Case(
            name: "missing namespace", target: "/api/v1/namespaces/none/configmaps",
            body: "{\"metadata\":{\"name\":\"a\"}}", status: 404, reason: "NotFound",
            contains: "namespaces \"none\" not found"),
        Case(
            name: "unknown resource", target: "/api/v1/namespaces/default/nothings", body: "{}", status: 404,
            reason: "NotFound", contains: "could not find the requested resource"),
        Case(
            name: "unknown path", method: "GET", target: "/nothing", body: "", status: 404, reason: "NotFound",
            contains: "could not find"),
        Case(
            name: "method", method: "PUT", body: "{}", status: 405, reason: "MethodNotAllowed",
            contains: "does not allow this method"),
        Case(
            name: "unknown field selector", method: "GET",
            target: "/api/v1/namespaces/default/configmaps?fieldSelector=spec.foo=1", body: "", status: 400,
            reason: "BadRequest", contains: "field label not supported: spec.foo"),
        Case(
            name: "bad label selector", method: "GET",
            target: "/api/v1/namespaces/default/configmaps?labelSelector=a in (b", body: "", status: 400,
            reason: "BadRequest", contains: "unable to parse requirement"),
        Case(
            name: "unknown dry run", target: "/api/v1/namespaces/default/configmaps?dryRun=Some", body: "{}",
            status: 422, reason: "Invalid", contains: "dryRun: Unsupported value"),
        Case(
            name: "unknown field, strict", target: "/api/v1/namespaces/default/configmaps?fieldValidation=Strict",
            body: "{\"metadata\":{\"name\":\"a\"},\"foo\":1}", status: 400, reason: "BadRequest",
            contains: "strict decoding error: unknown field \"foo\""),
        Case(
            name: "duplicate field, strict", target: "/api/v1/namespaces/default/configmaps?fieldValidation=Strict",
            body: "{\"metadata\":{\"name\":\"a\",\"name\":\"b\"}}", status: 400, reason: "BadRequest",
            contains: "duplicate field \"metadata.name\""),
    ]

    @Test(arguments: cases)
    func refuses(_ input: Case) async throws {
        let cluster = try await TestServer()
        let before = try await cluster.call("GET", "/api/v1/namespaces/default/configmaps")
        let response = await cluster.respond(
            input.method, input.target, Array(input.body.utf8), contentType: input.contentType)
        guard case .bytes(let bytes) = response.body else {
            Issue.record("the answer is a stream")
            return
        }
        let status = try JSONParser.parse(bytes)
        #expect(response.status == input.status)
        #expect(status["kind"] == "Status")
        #expect(status["code"] == JSONValue(input.status))
        #expect(status["reason"] == .string(input.reason))
        #expect((status["message"].string ?? "").contains(input.contains), "\(status["message"])")
        let after = try await cluster.call("GET", "/api/v1/namespaces/default/configmaps")
        #expect(after.json == before.json, "nothing changed")
    }

    @Test func unknownFieldsAreWarnedOf() async throws {
        let cluster = try await TestServer()
        let made = try await cluster.call(
            "POST", "/api/v1/namespaces/default/configmaps", ["metadata": ["name": "a"], "foo": 1])
        #expect(made.status == 201)
        #expect(made.headers.map(\.value) == ["299 - \"unknown field \\\"foo\\\"\""])
        #expect(made.json["foo"].isNull)
        let silent = try await cluster.call(
            "POST", "/api/v1/namespaces/default/configmaps?fieldValidation=Ignore",
            ["metadata": ["name": "b"], "foo": 1])
        #expect(silent.headers.isEmpty)
    }

    @Test func anonymousUsersSeeOnlyHealth() async throws {
        let cluster = try await TestServer()
        for path in ["/healthz", "/livez", "/readyz", "/version", "/livez/ping"] {
            #expect(try await cluster.call("GET", path, user: .anonymous).status == 200)
        }
        for path in ["/api", "/apis", "/api/v1/pods", "/openapi/v2", "/api/v1/nothing"] {
            let answer = try await cluster.call("GET", path, user: .anonymous)
            #expect(answer.status == 401)
            #expect(answer.json["reason"] == "Unauthorized")
        }
    }
}
