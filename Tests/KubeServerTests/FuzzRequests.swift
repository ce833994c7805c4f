// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Makes requests that are almost right.
struct FuzzRequests {
    var source: FuzzSource
    private let names = ["seed", "seed", "seed", "a", "kubernetes", "default", "kube-system"]

    init(seed: UInt64) { source = FuzzSource(seed: seed) }

    mutating func next() -> KubeRequest {
        var request: KubeRequest
        switch source.number(0...19) {
        case 0: request = plain()
        case 1...3: request = subresource()
        case 4...8: request = write("POST", named: false)
        case 9...11: request = write("PUT", named: true)
        case 12...15: request = patch()
        case 16: request = delete()
        default: request = read()
        }
        while !source.one(of: 3) { request.query.append(parameter()) }
        if source.one(of: 6) { request.accept = accept() }
        if source.one(of: 20) { request.contentType = contentType() }
        if source.one(of: 15) { request.path = mangled(request.path) }
        if source.one(of: 40) {
            request.method = source.pick(["", "get", "OPTIONS", "CONNECT", "HEAD", "PUT", "POST", "PATCH", "DELETE"])
        }
        if source.one(of: 12) { request.body = source.mutated(request.body) }
        return request
    }

    // MARK: Requests

    private mutating func target() -> (resource: KubeResource, object: JSONValue, path: String) {
        let (resource, object) = source.pick(FuzzCorpus.objects)
        let namespace = source.one(of: 12) ? source.pick(["kube-system", "none", "", "%00"]) : "default"
        return (resource, object, resource.path(namespace: namespace))
    }

    private mutating func plain() -> KubeRequest {
        let path = source.pick([
            "/", "", "/api", "/apis", "/api/v1", "/apis/apps/v1", "/apis/apps", "/healthz", "/readyz/ping", "/livez/x",
            "/version", "/openapi/v2", "/openapi/v3", "/openapi/v3/apis/apps/v1", "/openapi/v3/../v2", "/metrics",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        ])
        let body: JSONValue = ["spec": ["resourceAttributes": ["verb": "get"], "nonResourceAttributes": ["path": "/"]]]
        return KubeRequest(
            method: source.pick(["GET", "POST"]), path: path, contentType: "application/json",
            body: source.mutated(body, changes: source.number(0...2)).encoded)
    }

    private mutating func subresource() -> KubeRequest {
        if source.one(of: 2) {
            let (resource, name, object) = source.pick(FuzzCorpus.subresources)
            var request = KubeRequest(
                method: source.pick(["POST", "POST", "PUT", "PATCH", "GET"]),
                path: resource.path(namespace: "default", name: source.pick(names), subresource: name))
            fill(&request, source.mutated(object, changes: source.number(0...3)))
            return request
        }
        let (_, object, path) = target()
        let name = source.pick(["status", "status", "status", "log", "finalize", "scale", "exec", "x", ""])
        var request = KubeRequest(
            method: source.pick(["GET", "PUT", "PUT", "PATCH"]), path: "\(path)/\(source.pick(names))/\(name)")
        fill(&request, source.mutated(object, changes: source.number(0...3)))
        return request
    }

    private mutating func write(_ method: String, named: Bool) -> KubeRequest {
        var (_, object, path) = target()
        if !named {
            let name = source.pick(["a", "b", "c", "seed", "A", "", "a b", "a-\(source.number(0...9))"])
            object["metadata"]["name"] = .string(name)
        }
        var request = KubeRequest(method: method, path: named ? "\(path)/\(source.pick(names))" : path)
        fill(&request, source.mutated(object, changes: source.number(0...4)))
        return request
    }

    /// Sets the body, as JSON or protobuf.
    private mutating func fill(_ request: inout KubeRequest, _ object: JSONValue) {
        request.contentType = "application/json"
        if request.method == "PATCH" {
            request.contentType = source.pick([
                JSONPatch.mediaType, MergePatch.mediaType, StrategicMergePatch.mediaType,
            ])
        }
        request.body = object.encoded
        guard request.method != "PATCH", source.one(of: 4), let body = ProtobufEncoder.envelope(object) else { return }
        request.contentType = ProtobufDecoder.mediaType
        request.body = body
    }

    private mutating func patch() -> KubeRequest {
        var (_, object, path) = target()
        var request = KubeRequest(method: "PATCH", path: "\(path)/\(source.pick(names))")
        if source.one(of: 4) { request.path += "/status" }
        switch source.number(0...2) {
        case 0:
            request.contentType = JSONPatch.mediaType
            request.body = source.jsonPatch(object).encoded
        case 1:
            request.contentType = MergePatch.mediaType
            request.body = source.mutated(object, changes: source.number(1...4)).encoded
        default:
            request.contentType = StrategicMergePatch.mediaType
            // A few members only, so that the directives take effect.
            let parts = object.members.keys.sorted()
            for key in parts where source.one(of: 2) { object[key] = .null }
            request.body = source.mutated(object, changes: source.number(1...4), directives: true).encoded
        }
        return request
    }

    private mutating func delete() -> KubeRequest {
        let (_, _, path) = target()
        var request = KubeRequest(method: "DELETE", path: source.one(of: 12) ? path : "\(path)/\(source.pick(names))")
        if source.one(of: 2) {
            fill(&request, source.mutated(FuzzCorpus.deleteOptions, changes: source.number(0...5)))
        }
        return request
    }

