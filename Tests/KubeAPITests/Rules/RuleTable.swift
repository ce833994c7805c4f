// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

/// One rule of validation: an object that is valid, one change, and what is said about it.
struct Rule: Sendable, CustomTestStringConvertible {
    let kind: String
    /// Where the change is made: `spec.containers[0].image`, keys with dots in quotes.
    let path: String
    let value: JSONValue
    /// Where the fault is found.
    let field: String
    let message: String
    /// Further changes.
    var others: [(String, JSONValue)] = []
    /// For an update: what is changed of the object before it is changed as above.
    var before: [(String, JSONValue)]?

    init(
        _ kind: String, _ path: String, _ value: JSONValue, at field: String? = nil, _ message: String,
        with others: [(String, JSONValue)] = [], updating before: [(String, JSONValue)]? = nil
    ) {
        self.kind = kind
        self.path = path
        self.value = value
        self.field = field ?? path
        self.message = message
        self.others = others
        self.before = before
    }

    var testDescription: String { "\(kind) \(path) \(value.text.prefix(60))" }

    /// Makes the change and compares what is said.
    func check() throws {
        let (kind, base) = try Base.object(kind)
        var valid = base
        for (path, value) in before ?? [] { try valid.set(path, value) }
        let fine = try Base.completed(valid, kind)
        #expect(
            ObjectValidation.semantic(fine, kind).map { "\($0.field): \($0.message)" } == [], "the base is not valid")
        var changed = valid
        for (path, value) in others { try changed.set(path, value) }
        try changed.set(path, value)
        let object = try Base.completed(changed, kind)
        let causes = ObjectValidation.semantic(object, kind, old: before.map { _ in fine })
        #expect(
            causes.contains { $0.field == field && $0.message == message },
            "said instead: \(causes.map { "\($0.field): \($0.message)" })")
        #expect(causes.count <= 4, "one change has many faults: \(causes.map(\.field))")
    }
}

/// What is said of names.
enum Said {
    static let label = """
        a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end \
        with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
        '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        """
    static let subdomain = """
        a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start \
        and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
        '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        """
    static let qualified = """
        name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
        alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
        '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        """
    static let labelValue = """
        a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start \
        and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
        validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')
        """
    static let configKey = """
        a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  \
        or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')
        """
    static let port = "must be between 1 and 65535, inclusive"
    static let notNegative = "must be greater than or equal to 0"
    static let address = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
    static let network = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    static let mode = "must be a number between 0 and 0777 (octal), both inclusive"
    static func invalid(_ value: String, _ why: String) -> String { "Invalid value: \"\(value)\": \(why)" }
    static func unsupported(_ value: String, _ supported: String...) -> String {
        "Unsupported value: \"\(value)\": supported values: "
            + supported.map { "\"\($0)\"" }.joined(separator: ", ")
    }
}

/// A valid object of each kind.
enum Base {
    private static let template = #"{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}"#

