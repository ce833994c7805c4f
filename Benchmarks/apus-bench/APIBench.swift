// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import KubeAPI
import KubeClient

/// Creates, gets, lists and watches 1 KiB ConfigMaps.
struct APIBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "api", abstract: "Load an API server.")

    @OptionGroup var server: ServerOptions
    @Option(help: "Clients at a time.") var clients = 8
    @Option(help: "Seconds for each measurement.") var seconds = 5
    @Option(help: "Watchers for the fan-out.") var watchers = 20
    @Option(help: "Changes to fan out.") var changes = 500

    func run() async throws {
        let result = try await server.withClient { client in
            let namespace = "bench-\(RandomID.suffix())"
            _ = try await client.create(.namespaces, KubeObject(.namespaces, name: namespace))
            let duration = Duration.seconds(seconds)
            let creates = try await Measurement.run(clients: clients, duration: duration) { worker, number in
                _ = try await client.create(.configMaps, Self.configMap(namespace, "c\(worker)-\(number)"))
            }
            let gets = try await Measurement.run(clients: clients, duration: duration) { worker, _ in
                let path = KubeResource.configMaps.path(namespace: namespace, name: "c\(worker)-0")
                _ = try await client.raw(path)
            }
            let single = try await Measurement.run(clients: 1, duration: duration) { worker, _ in
                _ = try await client.raw(KubeResource.configMaps.path(namespace: namespace, name: "c\(worker)-0"))
            }
            let list = try await Measurement.run(clients: 1, duration: duration) { _, _ in
                _ = try await client.raw(KubeResource.configMaps.path(namespace: namespace) + "?limit=1000")
            }
            let fanOut = try await fanOut(client, namespace)
            try await client.delete(.namespaces, ObjectKey(namespace: "", name: namespace))
            return [
                "clients": JSONValue(clients), "creates": creates.json, "gets": gets.json, "getOneClient": single.json,
                "list1000": list.json, "watch": fanOut,
            ] as JSONValue
        }
        print(result.text)
    }

    private static func configMap(_ namespace: String, _ name: String) -> KubeObject {
        var object = KubeObject(.configMaps, namespace: namespace, name: name)
        object["data"] = ["payload": .string(String(repeating: "x", count: 1024))]
        return object
    }

    /// Changes one object `changes` times while `watchers` watch; all must see all.
    private func fanOut(_ client: KubeClient, _ namespace: String) async throws -> JSONValue {
        let selection = KubeClient.Selection(fields: "metadata.name=watched")
        let start = try await client.list(.configMaps, namespace: namespace, selection: selection).resourceVersion
        let clock = ContinuousClock()
        let begin = clock.now
        let seen = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<watchers {
                group.addTask { [changes] in
                    var seen = 0
                    let events = try await client.watch(
                        .configMaps, namespace: namespace, selection: selection, resourceVersion: start)
                    for try await event in events {
                        if case .bookmark = event { continue }
                        seen += 1
                        if seen == changes { break }
                    }
                    return seen
                }
            }
            group.addTask { [changes] in
                var object = Self.configMap(namespace, "watched")
                _ = try await client.create(.configMaps, object)
                for number in 1..<changes {
                    object["data"]["number"] = .string(String(number))
                    _ = try await client.update(.configMaps, object)
                }
                return 0
            }
            return try await group.reduce(0, +)
        }
        let elapsed = (clock.now - begin).inSeconds
        return [
            "watchers": JSONValue(watchers), "changes": JSONValue(changes), "eventsSeen": JSONValue(seen),
            "eventsPerSecond": JSONValue((Double(seen) / elapsed).rounded()),
        ]
    }
}
