// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// A movie as the pages show it.
struct WebMovie: Sendable {
    var id: Int
    var title: String
    var genres: [String]
    var ratings: Int
    var mean: Double?
    /// The score by which it is listed: predicted stars, likeness, or the user's own stars.
    var score: Double?

    init?(_ value: JSONValue) {
        guard let id = value["id"].int, let title = value["title"].string else { return nil }
        self.id = id
        self.title = Self.natural(title)
        genres = value["genres"].elements.compactMap(\.string)
        ratings = value["ratings"].int ?? 0
        mean = value["mean"].double
    }

    /// `Close Shave, A (1995)` as it is said: `A Close Shave (1995)`.
    static func natural(_ title: String) -> String {
        guard let year = title.lastIndex(of: "("), title[..<year].hasSuffix(" ") else { return title }
        let name = title[..<year].dropLast()
        for article in ["The", "A", "An", "Les", "La", "Le", "Il", "Der", "Das", "Die", "El"]
        where name.hasSuffix(", \(article)") {
            return "\(article) \(name.dropLast(article.count + 2)) \(title[year...])"
        }
        return title
    }
}

/// What the pages ask of the other services.
struct WebPeers: Sendable {
    let ingest: ServiceClient
    let serving: ServiceClient
    let features: ServiceClient?

    /// Movies whose title matches, the most rated first.
    func search(_ query: String, limit: Int = 24) async throws -> (movies: [WebMovie], total: Int) {
        let answer = try await ingest.getJSON("/v1/movies?limit=\(limit)&query=\(PercentEncoding.encode(query))")
        return (answer["movies"].elements.compactMap(WebMovie.init), answer["total"].int ?? 0)
    }

    /// The movies with these identifiers, in this order, each with its score.
    func movies(_ scored: [(id: Int, score: Double)]) async throws -> [WebMovie] {
        guard !scored.isEmpty else { return [] }
        let ids = scored.map { String($0.id) }.joined(separator: ",")
        let found = try await ingest.getJSON("/v1/movies?ids=\(ids)")["movies"].elements.compactMap(WebMovie.init)
        return scored.compactMap { id, score in
            guard var movie = found.first(where: { $0.id == id }) else { return nil }
            movie.score = score
            return movie
        }
    }

    /// One movie, or nil when there is none.
    func movie(_ id: Int64) async throws -> WebMovie? {
        do {
            return WebMovie(try await ingest.getJSON("/v1/movies/\(id)"))
        } catch let error as PeerError where error.status == 404 {
            return nil
        }
    }

    /// The user's ratings, newest first: movie and stars.
    func ratings(_ user: Int64) async throws -> [(id: Int, score: Double)] {
        try await ingest.getJSON("/v1/ratings?user=\(user)")["ratings"].elements.compactMap { rating in
            guard let id = rating["movie"].int, let stars = rating["rating"].double else { return nil }
            return (id, stars)
        }
    }

    /// Who the user is, as one line.
    func describe(_ user: Int64) async throws -> String {
        let answer = try await ingest.getJSON("/v1/users/\(user)")
        var parts: [String] = []
        if let age = answer["age"].int { parts.append("\(age) years") }
        if let occupation = answer["occupation"].string { parts.append(occupation) }
        let count = answer["ratings"].int ?? 0
        parts.append(count == 1 ? "1 rating" : "\(count) ratings")
        return parts.joined(separator: ", ")
    }

    /// Recommendations for the user.
    func recommendations(_ user: Int64, count: Int) async throws -> [WebMovie] {
        try await movies(Self.scored(try await serving.getJSON("/v1/recommend/\(user)?n=\(count)")))
    }

    /// Movies like this one; empty when the model does not know it.
    func similar(_ movie: Int64, count: Int) async throws -> [WebMovie] {
        do {
            return try await movies(Self.scored(try await serving.getJSON("/v1/similar/\(movie)?n=\(count)")))
        } catch let error as PeerError where error.status == 404 {
            return []
        }
    }

    /// What those like who like this one, by how many of them; nil without the service of features.
    func likedTogether(_ movie: Int64) async throws -> [WebMovie]? {
        guard let features else { return nil }
        do {
            let pairs = try await features.getJSON("/v1/movies/\(movie)")["likedTogether"].elements
            return try await movies(
                pairs.compactMap { pair in
                    guard let id = pair["other_id"].int, let share = pair["share"].double else { return nil }
                    return (id, share)
                })
        } catch let error as PeerError where error.status == 404 {
            return []
        }
    }

    /// The stars the user would give; nil when the model does not know the movie.
    func prediction(_ user: Int64, _ movie: Int64) async throws -> Double? {
        do {
            return try await serving.getJSON("/v1/predict?user=\(user)&movie=\(movie)")["score"].double
        } catch let error as PeerError where error.status == 404 {
            return nil
        }
    }

    private static func scored(_ answer: JSONValue) -> [(id: Int, score: Double)] {
        answer["items"].elements.compactMap { item in
            guard let id = item["movie"].int, let score = item["score"].double else { return nil }
            return (id, score)
        }
    }
}
