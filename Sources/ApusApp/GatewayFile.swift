// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import GatewayController
import GatewayRules
import KubeAPI
import Logging
import YAMLFormat

/// Makes a gateway go by the objects of a YAML file, and by its changes.
struct GatewayFile: Sendable {
    private static let largest = 64 << 20

    let path: String
    let configuration: GatewayController.Configuration
    let apply: @Sendable (GatewaySnapshot) async -> [Int: String]
    let logger: Logger

    /// - Throws: `PlatformError` when it cannot be used at first; later the objects of before stay.
    func run(onSynced: @Sendable () async -> Void) async throws {
        var present = try read()
        try await take(present.objects, isFirst: true)
        await onSynced()
        while !Task.isCancelled {
            guard (try? await Task.sleep(for: .milliseconds(500))) != nil else { return }
            guard let changed = try? modified(), changed != present.time else { continue }
            do {
                present = try read()
                try await take(present.objects, isFirst: false)
                logger.info("\(path) has changed: the gateway goes by it")
            } catch {
                present.time = changed
                logger.warning("\(error)")
            }
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
        do throws(YAMLDocumentError) {
            let documents = try YAMLDocuments.parse(String(decoding: data, as: UTF8.self))
            let objects = documents.flatMap { document in
                document["kind"].string?.hasSuffix("List") == true && document["items"].array != nil
                    ? document["items"].elements : [document]
            }
            return (GatewayObjects(objects.filter { !$0.isNull }.map(KubeObject.init)), time)
        } catch {
            throw PlatformError("\(path) is no YAML of objects: \(error)")
        }
    }

    private func take(_ objects: GatewayObjects, isFirst: Bool) async throws {
        let translator = configuration.translator(now: .now())
        let translation = translator.translate(objects)
        if isFirst, translation.snapshot.listeners.isEmpty {
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
