// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// What a service account does to the pods that run as it.
///
/// Source: Kubernetes "Managing Service Accounts", ServiceAccount admission controller; "Configure Service Accounts for
/// Pods".
package enum ServiceAccountRules {
    /// The account of pods that name none.
    package static let defaultName = "default"
    /// Where programs look for their token.
    package static let mountPath = "/var/run/secrets/kubernetes.io/serviceaccount"
    /// The ConfigMap with the cluster's CA, which every namespace has.
    package static let rootCertificate = "kube-root-ca.crt"
    /// Lifetime of the token in seconds: an hour, and a little that tells it apart from what users write.
    private static let tokenSeconds = 3607
    private static let volumePrefix = "kube-api-access-"
    private static let mirrorAnnotation = "kubernetes.io/config.mirror"

    /// What matters of a service account.
    package struct Account: Sendable, Equatable {
        package var automounts: Bool?
        package var imagePullSecrets: JSONValue
        /// The secrets that its pods may use; nil for all.
        package var mountableSecrets: Set<String>?

        package init(_ object: KubeObject) {
            automounts = object["automountServiceAccountToken"].bool
            imagePullSecrets = object["imagePullSecrets"]
            if object.annotations["kubernetes.io/enforce-mountable-secrets"] == "true" {
                mountableSecrets = Set(object["secrets"].elements.compactMap { $0["name"].string })
            }
        }
    }

    /// Whether the pod stands for one that a node agent runs of its own accord.
    package static func isMirror(_ pod: KubeObject) -> Bool { pod.annotations[mirrorAnnotation] != nil }

    /// The account that the pod names; fills in the default one.
    package static func name(_ pod: inout KubeObject) -> String {
        var name = pod.spec["serviceAccountName"].string ?? ""
        if name.isEmpty { name = defaultName }
        pod.spec["serviceAccountName"] = .string(name)
        pod.spec["serviceAccount"] = .string(name)
        return name
    }

    /// Gives a pod what its account provides: the token volume, unless either declines it, and image pull secrets.
    /// The volume's name ends in the suffix, five random letters.
    package static func apply(_ account: Account, to pod: inout KubeObject, suffix: String) {
        if pod.spec["automountServiceAccountToken"].bool ?? account.automounts ?? true {
            mountToken(in: &pod, suffix: suffix)
        }
        if pod.spec["imagePullSecrets"].isEmpty, !account.imagePullSecrets.isEmpty {
            pod.spec["imagePullSecrets"] = account.imagePullSecrets
        }
    }

    private static func mountToken(in pod: inout KubeObject, suffix: String) {
        let present = pod.spec["volumes"].elements.lazy.compactMap(\.["name"].string)
            .first { $0.hasPrefix(volumePrefix) }
        let name = present ?? volumePrefix + suffix
        let mount: JSONValue = ["name": .string(name), "readOnly": true, "mountPath": .string(mountPath)]
        var isNeeded = false
        for list in ["initContainers", "containers"] {
            for index in pod.spec[list].elements.indices {
                var mounts = pod.spec[list][index]["volumeMounts"].elements
                // A mount of one's own at that place wins.
                guard !mounts.contains(where: { $0["mountPath"].string == mountPath }) else { continue }
                mounts.append(mount)
                pod.spec[list][index]["volumeMounts"] = .array(mounts)
                isNeeded = true
            }
        }
        if present == nil, isNeeded { pod.spec["volumes"] = .array(pod.spec["volumes"].elements + [volume(name)]) }
    }

    private static func volume(_ name: String) -> JSONValue {
        [
            "name": .string(name),
            "projected": [
                "defaultMode": 420,
                "sources": [
                    ["serviceAccountToken": ["expirationSeconds": JSONValue(tokenSeconds), "path": "token"]],
                    [
                        "configMap": [
                            "name": .string(rootCertificate), "items": [["key": "ca.crt", "path": "ca.crt"]],
                        ]
                    ],
                    [
                        "downwardAPI": [
                            "items": [
                                [
                                    "path": "namespace",
                                    "fieldRef": ["apiVersion": "v1", "fieldPath": "metadata.namespace"],
                                ]
                            ]
                        ]
                    ],
                ],
            ],
        ]
    }

    /// Why a mirror pod is refused; nil when it is not.
    package static func refusal(ofMirror pod: KubeObject) -> String? {
        if !(pod.spec["serviceAccountName"].string ?? "").isEmpty {
            return "a mirror pod may not reference service accounts"
        }
        if !secrets(of: pod).isEmpty { return "a mirror pod may not reference secrets" }
        let hasToken = pod.spec["volumes"].elements.contains { volume in
            volume["projected"]["sources"].elements.contains { !$0["serviceAccountToken"].isNull }
        }
        return hasToken
            ? "a mirror pod may not use ServiceAccountToken volume projections" : nil
    }

    /// Why an account that names its secrets does not admit a pod; nil when it does.
    package static func refusal(of pod: KubeObject, account: Account, named name: String) -> String? {
        guard let allowed = account.mountableSecrets else { return nil }
        for volume in pod.spec["volumes"].elements {
            guard let secret = volume["secret"]["secretName"].string, !allowed.contains(secret) else { continue }
            return "volume with secret.secretName=\"\(secret)\" is not allowed because service account \(name) does "
                + "not reference that secret"
        }
        for container in containers(of: pod) {
            for variable in container["env"].elements {
                guard let secret = variable["valueFrom"]["secretKeyRef"]["name"].string, !allowed.contains(secret)
                else { continue }
                return "container \(container["name"].string ?? "") with envVar \(variable["name"].string ?? "") "
                    + "referencing secret.secretName=\"\(secret)\" is not allowed because service account \(name) does "
                    + "not reference that secret"
            }
        }
        return nil
    }

    private static func containers(of pod: KubeObject) -> [JSONValue] {
        ["initContainers", "containers", "ephemeralContainers"].flatMap { pod.spec[$0].elements }
    }

    private static func secrets(of pod: KubeObject) -> [String] {
        pod.spec["volumes"].elements.compactMap { $0["secret"]["secretName"].string }
            + containers(of: pod).flatMap { container in
                container["env"].elements.compactMap { $0["valueFrom"]["secretKeyRef"]["name"].string }
                    + container["envFrom"].elements.compactMap { $0["secretRef"]["name"].string }
            }
    }
}
