// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Dispatch
import EventCoordination
import Logging

/// Keeps which ids of producers may have been given out, in `producer-ids.json`.
struct ProducerReservations: Sendable {
    private let path: String
    private let queue: DispatchQueue
    private let logger: Logger

    init(folder: String, queue: DispatchQueue, logger: Logger) {
        path = folder + "/producer-ids.json"
        self.queue = queue
        self.logger = logger
    }

    /// What was reserved before.
    /// - Throws: when the file cannot be read, or is damaged: ids could be given out twice.
    func load() async throws -> ProducerIDs {
        let path = path
        let bytes = try await queue.result { try Folder.read(path) }
        guard let bytes else { return ProducerIDs() }
        return ProducerIDs(reserved: try ProducerIDs.decode(bytes))
    }

    /// Returns whether a reservation is kept.
    func keep(_ reservation: Int64) async -> Bool {
        let path = path
        do {
            try await queue.result { try Folder.replace(path, with: ProducerIDs.encode(reservation: reservation)) }
            return true
        } catch {
            logger.error("ids of producers cannot be reserved", metadata: ["error": "\(error)"])
            return false
        }
    }
}
