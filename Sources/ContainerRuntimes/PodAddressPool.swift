// SPDX-License-Identifier: Apache-2.0

/// Gives each pod a loopback address of its own out of one /16 network, for instance `127.80.a.b`.
///
/// A pod's first choice follows from its UID, so the same pods get the same addresses in most cases; the caller keeps
/// the addresses that are in use (in the pods' status) and adopts them after a restart. Addresses that end in 0 or 255
/// are not given.
package struct PodAddressPool: Sendable {
    /// How many addresses there are, reserved ones among them.
    package static let capacity = 256 * 254

    private let prefix: String
    private let reserved: Set<String>
    private var addresses: [String: String] = [:]
    private var owners: [String: String] = [:]

    /// Prepares an empty pool.
    ///
    /// - Parameters:
    ///   - prefix: The first two bytes of the addresses, `127.` and a number.
    ///   - reserved: Addresses never to give.
    /// - Throws: `RuntimeError` with the code `invalidSpec` when the prefix is not one.
    package init(prefix: String, reserved: Set<String> = []) throws(RuntimeError) {
        let parts = prefix.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "127", let second = UInt8(parts[1]), String(second) == parts[1] else {
            throw RuntimeError(.invalidSpec, "pod network prefix \"\(prefix)\" must be 127.N with N from 0 to 255")
        }
        self.prefix = prefix
        self.reserved = reserved
    }

    /// The pod's address: the one it has, or a new one.
    ///
    /// - Throws: `RuntimeError` with the code `system` when all are in use.
    package mutating func allocate(_ uid: String) throws(RuntimeError) -> String {
        if let address = addresses[uid] { return address }
        let first = Int(StableHash.of(uid) % UInt64(Self.capacity))
        for step in 0..<Self.capacity {
            let address = Self.address((first + step) % Self.capacity, prefix)
            if owners[address] == nil, !reserved.contains(address) {
                addresses[uid] = address
                owners[address] = uid
                return address
            }
        }
        throw RuntimeError(.system, "all \(Self.capacity) pod addresses of \(prefix).0.0/16 are in use")
    }

    /// Notes an address that a pod has from before; false when it is not of this pool or another pod's.
    @discardableResult
    package mutating func adopt(_ uid: String, address: String) -> Bool {
        let parts = address.split(separator: ".").compactMap { UInt8($0) }
        guard parts.count == 4, parts[3] != 0, parts[3] != 255, !reserved.contains(address),
            address == "\(prefix).\(parts[2]).\(parts[3])", owners[address] == nil || owners[address] == uid,
            addresses[uid] == nil || addresses[uid] == address
        else { return false }
        addresses[uid] = address
        owners[address] = uid
        return true
    }

    /// Takes the pod's address back.
    package mutating func release(_ uid: String) {
        if let address = addresses.removeValue(forKey: uid) { owners[address] = nil }
    }

    private static func address(_ index: Int, _ prefix: String) -> String {
        "\(prefix).\(index / 254).\(index % 254 + 1)"
    }
}
