// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension SemanticCheck {
    /// The most bytes that a ConfigMap's or Secret's values may have together.
    private static let maxDataBytes = 1024 * 1024

    mutating func configMap() {
        immutableData(["data", "binaryData"])
        var bytes = 0
        for field in ["data", "binaryData"] {
            for (key, value) in object[field].members.sorted(by: { $0.key < $1.key }) {
                errors.all(FieldPath(field).key(key), .string(key), NameRules.configKey(key))
                let length = value.string?.utf8.count ?? 0
                bytes += field == "data" ? length : length / 4 * 3
                if field == "data", !object["binaryData"][key].isNull {
                    errors.invalid(FieldPath("data").key(key), .string(key), "duplicate of key present in binaryData")
                }
            }
        }
        if bytes > Self.maxDataBytes { errors.tooLong("", Self.maxDataBytes) }
    }

    /// What secrets of upstream's types must hold.
    private static let requiredKeys = [
        "kubernetes.io/dockercfg": [".dockercfg"], "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
        "kubernetes.io/ssh-auth": ["ssh-privatekey"], "kubernetes.io/tls": ["tls.crt", "tls.key"],
    ]

    mutating func secret() {
        if let old { errors.immutable("type", object["type"], old["type"]) }
        immutableData(["data"])
        let data = object["data"]
        var bytes = 0
        for (key, value) in data.members.sorted(by: { $0.key < $1.key }) {
            errors.all(FieldPath("data").key(key), .string(key), NameRules.configKey(key))
            bytes += (value.string?.utf8.count ?? 0) / 4 * 3
        }
        if bytes > Self.maxDataBytes { errors.tooLong("data", Self.maxDataBytes) }
        let type = object["type"].string ?? ""
        for key in Self.requiredKeys[type] ?? [] {
            if data[key].isNull || (type == "kubernetes.io/ssh-auth" && data[key] == "") {
                errors.required(FieldPath("data").key(key))
            } else if type.hasPrefix("kubernetes.io/docker") {
                dockerConfig(key, data[key])
            }
        }
        if type == "kubernetes.io/basic-auth", data["username"].isNull, data["password"].isNull {
            errors.required("data[username]")
            errors.required("data[password]")
        }
        let account = "kubernetes.io/service-account.name"
        if type == "kubernetes.io/service-account-token",
            (object["metadata"]["annotations"][account].string ?? "").isEmpty
        {
            errors.required(FieldPath("metadata.annotations").key(account))
        }
    }

    private mutating func dockerConfig(_ key: String, _ value: JSONValue) {
        let path = FieldPath("data").key(key)
        guard let bytes = try? Base64.decode(value.string ?? "").get() else { return }
        do throws(JSONError) {
            if try JSONParser.parse(bytes).object == nil {
                errors.invalid(path, "<secret contents redacted>", "json: cannot unmarshal into Go value of type map")
            }
        } catch {
            errors.invalid(
                path, "<secret contents redacted>", bytes.isEmpty ? "unexpected end of JSON input" : "\(error)")
        }
    }

    private mutating func immutableData(_ fields: [String]) {
        guard let old, old["immutable"] == true else { return }
        if object["immutable"] != true {
            errors.forbidden("immutable", "field is immutable when `immutable` is set")
        }
        for field in fields where object[field] != old[field] {
            errors.forbidden(FieldPath(field), "field is immutable when `immutable` is set")
        }
    }
}
