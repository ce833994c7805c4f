// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Gives each pod of the node a loopback address of its own.
///
/// Addresses are `PREFIX.0.1` … `PREFIX.255.254`, given out in turn, so that one that became free is not taken again at
/// once. What is persistent is the pod's own status, from which ``reserve(_:_:)`` restores the state.
package final class PodAddresses: Sendable {
    fileprivate struct State {
        var owners: [Int: String] = [:]
        var byPod: [String: Int] = [:]
        var next = 0
    }

    private static let perBlock = 254
    private static let count = 256 * perBlock
    private let prefix: String
    private let state = Mutex(State())

    /// - Parameter prefix: the first two bytes, such as `127.80`.
    package init(prefix: String) { self.prefix = prefix }

    /// The address of a pod: the one it has, else the preferred one when that is free, else the next free one.
    /// - Throws: ``VolumeError`` when all addresses are taken.
    package func allocate(_ pod: String, preferred: String? = nil) throws(VolumeError) -> String {
        let number = state.withLock { state -> Int? in
            if let known = state.byPod[pod] { return known }
            if let wanted = preferred.flatMap(number(of:)), state.owners[wanted] == nil {
                return state.give(wanted, to: pod)
            }
            for _ in 0..<Self.count {
                let candidate = state.next
                state.next = (state.next + 1) % Self.count
                if state.owners[candidate] == nil { return state.give(candidate, to: pod) }
            }
            return nil
        }
        guard let number else {
            throw VolumeError("no pod address is free in \(prefix).0.0/16: delete pods, or use another prefix")
        }
        return text(number)
    }

    /// Notes that a pod has this address already; nothing when it is not one of this node's or is taken.
    package func reserve(_ pod: String, _ address: String) {
        guard let number = number(of: address) else { return }
        state.withLock { state in
            guard state.owners[number] == nil, state.byPod[pod] == nil else { return }
            _ = state.give(number, to: pod)
        }
    }

    /// Takes back a pod's address.
    package func release(_ pod: String) {
        state.withLock { state in
            guard let number = state.byPod.removeValue(forKey: pod) else { return }
            state.owners[number] = nil
        }
    }

    private func text(_ number: Int) -> String {
        "\(prefix).\(number / Self.perBlock).\(number % Self.perBlock + 1)"
    }

    private func number(of address: String) -> Int? {
        guard address.hasPrefix(prefix + ".") else { return nil }
        let parts = address.dropFirst(prefix.count + 1).split(separator: ".").compactMap { Int($0) }
        guard parts.count == 2, (0...255).contains(parts[0]), (1...254).contains(parts[1]) else { return nil }
        return parts[0] * Self.perBlock + parts[1] - 1
    }
}

extension PodAddresses.State {
    fileprivate mutating func give(_ number: Int, to pod: String) -> Int {
        owners[number] = pod
        byPod[pod] = number
        return number
    }
}
