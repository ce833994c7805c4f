// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import Foundation
import KubeAPI
import KubeClient

extension ClientOptions {
    /// Runs `body` with a client, and turns its errors into one sentence and exit code 1.
    func withClient(_ body: (KubeClient, _ namespace: String) async throws -> Void) async throws {
        do {
            let file = try Settings().value("kubeconfig", kubeconfig) ?? Self.ownKubeconfig()
            let config = try Kubeconfig.load(path: file)
            let transport = try HTTPTransport(config)
            let result: Result<Void, any Error>
            do {
                result = .success(
                    try await body(
                        KubeClient(transport: transport, userAgent: "apus-cli"), namespace ?? config.namespace))
            } catch {
                result = .failure(error)
            }
            try await transport.shutdown()
            try result.get()
        } catch let error as StatusError {
            throw fail("Error from server (\(error.reason)): \(error.message)")
        } catch let error as any CustomStringConvertible & Error
            where error is KubeconfigError || error is ManifestError
        {
            throw fail(error.description)
        } catch is ExitCode {
            throw ExitCode(1)
        } catch {
            throw fail("the API server cannot be reached: \(error). Is 'apus up' running?")
        }
    }

    /// The kubeconfig that `apus up` writes by default, when nothing names another.
    private static func ownKubeconfig() -> String? {
        guard ProcessInfo.processInfo.environment["KUBECONFIG"] == nil else { return nil }
        let path = "\(HomeFolder.path)/.apus/kubeconfig"
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }
}

/// `apus get`.
struct GetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Show objects: 'apus get pods', 'apus get deployment web -o json'.")

    @OptionGroup var client: ClientOptions
    @Argument(help: "Resource type: pods, deploy, svc, …") var type: String
    @Argument(help: "Name of one object.") var name: String?
    @Option(name: .shortAndLong, help: "Label selector, such as app=web.") var selector: String?
    @Option(name: .shortAndLong, help: "table, wide, name or json.") var output = "table"
    @Flag(name: [.customShort("A"), .long], help: "All namespaces.") var allNamespaces = false

    func validate() throws {
        guard ["table", "wide", "name", "json"].contains(output) else {
            throw ValidationError("--output must be table, wide, name or json, not '\(output)'")
        }
    }

    func run() async throws {
        try await client.withClient { client, namespace in
            let resource = try await ResourceDiscovery(client: client).resource(named: type)
            let path = resource.path(namespace: allNamespaces ? "" : namespace, name: name)
            let query = selector.map { "?labelSelector=\(PercentEncoding.encode($0))" } ?? ""
            switch output {
            case "json":
                let bytes = try await client.raw(path + query)
                print(try JSONParser.parse(bytes).prettyText())
            default:
                let bytes = try await client.raw(
                    path + query, accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
                show(try JSONParser.parse(bytes), resource)
            }
        }
    }

    private func show(_ table: JSONValue, _ resource: KubeResource) {
        let rows = table["rows"].elements
        if output == "name" {
            for row in rows {
                print("\(resource.qualifiedName)/\(row["object"]["metadata"]["name"].string ?? "")")
            }
            return
        }
        let columns = table["columnDefinitions"].elements.enumerated().filter {
            output == "wide" || $0.element["priority"].int ?? 0 == 0
        }
        var lines = [columns.map { ($0.element["name"].string ?? "").uppercased() }]
        lines += rows.map { row in columns.map { text(row["cells"][$0.offset]) } }
        if allNamespaces, resource.isNamespaced {
            let namespaces = ["NAMESPACE"] + rows.map { $0["object"]["metadata"]["namespace"].string ?? "" }
            lines = zip(namespaces, lines).map { [$0] + $1 }
        }
        if rows.isEmpty {
            FileHandle.standardError.write(Data("No resources found.\n".utf8))
        } else {
            print(TextTable.render(lines))
        }
    }

    private func text(_ cell: JSONValue) -> String {
        cell.string ?? (cell.isNull ? "<none>" : cell.text)
    }
}

