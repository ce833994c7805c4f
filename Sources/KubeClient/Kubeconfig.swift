// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import YAMLFormat

/// Why a kubeconfig cannot be used.
package struct KubeconfigError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// How to reach an API server and as whom: the current context of a kubeconfig file (client-go `Config` v1).
///
/// Client certificates and tokens are supported, inline or in files; exec plugins are not.
package struct Kubeconfig: Sendable {
    /// URL such as `https://127.0.0.1:6443`.
    package var server: String
    /// PEM.
    package var certificateAuthority: [UInt8]?
    /// PEM.
    package var clientCertificate: [UInt8]?
    /// PEM.
    package var clientKey: [UInt8]?
    package var token: String?
    /// File with the token, read again as it is renewed; wins over ``token``.
    package var tokenFile: String?
    package var skipsTLSVerification = false
    /// Namespace of the context.
    package var namespace: String = "default"

    package init(server: String) { self.server = server }

    /// Reads the file given, else the first of `$KUBECONFIG` that exists, else `~/.kube/config`.
    package static func load(path: String?) throws(KubeconfigError) -> Kubeconfig {
        let environment = ProcessInfo.processInfo.environment
        let fromEnvironment = (environment["KUBECONFIG"] ?? "").split(separator: ":").map(String.init)
        let candidates =
            path.map { [$0] }
            ?? (fromEnvironment.isEmpty ? ["\(HomeFolder.path)/.kube/config"] : fromEnvironment)
        guard let file = candidates.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
            throw KubeconfigError("no kubeconfig at \(candidates.joined(separator: ", ")): start one with 'apus up'")
        }
        guard let data = FileManager.default.contents(atPath: file) else {
            throw KubeconfigError("the kubeconfig \(file) cannot be read")
        }
        return try Kubeconfig(yaml: String(decoding: data, as: UTF8.self), file: file)
    }

    /// How a pod reaches the API server: by the Service `kubernetes`, as its service account. The process runtime gives
    /// the account's folder in `APUS_SERVICE_ACCOUNT`.
    /// - Throws: ``KubeconfigError`` outside of pods.
    package static func inPod() throws(KubeconfigError) -> Kubeconfig {
        let environment = ProcessInfo.processInfo.environment
        let folder = environment["APUS_SERVICE_ACCOUNT"] ?? "/var/run/secrets/kubernetes.io/serviceaccount"
        guard let host = environment["KUBERNETES_SERVICE_HOST"], let port = environment["KUBERNETES_SERVICE_PORT"],
            FileManager.default.fileExists(atPath: "\(folder)/token")
        else { throw KubeconfigError("this is no pod with a service account: give --kubeconfig") }
        var config = Kubeconfig(server: "https://\(host.contains(":") ? "[\(host)]" : host):\(port)")
        config.certificateAuthority = FileManager.default.contents(atPath: "\(folder)/ca.crt").map { [UInt8]($0) }
        config.tokenFile = "\(folder)/token"
        if let data = FileManager.default.contents(atPath: "\(folder)/namespace"),
            let namespace = String(validating: data, as: UTF8.self), !namespace.isEmpty
        {
            config.namespace = namespace
        }
        return config
    }

    /// Reads the text of a kubeconfig; `file` is where relative paths start and what errors name.
    package init(yaml: String, file: String) throws(KubeconfigError) {
        let document: JSONValue
        do {
            document = try YAMLDocuments.parse(yaml).first ?? .null
        } catch {
            throw KubeconfigError("the kubeconfig \(file) is not valid: \(error)")
        }
        func entry(_ list: String, _ name: JSONValue) -> JSONValue {
            document[list].elements.first { $0["name"] == name } ?? .null
        }
        let context = entry("contexts", document["current-context"])["context"]
        let cluster = entry("clusters", context["cluster"])["cluster"]
        let user = entry("users", context["user"])["user"]
        guard let server = cluster["server"].string else {
            throw KubeconfigError("the kubeconfig \(file) has no server for its current-context")
        }
        self.init(server: server)
        let folder = (file as NSString).deletingLastPathComponent
        func bytes(_ object: JSONValue, _ key: String) throws(KubeconfigError) -> [UInt8]? {
            if let text = object["\(key)-data"].string {
                guard let data = Data(base64Encoded: text) else {
                    throw KubeconfigError("\(key)-data in the kubeconfig \(file) is not base64")
                }
                return Array(data)
            }
            guard let path = object[key].string else { return nil }
            let absolute = path.hasPrefix("/") ? path : "\(folder)/\(path)"
            guard let data = FileManager.default.contents(atPath: absolute) else {
                throw KubeconfigError("\(key) of the kubeconfig \(file) cannot be read: \(absolute)")
            }
            return Array(data)
        }
        certificateAuthority = try bytes(cluster, "certificate-authority")
        clientCertificate = try bytes(user, "client-certificate")
        clientKey = try bytes(user, "client-key")
        token = user["token"].string
        tokenFile = user["tokenFile"].string
        skipsTLSVerification = cluster["insecure-skip-tls-verify"].bool ?? false
        namespace = context["namespace"].string ?? "default"
    }
}
