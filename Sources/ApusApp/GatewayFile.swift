// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import GatewayController
import GatewayRules
import KubeAPI
import Logging
import UnixSignals
import YAMLFormat

/// Makes a gateway go by the objects of a YAML file, and by its changes: it looks twice a second, and on SIGHUP.
///
/// Beside the objects of an API server it may have `Upstream`, see ``UpstreamShorthand``; classes need not be there.
struct GatewayFile: Sendable {
    private static let largest = 64 << 20

    let path: String
    let configuration: GatewayController.Configuration
    let apply: @Sendable (GatewaySnapshot) async -> [Int: PortFault]
    let logger: Logger

    /// - Throws: `PlatformError` when it cannot be used at first; later the objects of before stay.
    func run(onSynced: @Sendable () async -> Void) async throws {
        // Before it is ready: until then a SIGHUP ends the program.
        let hangups = await UnixSignalsSequence(trapping: .sighup)
        let first = try read()
        var present = first.time
        try await take(first.objects)
        await onSynced()
        let (looks, continuation) = AsyncStream<Bool>.makeStream(bufferingPolicy: .bufferingNewest(4))
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in hangups { continuation.yield(true) }
            }
            group.addTask {
                while (try? await Task.sleep(for: .milliseconds(500))) != nil { continuation.yield(false) }
                continuation.finish()
            }
            for await isAsked in looks {
                guard isAsked || (try? modified()).map({ $0 != present }) ?? false else { continue }
                present = try? modified()
                do {
                    try await take(read().objects)
                    logger.info("\(path) was read again: the gateway goes by it")
                } catch {
                    logger.warning("\(error): the gateway goes on by what it had")
                }
            }
            group.cancelAll()
        }
    }

    private func modified() throws -> Date? {
        try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
    }

    private func read() throws -> (objects: GatewayObjects, time: Date?) {
        let time = try? modified()
        guard let data = FileManager.default.contents(atPath: path), data.count <= Self.largest else {
            throw PlatformError("\(path) cannot be read: is it there, and no larger than 64 MiB?")
        }
        do {
            let documents = try YAMLDocuments.parse(String(decoding: data, as: UTF8.self))
            var objects: [KubeObject] = []
            for document in documents {
                let isList = document["kind"].string?.hasSuffix("List") == true && document["items"].array != nil
                for item in isList ? document["items"].elements : [document] where !item.isNull {
                    objects += try UpstreamShorthand.objects(item) ?? [KubeObject(item)]
                }
            }
            return (GatewayObjects(objects + classes(for: objects)), time)
        } catch let error as PlatformError {
            throw error
        } catch {
            throw PlatformError("\(path) is no YAML of objects: \(error)")
        }
    }

    /// Gateways of a file are this program's: their class need not be there.
    private func classes(for objects: [KubeObject]) -> [KubeObject] {
        let present = Set(objects.filter { $0.kind == "GatewayClass" }.map(\.name))
        let wanted = Set(objects.filter { $0.kind == "Gateway" }.map { $0.spec["gatewayClassName"].string ?? "" })
        return wanted.subtracting(present).sorted().map { name in
            KubeObject([
                "apiVersion": .string("\(GatewayObjects.group)/v1"), "kind": "GatewayClass",
                "metadata": ["name": .string(name)],
                "spec": ["controllerName": .string(configuration.controllerName)],
            ])
        }
    }

    /// - Throws: `PlatformError` for objects that no port would be open by: what is read while it is written, perhaps.
    private func take(_ objects: GatewayObjects) async throws {
        let translator = configuration.translator(now: .now())
        let translation = translator.translate(objects)
        if translation.snapshot.listeners.isEmpty {
            throw PlatformError("\(path) has no Gateway with a listener that can be used\(Self.reasons(translation))")
        }
        let faults = await apply(translation.snapshot)
        // There is no status to say it in.
        let reasons = Self.reasons(faults.isEmpty ? translation : translator.translate(objects, faults: faults))
        if !reasons.isEmpty { logger.warning("\(path)\(reasons)") }
    }

    /// What the statuses would say is wrong.
    private static func reasons(_ translation: GatewayTranslation) -> String {
        var found: [String] = []
        for status in translation.statuses {
            let lists = [status.status] + ["listeners", "parents", "ancestors"].flatMap { status.status[$0].elements }
            for condition in lists.flatMap({ $0["conditions"].elements }) {
                let isGood = ["Conflicted", "PartiallyInvalid"].contains(condition["type"].string) ? "False" : "True"
                guard condition["status"].string != isGood else { continue }
                found.append(
                    "\(status.kind) \(status.key): \(condition["type"].string ?? "") \(condition["reason"].string ?? "")"
                        + " \(condition["message"].string ?? "")")
            }
        }
        return found.isEmpty ? "" : ": " + found.joined(separator: "; ")
    }
}

/// `kind: Upstream` with `spec: {port: 80, endpoints: [HOST:PORT, ...], http2: false}`: a Service and its EndpointSlices.
/// Annotations are those of a Service.
enum UpstreamShorthand {
    /// - Returns: nil for an object of another kind.
    static func objects(_ item: JSONValue) throws(PlatformError) -> [KubeObject]? {
        guard item["kind"].string == "Upstream" else { return nil }
        let name = item["metadata"]["name"].string ?? ""
        var metadata = item["metadata"].members
        metadata["namespace"] = .string(item["metadata"]["namespace"].string ?? "default")
        var port: JSONValue = ["name": "main", "port": JSONValue(item["spec"]["port"].int ?? 80)]
        if item["spec"]["http2"].bool == true { port["appProtocol"] = "kubernetes.io/h2c" }
        var result = [
            KubeObject([
                "apiVersion": "v1", "kind": "Service", "metadata": .object(metadata), "spec": ["ports": [port]],
            ])
        ]
        for (index, endpoint) in item["spec"]["endpoints"].elements.enumerated() {
            guard let text = endpoint.string, let colon = text.lastIndex(of: ":"),
                let number = Int(text[text.index(after: colon)...]), (1...65535).contains(number)
            else { throw PlatformError("endpoints of Upstream \(name) must be HOST:PORT") }
            let host = text[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
            result.append(
                KubeObject([
                    "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                    "metadata": [
                        "name": .string("\(name)-\(index)"), "namespace": metadata["namespace"] ?? "default",
                        "labels": ["kubernetes.io/service-name": .string(name)],
                    ],
                    "addressType": host.contains(":") ? "IPv6" : "IPv4",
                    "ports": [["name": "main", "port": JSONValue(number)]],
                    "endpoints": [["addresses": [.string(host)], "conditions": ["ready": true]]],
                ]))
        }
        return result
    }
}