    private mutating func read() -> KubeRequest {
        let (_, _, path) = target()
        let path2 = source.one(of: 3) ? "\(path)/\(source.pick(names))" : path
        return KubeRequest(method: source.pick(["GET", "GET", "GET", "HEAD"]), path: path2, accept: accept())
    }

    // MARK: Parts

    private mutating func parameter() -> (name: String, value: String) {
        let name = source.pick([
            "limit", "continue", "resourceVersion", "resourceVersionMatch", "timeoutSeconds", "labelSelector",
            "fieldSelector", "dryRun", "fieldValidation", "propagationPolicy", "gracePeriodSeconds", "watch",
            "allowWatchBookmarks", "sendInitialEvents", "includeObject", "orphanDependents", "fieldManager", "pretty",
            "container", "tailLines", "sinceSeconds", "sinceTime", "limitBytes", "verbose", "timeout", "",
        ])
        let values: [String]
        switch name {
        case "limit", "timeoutSeconds", "gracePeriodSeconds", "tailLines", "sinceSeconds", "limitBytes":
            values = ["0", "1", "2", "500", "-1", "9223372036854775807", "9223372036854775808", "1e3", "x", ""]
        case "resourceVersion": values = ["", "0", "1", "2", "20", "9223372036854775807", "-1", "x", "00"]
        case "resourceVersionMatch": values = ["", "Exact", "NotOlderThan", "x"]
        case "continue":
            values = ["", "x", "e30", tokens[0], tokens[1], tokens[2], tokens[3]]
        case "labelSelector":
            values = [
                "", "app=a", "app in (a,b)", "app notin ()", "app", "!app", "app>1", "a in (", "((((", "a=b=c", ",,,",
                "app=a,app!=b", "x in (a),!y", "app==a", "=a", "é", String(repeating: "a,", count: 3000),
            ]
        case "fieldSelector":
            values = [
                "", "metadata.name=seed", "metadata.name!=seed", "metadata.namespace=default", "status.phase=Running",
                "spec.nodeName=n1", "type=Opaque", "x", "=", "!=", "a=b", "metadata.name", "spec.nodeName==",
            ]
        case "dryRun": values = ["All", "All", "", "None", "all"]
        case "fieldValidation": values = ["Strict", "Warn", "Ignore", "", "x"]
        case "propagationPolicy": values = ["Foreground", "Background", "Orphan", "", "x"]
        case "includeObject": values = ["None", "Metadata", "Object", "x"]
        case "container": values = ["c", "i", "x", ""]
        default: values = ["true", "false", "1", "0", "", "x"]
        }
        return (name, source.one(of: 15) ? source.text() : source.pick(values))
    }

    /// Continue tokens with contents that the server never gave, in base64 for URLs.
    private let tokens = [
        #"{"v":"apus/v1","rv":-1,"namespace":"","name":""}"#,
        #"{"v":"apus/v1","rv":9223372036854775807,"namespace":"default","name":"a"}"#,
        #"{"v":"apus/v1","rv":1,"namespace":"zzz","name":"a"}"#,
        #"{"v":"apus/v1","rv":-9223372036854775808,"namespace":"default","name":"\u0000"}"#,
    ].map { text in
        ServiceAccountText.base64URL(text)
    }

    private enum ServiceAccountText {
        static func base64URL(_ text: String) -> String {
            var bits = 0
            var buffer = 0
            var result = ""
            let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
            for byte in text.utf8 {
                buffer = (buffer << 8 | Int(byte)) & 0xFFFF
                bits += 8
                while bits >= 6 {
                    bits -= 6
                    result.append(alphabet[buffer >> bits & 63])
                }
            }
            if bits > 0 { result.append(alphabet[buffer << (6 - bits) & 63]) }
            return result
        }
    }

    private mutating func accept() -> String {
        source.pick([
            "", "application/json", "*/*", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            "application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=Table;v=v9;g=meta.k8s.io", "text/html",
            "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", ";;;,,,;=", "application/json;as", ",",
            "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", ProtobufDecoder.mediaType,
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", source.text(),
        ])
    }

    private mutating func contentType() -> String {
        source.pick([
            "", "application/json", "application/json; charset=utf-8", "application/yaml", ProtobufDecoder.mediaType,
            JSONPatch.mediaType, MergePatch.mediaType, StrategicMergePatch.mediaType, "application/apply-patch+yaml",
            ";", "APPLICATION/JSON", source.text(),
        ])
    }

    private mutating func mangled(_ path: String) -> String {
        var parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let index = source.number(0...parts.count)
        switch source.number(0...5) {
        case 0: parts.insert("", at: index)
        case 1: parts.insert(source.pick(["%2F", "%", "%G0", "%00", "%FF", "..", ".", "%2e%2e", "é", " "]), at: index)
        case 2: parts.insert(String(repeating: "a", count: source.pick([300, 5000, 100_000])), at: index)
        case 3 where !parts.isEmpty: parts.removeLast()
        case 4: parts += Array(repeating: "x", count: source.pick([1, 5, 2000]))
        default: return source.text()
        }
        return parts.joined(separator: "/")
    }
}
