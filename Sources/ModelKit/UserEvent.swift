// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Something a user did with a movie: rated it or looked at it.
package struct UserEvent: Sendable, Hashable {
    /// What was done.
    package enum Kind: String, Sendable {
        /// Gave it stars.
        case rating
        /// Opened its page.
        case view
    }

    /// What was done.
    package var kind: Kind
    /// The user's identifier.
    package var user: Int64
    /// The movie's identifier.
    package var movie: Int64
    /// Stars, 0.5 to 5 in half steps; 0 for a view.
    package var rating: Float
    /// Seconds since the Unix epoch.
    package var timestamp: Int64
    /// The place in the log, from 1; 0 before it is stored.
    package var sequence: Int64

    /// An event.
    package init(
        kind: Kind, user: Int64, movie: Int64, rating: Float = 0, timestamp: Int64, sequence: Int64 = 0
    ) {
        self.kind = kind
        self.user = user
        self.movie = movie
        self.rating = rating
        self.timestamp = timestamp
        self.sequence = sequence
    }

    /// The event as JSON.
    package var json: JSONValue {
        var value: JSONValue = [
            "type": .string(kind.rawValue), "user": .int(user), "movie": .int(movie), "timestamp": .int(timestamp),
        ]
        if sequence > 0 { value["sequence"] = .int(sequence) }
        if kind == .rating { value["rating"] = .double(Double(rating)) }
        return value
    }

    /// Reads one line of an event log, as `json` wrote it; nil for anything else.
    package init?(line: some Sequence<UInt8>) {
        guard let value = try? JSONParser.parse(line, maxDepth: 2),
            let kind = value["type"].string.flatMap(Kind.init(rawValue:)), let user = value["user"].int,
            let movie = value["movie"].int, let timestamp = value["timestamp"].int,
            let sequence = value["sequence"].int
        else { return nil }
        self.init(
            kind: kind, user: Int64(user), movie: Int64(movie), rating: Float(value["rating"].double ?? 0),
            timestamp: Int64(timestamp), sequence: Int64(sequence))
    }
}

/// Why a request's events are refused.
package struct EventError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was wrong, where, and what was expected.
    package let description: String
}

/// Reads and checks the events of a request: one JSON object, or an array of up to `maxCount` of them.
package enum EventDecoder {
    /// The most events of one request.
    package static let maxCount = 1000
    /// The greatest identifier: what a JSON number holds exactly everywhere.
    package static let maxID = Int64(1) << 53

    /// The events of `body`, all of them or none.
    ///
    /// - Parameters:
    ///   - body: JSON text.
    ///   - kind: what the events are; an object has `user`, `movie`, for a rating `rating`, optionally `timestamp`.
    ///   - now: seconds since the Unix epoch: the timestamp of events without one.
    /// - Returns: the events in the order of the body.
    /// - Throws: `EventError` that names the first fault.
    package static func decode(
        _ body: some Sequence<UInt8>, kind: UserEvent.Kind, now: Int64
    ) throws(EventError) -> [UserEvent] {
        let value: JSONValue
        do {
            value = try JSONParser.parse(body, maxDepth: 4)
        } catch {
            throw EventError(description: error.description)
        }
        switch value {
        case .object: return [try event(value, kind, now, path: "")]
        case .array(let elements):
            guard !elements.isEmpty else { throw EventError(description: "the list of events is empty") }
            guard elements.count <= maxCount else {
                throw EventError(description: "\(elements.count) events, at most \(maxCount) in one request")
            }
            var events: [UserEvent] = []
            for (index, element) in elements.enumerated() {
                events.append(try event(element, kind, now, path: "[\(index)]."))
            }
            return events
        default: throw EventError(description: "expected an object or an array, found a \(value.typeName)")
        }
    }

    private static func event(
        _ value: JSONValue, _ kind: UserEvent.Kind, _ now: Int64, path: String
    ) throws(EventError) -> UserEvent {
        guard let members = value.object else {
            throw EventError(description: "\(path.dropLast()): expected an object, found a \(value.typeName)")
        }
        let known: Set = kind == .rating ? ["user", "movie", "rating", "timestamp"] : ["user", "movie", "timestamp"]
        for key in members.keys.sorted() where !known.contains(key) {
            throw EventError(
                description:
                    "\(path)\(key.prefix(64)): unknown field, expected \(known.sorted().joined(separator: ", "))")
        }
        func identifier(_ key: String) throws(EventError) -> Int64 {
            guard let id = value[key].int, (1...maxID).contains(Int64(id)) else {
                throw EventError(description: "\(path)\(key): expected a whole number from 1 to 2^53")
            }
            return Int64(id)
        }
        var timestamp = now
        if !value["timestamp"].isNull {
            guard let seconds = value["timestamp"].int, (0...now + 86_400).contains(Int64(seconds)) else {
                throw EventError(
                    description: "\(path)timestamp: expected seconds since 1970, not more than a day from now")
            }
            timestamp = Int64(seconds)
        }
        var rating = 0.0
        if kind == .rating {
            guard let stars = value["rating"].double, MovieLens.ratingRange.contains(stars),
                (stars * 2).rounded() == stars * 2
            else { throw EventError(description: "\(path)rating: expected 0.5 to 5 in half steps") }
            rating = stars
        }
        return UserEvent(
            kind: kind, user: try identifier("user"), movie: try identifier("movie"), rating: Float(rating),
            timestamp: timestamp)
    }
}
