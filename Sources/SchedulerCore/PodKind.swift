// SPDX-License-Identifier: Apache-2.0

/// What of a pod matters to other pods: alike for all pods of a template, so relations are decided once for each kind.
package struct PodKind: Hashable, Sendable {
    package let namespace: String
    package let labels: [String: String]
    package let isBeingDeleted: Bool
    package let affinity: [PodAffinityTerm]
    package let antiAffinity: [PodAffinityTerm]
    /// Affinity and, with negative weights, anti-affinity.
    package let preferredPodTerms: [PreferredPodTerm]

    /// Whether pods of this kind keep others away.
    var isRepelling: Bool { !antiAffinity.isEmpty }
    /// Whether pods of this kind like to have others near or far.
    var hasPreferences: Bool { !affinity.isEmpty || !preferredPodTerms.isEmpty }
}

/// The kinds of the pods that are on nodes, by number.
struct PodKinds: Sendable {
    private struct Entry {
        var kind: PodKind
        var podCount: Int
    }

    private var entries: [Entry?] = []
    private var numbers: [PodKind: Int] = [:]
    private var unused: [Int] = []
    /// How many of the kinds keep others away.
    private(set) var repellingCount = 0
    /// How many of the kinds like to have others near or far.
    private(set) var preferringCount = 0

    /// All numbers are below it.
    var limit: Int { entries.count }

    /// Counts a pod more; returns the number of its kind, which holds until ``remove(_:)`` of the last one.
    mutating func insert(_ kind: PodKind) -> Int {
        if let number = numbers[kind] {
            entries[number]?.podCount += 1
            return number
        }
        let number = unused.popLast() ?? entries.count
        if number == entries.count { entries.append(nil) }
        entries[number] = Entry(kind: kind, podCount: 1)
        numbers[kind] = number
        repellingCount += kind.isRepelling ? 1 : 0
        preferringCount += kind.hasPreferences ? 1 : 0
        return number
    }

    /// Counts a pod less of the kind with that number.
    mutating func remove(_ number: Int) {
        guard let entry = entries[number] else { return }
        guard entry.podCount == 1 else {
            entries[number]?.podCount -= 1
            return
        }
        entries[number] = nil
        numbers[entry.kind] = nil
        unused.append(number)
        repellingCount -= entry.kind.isRepelling ? 1 : 0
        preferringCount -= entry.kind.hasPreferences ? 1 : 0
    }

    /// Calls the body with each kind and its number.
    func forEach(_ body: (Int, PodKind) -> Void) {
        for number in entries.indices {
            if let kind = entries[number]?.kind { body(number, kind) }
        }
    }
}