    private static let texts: [String: (apiVersion: String, json: String)] = [
        "Pod": (
            "v1",
            #"""
            {"spec":{"containers":[{"name":"c","image":"i","ports":[{"containerPort":80}],
              "env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}],
              "envFrom":[{"configMapRef":{"name":"m"}}],
              "volumeMounts":[{"name":"v","mountPath":"/v"}],
              "livenessProbe":{"httpGet":{"path":"/","port":80}},
              "readinessProbe":{"tcpSocket":{"port":80}},
              "lifecycle":{"preStop":{"exec":{"command":["x"]}}},
              "securityContext":{},"resources":{}}],
             "initContainers":[{"name":"n","image":"i"}],
             "volumes":[{"name":"v","emptyDir":{}},{"name":"m","configMap":{"name":"m","items":[{"key":"k","path":"p"}]}},
              {"name":"d","downwardAPI":{"items":[{"path":"p","fieldRef":{"fieldPath":"metadata.labels"}}]}},
              {"name":"p","projected":{"sources":[{"serviceAccountToken":{"path":"t"}}]}},
              {"name":"s","secret":{"secretName":"s"}},{"name":"h","hostPath":{"path":"/x"}},
              {"name":"c","persistentVolumeClaim":{"claimName":"c"}}],
             "tolerations":[{"key":"k","operator":"Exists"}],
             "topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"z","whenUnsatisfiable":"DoNotSchedule",
              "labelSelector":{"matchLabels":{"a":"b"}}}],
             "affinity":{"nodeAffinity":{
               "requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
                 {"matchExpressions":[{"key":"k","operator":"In","values":["v"]}],
                  "matchFields":[{"key":"metadata.name","operator":"In","values":["n"]}]}]},
               "preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"preference":{}}]},
              "podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"z"}],
               "preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"podAffinityTerm":{"topologyKey":"z"}}]}},
             "serviceAccountName":"a"}}
            """#
        ),
        "Deployment": ("apps/v1", #"{"spec":{"selector":{"matchLabels":{"a":"b"}},"template":"# + template + "}}"),
        "ReplicaSet": ("apps/v1", #"{"spec":{"selector":{"matchLabels":{"a":"b"}},"template":"# + template + "}}"),
        "PodTemplate": ("v1", #"{"template":"# + template + "}"),
        "ReplicationController": ("v1", #"{"spec":{"selector":{"a":"b"},"template":"# + template + "}}"),
        "Service": ("v1", #"{"spec":{"selector":{"a":"b"},"ports":[{"name":"p","port":80}]}}"#),
        "ConfigMap": ("v1", #"{"data":{"k":"v"}}"#),
        "Secret": ("v1", #"{"type":"Opaque","data":{"k":"dg=="}}"#),
        "PersistentVolumeClaim": (
            "v1", #"{"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}"#
        ),
        "PersistentVolume": (
            "v1",
            #"{"spec":{"accessModes":["ReadWriteOnce"],"capacity":{"storage":"1Gi"},"hostPath":{"path":"/x"}}}"#
        ),
        "Endpoints": (
            "v1", #"{"subsets":[{"addresses":[{"ip":"10.0.0.1"}],"ports":[{"name":"p","port":80}]}]}"#
        ),
        "EndpointSlice": (
            "discovery.k8s.io/v1",
            #"{"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"]}],"ports":[{"name":"p","port":80}]}"#
        ),
        "Lease": ("coordination.k8s.io/v1", #"{"spec":{"leaseDurationSeconds":1}}"#),
        "Ingress": (
            "networking.k8s.io/v1",
            #"""
            {"spec":{"defaultBackend":{"service":{"name":"s","port":{"number":80}}},"tls":[{"hosts":["a.b"]}],
             "rules":[{"host":"a.b","http":{"paths":[{"path":"/","pathType":"Prefix",
              "backend":{"service":{"name":"s","port":{"number":80}}}}]}}]}}
            """#
        ),
        "IngressClass": ("networking.k8s.io/v1", #"{"spec":{"controller":"a.b/c"}}"#),
        "NetworkPolicy": (
            "networking.k8s.io/v1",
            #"""
            {"spec":{"podSelector":{},"policyTypes":["Ingress"],"ingress":[{"ports":[{"port":80}],
             "from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16"]}}]}],
             "egress":[{"to":[{"podSelector":{"matchLabels":{"a":"b"}}}]}]}}
            """#
        ),
        "StorageClass": ("storage.k8s.io/v1", #"{"provisioner":"a.b/c"}"#),
        "VolumeAttributesClass": ("storage.k8s.io/v1", #"{"driverName":"a.b","parameters":{"k":"v"}}"#),
        "CSIDriver": ("storage.k8s.io/v1", #"{"spec":{"attachRequired":true}}"#),
        "CSINode": ("storage.k8s.io/v1", #"{"spec":{"drivers":[{"name":"a.b","nodeID":"n"}]}}"#),
        "VolumeAttachment": (
            "storage.k8s.io/v1",
            #"{"spec":{"attacher":"a.b","nodeName":"n","source":{"persistentVolumeName":"p"}}}"#
        ),
        "ResourceQuota": ("v1", #"{"spec":{"hard":{"pods":"1"}}}"#),
        "LimitRange": (
            "v1", #"{"spec":{"limits":[{"type":"Container","min":{"cpu":"1"},"max":{"cpu":"2"}}]}}"#
        ),
        "PriorityClass": ("scheduling.k8s.io/v1", #"{"value":1}"#),
        "RuntimeClass": ("node.k8s.io/v1", #"{"handler":"h"}"#),
        "Node": ("v1", #"{"spec":{"taints":[{"key":"k","effect":"NoSchedule"}]},"status":{"capacity":{"cpu":"1"}}}"#),
        "Namespace": ("v1", "{}"),
        "ServiceAccount": ("v1", "{}"),
    ]

    static func object(_ kind: String) throws -> (GroupVersionKind, JSONValue) {
        let text = try #require(texts[kind], "no base for \(kind)")
        var json = try JSONParser.parse(text.json)
        if json["metadata"].isNull { json["metadata"] = ["name": "x"] }
        return (GroupVersionKind(apiVersion: text.apiVersion, kind: kind), json)
    }

    /// As the server has it before it validates.
    static func completed(_ json: JSONValue, _ kind: GroupVersionKind) throws -> JSONValue {
        let type = try #require(Schema.builtIn.type(kind))
        let report = ObjectValidation.check(json, type: type)
        #expect(
            report.typeErrors.isEmpty && report.unknownFields.isEmpty, "\(report.typeErrors + report.unknownFields)")
        var object = report.object
        Defaults.apply(&object, kind)
        return object
    }
}

extension JSONValue {
    /// Sets the member at a path; lists are as long as they have to be.
    mutating func set(_ path: String, _ value: JSONValue) throws {
        var steps: [String] = []
        var current = ""
        var isQuoted = false
        for character in path {
            switch character {
            case "\"": isQuoted.toggle()
            case ".",
                "[" where !isQuoted:
                if !isQuoted {
                    if !current.isEmpty { steps.append(current) }; current = ""
                } else {
                    current.append(character)
                }
            case "]" where !isQuoted:
                steps.append("#" + current)
                current = ""
            default: current.append(character)
            }
        }
        if !current.isEmpty { steps.append(current) }
        set(steps[...], value)
    }

    private mutating func set(_ steps: ArraySlice<String>, _ value: JSONValue) {
        guard let step = steps.first else {
            self = value
            return
        }
        guard step.hasPrefix("#"), let index = Int(step.dropFirst()) else {
            let key = step.hasPrefix("#") ? String(step.dropFirst()) : step
            var member = self[key]
            member.set(steps.dropFirst(), value)
            // An explicit null stays: it is how a value is taken away.
            self[key] = member
            return
        }
        var elements = self.elements
        while elements.count <= index { elements.append([:]) }
        elements[index].set(steps.dropFirst(), value)
        self = .array(elements)
    }
}
