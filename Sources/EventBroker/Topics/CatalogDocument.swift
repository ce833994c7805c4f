// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KafkaProtocol

/// What `topics.json` says.
struct CatalogDocument: Equatable {
    struct Entry: Equatable {
        var name: String
        var id: KafkaUUID
        var partitions: Int
        var settings: [String: String]
    }

    /// A file that cannot be used.
    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    private static let version: Int64 = 1

    var clusterID: String
    var topics: [Entry] = []

    init(clusterID: String) { self.clusterID = clusterID }

    /// Reads the file.
    /// - Throws: ``Problem`` when it is damaged or of a newer version.
    init(decoding bytes: [UInt8], path: String) throws {
        guard let json = try? JSONParser.parse(bytes), let version = json["version"].int,
            let clusterID = json["clusterID"].string
        else { throw Problem(description: "\(path) is damaged: restore it from a backup") }
        guard version <= Self.version else {
            throw Problem(
                description: "\(path) was written by a newer version of Apus (format \(version)): use that version")
        }
        self.init(clusterID: clusterID)
        for topic in json["topics"].elements {
            guard let name = topic["name"].string, TopicName.problem(name) == nil,
                let id = topic["id"].string.flatMap({ KafkaUUID($0) }),
                let partitions = topic["partitions"].int, (1...1_000_000).contains(partitions)
            else { throw Problem(description: "\(path) is damaged: restore it from a backup") }
            topics.append(
                Entry(
                    name: name, id: id, partitions: Int(partitions),
                    settings: topic["settings"].members.compactMapValues(\.string)))
        }
    }

    var encoded: [UInt8] {
        let document: JSONValue = [
            "version": .int(Self.version), "clusterID": .string(clusterID),
            "topics": .array(
                topics.sorted { $0.name < $1.name }.map { topic in
                    [
                        "name": .string(topic.name), "id": .string(topic.id.description),
                        "partitions": .int(Int64(topic.partitions)), "settings": JSONValue(topic.settings),
                    ]
                }),
        ]
        return Array(document.prettyText(indent: 2).utf8)
    }
}
