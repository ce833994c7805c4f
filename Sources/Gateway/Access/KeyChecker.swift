// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import GatewayRules

/// Checks API keys by their hashes: how long it takes says nothing about a key.
final class KeyChecker: Sendable {
    /// The header in lower case.
    let header: String
    private let holders: [[UInt8]: String]

    init(_ rules: TrafficPolicy.Keys) {
        header = rules.header.lowercased()
        holders = Dictionary(rules.hashes.map { ($1, $0) }) { first, _ in first }
    }

    /// - Returns: whose key it is.
    func holder(of key: String) -> String? { holders[Array(SHA256.hash(data: Data(key.utf8)))] }
}