/// `apus apply`.
struct ApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Create or change objects to what manifests say.")

    @OptionGroup var client: ClientOptions
    @Option(name: [.customShort("f"), .customLong("filename")], help: "File, folder, or - for standard input.")
    var filename: String?
    @Option(name: [.short, .customLong("kustomize")], help: "Folder with a kustomization.yaml (resources, namespace).")
    var kustomize: String?

    func validate() throws {
        guard (filename == nil) != (kustomize == nil) else { throw ValidationError("give either -f or -k") }
    }

    func run() async throws {
        try await client.withClient { client, namespace in
            let objects = try load()
            let discovery = try await ResourceDiscovery(client: client)
            for object in objects {
                let (outcome, applied, resource) = try await client.apply(
                    object, discovery: discovery, defaultNamespace: namespace)
                print("\(resource.qualifiedName)/\(applied.name) \(outcome.rawValue)")
            }
        }
    }

    private func load() throws -> [KubeObject] {
        if let kustomize { return try ManifestLoader.kustomization(at: kustomize) }
        guard filename == "-" else { return try ManifestLoader.objects(at: filename ?? "") }
        let text = String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
        return try ManifestLoader.objects(in: text, source: "standard input")
    }
}

/// `apus delete`.
struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete an object, or those of manifests.")

    @OptionGroup var client: ClientOptions
    @Argument(help: "Resource type.") var type: String?
    @Argument(help: "Names.") var names: [String] = []
    @Option(name: [.customShort("f"), .customLong("filename")], help: "File or folder of manifests.")
    var filename: String?

    func validate() throws {
        guard (filename == nil) != (type == nil && names.isEmpty) else {
            throw ValidationError("give either a type and names, or -f")
        }
        if type != nil, names.isEmpty { throw ValidationError("give the names of what to delete") }
    }

    func run() async throws {
        try await client.withClient { client, namespace in
            let discovery = try await ResourceDiscovery(client: client)
            var targets: [(KubeResource, ObjectKey)] = []
            if let filename {
                for object in try ManifestLoader.objects(at: filename).reversed() {
                    let resource = try discovery.resource(apiVersion: object.apiVersion, kind: object.kind)
                    let space = object.namespace.isEmpty ? namespace : object.namespace
                    targets.append(
                        (resource, ObjectKey(namespace: resource.isNamespaced ? space : "", name: object.name)))
                }
            } else {
                let resource = try discovery.resource(named: type ?? "")
                targets = names.map {
                    (resource, ObjectKey(namespace: resource.isNamespaced ? namespace : "", name: $0))
                }
            }
            for (resource, key) in targets {
                // As kubectl does: without a policy the server keeps the pods of Jobs.
                try await client.delete(resource, key, .init(propagationPolicy: "Background"))
                print("\(resource.qualifiedName) \"\(key.name)\" deleted")
            }
        }
    }
}

/// `apus logs`.
struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Print the log of a pod's container.")

    @OptionGroup var client: ClientOptions
    @Argument(help: "Name of the pod.") var pod: String
    @Option(name: .shortAndLong, help: "Name of the container, if the pod has several.") var container: String?
    @Flag(name: .shortAndLong, help: "Go on while the container runs.") var follow = false
    @Flag(name: .shortAndLong, help: "The log of the container's run before this one.") var previous = false
    @Flag(help: "Start each line with its time.") var timestamps = false
    @Option(help: "Only the last lines.") var tail: Int?

    func run() async throws {
        try await client.withClient { client, namespace in
            var options: [(name: String, value: String)] = []
            if let container { options.append(("container", container)) }
            if let tail { options.append(("tailLines", String(tail))) }
            if follow { options.append(("follow", "true")) }
            if previous { options.append(("previous", "true")) }
            if timestamps { options.append(("timestamps", "true")) }
            let key = ObjectKey(namespace: namespace, name: pod)
            for try await chunk in try await client.log(key, options: options) {
                FileHandle.standardOutput.write(Data(chunk))
            }
        }
    }
}

/// Text in columns.
enum TextTable {
    /// Rows as lines; each column is as wide as its longest cell, three spaces apart.
    static func render(_ rows: [[String]]) -> String {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { index, cell in
                index == row.count - 1
                    ? cell : cell.padding(toLength: widths[index] + 3, withPad: " ", startingAt: 0)
            }
            return cells.joined()
        }.joined(separator: "\n")
    }
}
