// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ContainerRuntimes
import Foundation
import KubeAPI
import KubeClient
import KubeServer
import KubeStore
import Logging

@testable import Kubelet

/// A node agent with a folder, a runtime and an API server of its own.
struct TestNode: Sendable {
    struct Timeout: Error {}

    /// The administrator's.
    let client: KubeClient
    private let own: KubeClient
    let runtime: ProcessRuntime
    let agent: NodeAgent
    private let folder: String
    /// The agent's own folder.
    var root: String { folder + "/node" }
    private let logger: Logger

    /// Runs a test; everything that it started is gone afterwards.
    static func run(
        usageInterval: Duration = .seconds(15), _ body: (TestNode) async throws -> Void
    ) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let folder = NSTemporaryDirectory() + "node-" + RandomID.uuid()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try compileShim(folder + "/shim")
        let store = try KubeStore(inMemory: StoreConfiguration(), logger: logger)
        let server = APIServer(store: store, logger: logger)
        try await server.bootstrap(host: "127.0.0.1", port: 6443)
        let client = KubeClient(transport: InProcessTransport(server: server), userAgent: "test")
        // The agent has the rights of a node and no more.
        let own = KubeClient(
            transport: InProcessTransport(server: server, user: .component("node:node")), userAgent: "kubelet")
        let node = TestNode(client: client, own: own, folder: folder, usageInterval: usageInterval, logger: logger)
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(node))
        } catch {
            result = .failure(error)
        }
        await node.agent.stopAll(grace: .zero)
        try? FileManager.default.removeItem(atPath: folder)
        try result.get()
    }

    private init(client: KubeClient, own: KubeClient, folder: String, usageInterval: Duration, logger: Logger) {
        self.client = client
        self.own = own
        self.folder = folder
        self.logger = logger
        runtime = ProcessRuntime(root: folder + "/runtime", shimCommand: [folder + "/shim"], logger: logger)
        var configuration = NodeAgentConfiguration(rootDirectory: folder + "/node", apusPath: folder + "/shim")
        configuration.podAddressPrefix = "127.79"
        configuration.usageInterval = usageInterval
        agent = NodeAgent(
            client: own, nodeName: "node", configuration: configuration, runtime: runtime,
            storageClient: client, logger: logger)
    }

    /// Another agent with another runtime on the same folder, as after the death of the first process.
    func restarted() throws -> TestNode {
        TestNode(client: client, own: own, folder: folder, usageInterval: .seconds(15), logger: logger)
    }

    /// Runs the agent beside `body`, and ends it after it. Gives up after three minutes.
    func whileAgentRuns(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await agent.run()
                return false
            }
            group.addTask {
                try await Task.sleep(for: .seconds(180))
                throw Timeout()
            }
            group.addTask {
                try await body()
                return true
            }
            while let isDone = try await group.next() {
                if isDone { break }
            }
            group.cancelAll()
        }
    }

    /// Follows the object of a name until it is as described or deleted; returns its last state, nil when deleted.
    @discardableResult
    func wait(
        _ resource: KubeResource, _ name: String, until isDone: @Sendable (KubeObject) -> Bool
    ) async throws -> KubeObject? {
        try await wait(resource, .init(fields: "metadata.name=\(name)"), until: isDone)
    }

    /// Follows objects until one is as described or deleted; returns its last state, nil when deleted.
    @discardableResult
    func wait(
        _ resource: KubeResource, _ selection: KubeClient.Selection, until isDone: @Sendable (KubeObject) -> Bool
    ) async throws -> KubeObject? {
        while true {
            let list = try await client.list(resource, selection: selection)
            for object in list.items where isDone(object) { return object }
            let events = try await client.watch(
                resource, selection: selection, resourceVersion: list.resourceVersion)
            for try await event in events {
                switch event {
                case .added(let object), .modified(let object): if isDone(object) { return object }
                case .deleted: return nil
                case .bookmark: break
                }
            }
        }
    }

    /// Returns once there is no object of a name, also when it has gone before anybody looked.
    func waitUntilGone(_ resource: KubeResource, _ name: String) async throws {
        let selection = KubeClient.Selection(fields: "metadata.name=\(name)")
        while true {
            let list = try await client.list(resource, selection: selection)
            if list.items.isEmpty { return }
            let events = try await client.watch(
                resource, selection: selection, resourceVersion: list.resourceVersion)
            for try await event in events {
                if case .deleted = event { return }
            }
        }
    }

    /// The running containers' main processes by pod name and container id.
    func processes() async -> [String: Int32] {
        var result: [String: Int32] = [:]
        for record in await runtime.containers() {
            if case .running(let pid, _) = record.state { result["\(record.spec.podName) \(record.spec.id)"] = pid }
        }
        return result
    }

    /// Returns once the condition holds; asked again at each change of a container.
    func waitForRuntime(_ condition: @Sendable () async -> Bool) async {
        let events = runtime.events()
        if await condition() { return }
        for await _ in events where await condition() { return }
    }

    /// Compiles the shim alone, so that no test depends on the whole product.
    private static func compileShim(_ path: String) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources/CProcessShim")
        let main = path + ".c"
        let code = "#include \"CProcessShim.h\"\nint main(int c, char **v) { return apus_shim_main(c, v); }\n"
        try Data(code.utf8).write(to: URL(filePath: main))
        let sources = try FileManager.default.contentsOfDirectory(atPath: root.path()).filter { $0.hasSuffix(".c") }
        let compiler = Process()
        compiler.executableURL = URL(filePath: "/usr/bin/env")
        compiler.arguments =
            ["cc", "-O1", "-o", path, "-I", root.appending(path: "include").path(), main]
            + sources.map { root.appending(path: $0).path() }
        try compiler.run()
        compiler.waitUntilExit()
        guard compiler.terminationStatus == 0 else { throw Timeout() }
    }
}
