// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import Foundation
import JWTKit
import NIOCore
import NIOHTTP1

/// Keys by which tokens are verified.
struct KeySet: Sendable {
    /// The most keys of a set.
    static let most = 100

    let collection: JWTKeyCollection
    /// Their `kid`s.
    let names: Set<String>

    /// Reads a JSON Web Key Set (RFC 7517). Keys that are for something else, or that we do not know, are left out.
    /// - Throws: when it is none, or nothing is left.
    init(json: some Sequence<UInt8>) async throws {
        let document = try JSONDecoder().decode(Document.self, from: Data(json))
        guard document.keys.count <= Self.most else {
            throw JWTError.invalidJWK(reason: "a set has \(Self.most) keys at most")
        }
        let collection = JWTKeyCollection()
        var names: Set<String> = []
        for (index, entry) in document.keys.enumerated() {
            guard var key = entry.key else { continue }
            // One without a name is for tokens without one.
            let name = key.keyIdentifier?.string ?? "\u{0}\(index)"
            key.keyIdentifier = JWKIdentifier(string: name)
            guard (try? await collection.add(jwk: key)) != nil else { continue }
            names.insert(name)
        }
        guard !names.isEmpty else { throw JWTError.invalidJWK(reason: "no key of it can be used") }
        self.collection = collection
        self.names = names
    }

    private struct Document: Decodable {
        var keys: [Entry]
    }

    private struct Entry: Decodable {
        private enum CodingKeys: String, CodingKey { case use }

        let key: JWK?

        init(from decoder: any Decoder) throws {
            let use = try? decoder.container(keyedBy: CodingKeys.self).decodeIfPresent(String.self, forKey: .use)
            key = use == nil || use == "sig" ? try? JWK(from: decoder) : nil
        }
    }
}

/// An issuer's keys, fetched from its address and kept: anew after five minutes, and when a token names a key that is
/// not there. What cannot be fetched leaves what is there.
actor RemoteKeys {
    private static let patience = TimeAmount.seconds(5)
    private static let longest = 1 << 20

    private let address: String
    private let fetch: @Sendable (String) async throws -> [UInt8]
    private var keys: KeySet?
    private var refresh = KeyRefresh()
    private var running: Task<Void, Never>?

    /// - Parameters:
    ///   - address: of the set, http or https. It is asked without redirects, for 1 MiB and 5 s at most.
    ///   - fetch: gets the bytes at an address.
    init(_ address: String, fetch: @escaping @Sendable (String) async throws -> [UInt8] = RemoteKeys.fetched) {
        self.address = address
        self.fetch = fetch
    }

    /// Keys for a token.
    /// - Parameter name: the token's `kid`.
    /// - Returns: nil where none could be fetched yet.
    func keys(for name: String?) async -> KeySet? {
        let isKnown = keys.map { keys in name.map(keys.names.contains) ?? true } ?? false
        if !isKnown, let running {
            await running.value
            return keys
        }
        switch refresh.step(isKnown: isKnown, now: .now) {
        case .use: break
        case .useAndFetch: start()
        case .fetchFirst: await start().value
        }
        return keys
    }

    @discardableResult
    private func start() -> Task<Void, Never> {
        if let running { return running }
        refresh.began(.now)
        let task = Task { await load() }
        running = task
        return task
    }

    private func load() async {
        let loaded = try? await KeySet(json: fetch(address))
        if let loaded { keys = loaded }
        refresh.ended(isGood: loaded != nil, now: .now)
        running = nil
    }

    private static func fetched(_ address: String) async throws -> [UInt8] {
        var request = HTTPClientRequest(url: address)
        request.headers.add(name: "accept", value: "application/jwk-set+json, application/json")
        let client = NoRedirects.client
        let response = try await client.execute(request, timeout: patience)
        guard response.status == .ok else {
            throw JWTError.generic(identifier: "jwksUri", reason: "\(address) answers \(response.status)")
        }
        return Array(buffer: try await response.body.collect(upTo: longest))
    }

    /// One for all rules; it is made when the first needs it, on the event loops that are there anyway.
    private enum NoRedirects {
        static let client: HTTPClient = {
            var configuration = HTTPClient.Configuration()
            configuration.redirectConfiguration = .disallow
            configuration.connectionPool.idleTimeout = .seconds(5)
            return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        }()
    }
}
