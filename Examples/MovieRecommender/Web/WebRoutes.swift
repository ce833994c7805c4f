// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import Hummingbird
import Logging
import ModelKit

/// The pages.
struct WebRoutes: Sendable {
    let peers: WebPeers
    let logger: Logger

    private static let defaultUser: Int64 = 1

    func add(to router: Router<BasicRequestContext>) {
        router.get("/") { request, _ in await home(request) }
        router.get("/movies/{movie}") { request, context in
            await movie(request, try context.identifier("movie"))
        }
        router.get("/model") { request, _ in await model(request) }
        router.post("/rate") { request, _ in try await rate(request) }
        router.post("/user") { request, _ in try await chooseUser(request) }
        router.get("/style.css") { _, _ in
            Response.bytes(Array(Stylesheet.text.utf8), type: "text/css; charset=utf-8")
        }
    }

    /// A part of a page, or why it is missing.
    private func part<Value>(_ name: String, _ load: () async throws -> Value) async -> Result<Value, Unavailable> {
        do {
            return .success(try await load())
        } catch {
            logger.warning("part of a page is missing", metadata: ["part": "\(name)", "error": "\(error)"])
            return .failure(Unavailable(part: name))
        }
    }

    private func page(_ title: String, _ user: Int64, _ query: String = "", _ body: HTML) async -> Response {
        let description = (try? await peers.describe(user)) ?? ""
        return .html(Pages.page(title: title, user: user, description: description, query: query, body: body))
    }

    private func home(_ request: Request) async -> Response {
        let user = user(of: request)
        let query = String(request.query("q").prefix(200))
        guard query.isEmpty else {
            let found = await part("the catalogue") { try await peers.search(query) }
            return await page("Search", user, query, Pages.results(query, found))
        }
        async let recommended = part("recommendations") { try await peers.recommendations(user, count: 12) }
        async let rated = part("your ratings") {
            try await peers.movies(Array(try await peers.ratings(user).prefix(12)))
        }
        async let popular = part("the catalogue") { try await peers.search("", limit: 12).movies }
        let body = Pages.home(recommended: await recommended, rated: await rated, popular: await popular)
        return await page("Movies", user, "", body)
    }

    private func movie(_ request: Request, _ id: Int64) async -> Response {
        let user = user(of: request)
        let found = await part("this movie") { try await peers.movie(id) }
        guard case .success(.some(let movie)) = found else {
            let isUnknown = if case .success = found { true } else { false }
            let body = isUnknown ? Pages.notice("There is no such movie.") : Pages.notice(for: found)
            var response = await page("Movie", user, "", body)
            response.status = isUnknown ? .notFound : .serviceUnavailable
            return response
        }
        try? await recordView(user, id)
        async let similar = part("similar movies") { try await peers.similar(id, count: 12) }
        async let prediction = part("the prediction") { try await peers.prediction(user, id) }
        async let own = part("your rating") { try await peers.ratings(user).first { $0.id == Int(id) }?.score }
        async let together = part("what others like") { try await peers.likedTogether(id) }
        let body = Pages.movie(
            movie, own: await own, prediction: await prediction, similar: await similar, together: await together)
        return await page(movie.title, user, "", body)
    }

    private func recordView(_ user: Int64, _ movie: Int64) async throws {
        _ = try await peers.ingest.post("/v1/views", ["user": .int(user), "movie": .int(movie)])
    }

    private func model(_ request: Request) async -> Response {
        let found = await part("the model") { try await peers.serving.getJSON("/v1/model") }
        return await page("Model", user(of: request), "", Pages.model(found))
    }

    private func rate(_ request: Request) async throws -> Response {
        try checkOrigin(request)
        let form = FormDecoder.decode(try await request.bytes(limit: 4096))
        guard let movie = form["movie"].flatMap({ Int64($0) }), let stars = form["rating"].flatMap({ Double($0) })
        else {
            throw RequestError(.badRequest, "the form needs movie and rating")
        }
        let user = user(of: request)
        do {
            _ = try await peers.ingest.post(
                "/v1/ratings", ["user": .int(user), "movie": .int(movie), "rating": .double(stars)])
        } catch let error as PeerError where error.status == 400 {
            throw RequestError(.badRequest, error.description)
        } catch {
            logger.warning("rating not stored", metadata: ["error": "\(error)"])
            var response = await page(
                "Movies", user, "", Pages.notice("Your rating could not be stored just now. Please try again."))
            response.status = .serviceUnavailable
            return response
        }
        return .seeOther(form["from"] == "movie" ? "/movies/\(movie)" : "/")
    }

    private func chooseUser(_ request: Request) async throws -> Response {
        try checkOrigin(request)
        let form = FormDecoder.decode(try await request.bytes(limit: 4096))
        guard let user = form["user"].flatMap({ Int64($0) }), (1...EventDecoder.maxID).contains(user) else {
            throw RequestError(.badRequest, "the user must be a positive whole number")
        }
        var response = Response.seeOther("/")
        response.headers[.setCookie] = "user=\(user); Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
        return response
    }

    /// Refuses forms sent by other sites' pages; browsers tell with `Sec-Fetch-Site`.
    private func checkOrigin(_ request: Request) throws {
        guard let name = HTTPField.Name("Sec-Fetch-Site"), let site = request.headers[name] else { return }
        guard site == "same-origin" || site == "none" else {
            throw RequestError(.forbidden, "the form was sent by another site")
        }
    }

    private func user(of request: Request) -> Int64 {
        let cookies = (request.headers[.cookie] ?? "").split(separator: ";")
        for cookie in cookies {
            let trimmed = cookie.drop { $0 == " " }
            if trimmed.hasPrefix("user="), let user = Int64(trimmed.dropFirst(5)),
                (1...EventDecoder.maxID).contains(user)
            {
                return user
            }
        }
        return Self.defaultUser
    }
}

/// A part of a page that cannot be had just now.
struct Unavailable: Error {
    let part: String
}

extension Response {
    /// A page; scripts of any origin are forbidden, there are none.
    static func html(_ html: HTML) -> Response {
        var response = Response.bytes(Array(html.text.utf8), type: "text/html; charset=utf-8")
        if let name = HTTPField.Name("Content-Security-Policy") {
            response.headers[name] = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'"
        }
        response.headers[.cacheControl] = "no-store"
        return response
    }

    /// Sends the browser on with a GET.
    static func seeOther(_ location: String) -> Response {
        Response(status: .seeOther, headers: [.location: location])
    }
}

/// Reads `application/x-www-form-urlencoded`.
enum FormDecoder {
    /// The fields of `body`; of several with a name the first counts.
    static func decode(_ body: [UInt8]) -> [String: String] {
        var fields: [String: String] = [:]
        for pair in body.split(separator: UInt8(ascii: "&")).prefix(32) {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = parts.first.flatMap({ text($0) }), let value = text(parts.count > 1 ? parts[1] : []) else {
                continue
            }
            if fields[name] == nil { fields[name] = value }
        }
        return fields
    }

    private static func text(_ encoded: ArraySlice<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var rest = encoded
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
