// SPDX-License-Identifier: Apache-2.0

/// Shares partitions evenly: members that subscribe to the same topics differ by at most one partition, and keep what
/// they have as far as that allows.
struct UniformAssignment {
    private(set) var targets: [TopicPartitions]
    private let problem: ServerAssignor.Problem
    private var loads: [Int]
    /// Partitions that no member has, in order.
    private var unassigned: [TopicID: [Int32]] = [:]

    init(_ problem: ServerAssignor.Problem) {
        self.problem = problem
        targets = []
        loads = []
        var taken = TopicPartitions()
        for member in problem.members {
            var target = TopicPartitions()
            for topic in member.topics {
                guard let count = problem.partitions[topic] else { continue }
                // What was given twice, by a mistake of whoever wrote it, is kept once.
                target[topic] = member.target[topic].filter { (0..<count).contains($0) }.subtracting(taken[topic])
            }
            taken.formUnion(target)
            targets.append(target)
            loads.append(target.count)
        }
        for (topic, count) in problem.partitions {
            let taken = taken[topic]
            unassigned[topic] = (0..<count).filter { !taken.contains($0) }
        }
        guard let first = problem.members.first else { return }
        if problem.members.allSatisfy({ $0.topics == first.topics }) { shareAlike() } else { shareMixed() }
    }

    // MARK: Members that subscribe to the same topics

    private mutating func shareAlike() {
        let total = problem.partitions.values.reduce(0) { $0 + Int($1) }
        let (quota, more) = total.quotientAndRemainder(dividingBy: problem.members.count)
        // Those that have the most may have one more, so that less is moved.
        let order = loads.indices.sorted { (-loads[$0], problem.members[$0].id) < (-loads[$1], problem.members[$1].id) }
        var quotas = loads
        for (place, index) in order.enumerated() { quotas[index] = quota + (place < more ? 1 : 0) }
        var free: [(topic: TopicID, partition: Int32)] = []
        for (topic, partitions) in unassigned.sorted(by: { $0.key < $1.key }) {
            for partition in partitions { free.append((topic, partition)) }
        }
        for index in order where loads[index] > quotas[index] {
            var over = loads[index] - quotas[index]
            for (topic, partitions) in targets[index].sorted.reversed() {
                for partition in partitions.reversed() where over > 0 {
                    targets[index].remove(topic, partition)
                    free.append((topic, partition))
                    over -= 1
                }
            }
        }
        var next = 0
        for index in order {
            while targets[index].count < quotas[index] && next < free.count {
                let end = min(free.count, next + quotas[index] - targets[index].count)
                for place in free[next..<end] { targets[index].insert(place.topic, place.partition) }
                next = end
            }
        }
    }

    // MARK: Members that do not

    /// How often partitions are looked through for a better place; each time what is uneven halves.
    private static let rounds = 32

    private mutating func shareMixed() {
        var subscribers: [TopicID: [Int]] = [:]
        for (index, member) in problem.members.enumerated() {
            for topic in member.topics { subscribers[topic, default: []].append(index) }
        }
        // Topics that few members can take first: the others find room elsewhere.
        let topics = subscribers.keys.sorted {
            (subscribers[$0]?.count ?? 0, $0) < (subscribers[$1]?.count ?? 0, $1)
        }
        for topic in topics { give(topic, to: subscribers[topic] ?? []) }
        for _ in 0..<Self.rounds {
            var isMoved = false
            for topic in topics where even(topic, among: subscribers[topic] ?? []) { isMoved = true }
            if !isMoved { return }
        }
    }

    private func byLoad(_ members: [Int]) -> [Int] {
        members.sorted { (loads[$0], problem.members[$0].id) < (loads[$1], problem.members[$1].id) }
    }

    /// Gives the free partitions of a topic to those that have the least: fills up the lowest until all are even.
    private mutating func give(_ topic: TopicID, to members: [Int]) {
        guard var free = unassigned[topic]?[...], !free.isEmpty else { return }
        let order = byLoad(members)
        // How many take part, and up to which load they are filled.
        var (width, level, left) = (1, loads[order[0]], free.count)
        while width < order.count {
            let step = (loads[order[width]] - level) * width
            if step > left { break }
            left -= step
            level = loads[order[width]]
            width += 1
        }
        let (more, rest) = left.quotientAndRemainder(dividingBy: width)
        for (place, index) in order[..<width].enumerated() {
            let wanted = level + more + (place < rest ? 1 : 0) - loads[index]
            for partition in free.prefix(wanted) { targets[index].insert(topic, partition) }
            free = free.dropFirst(wanted)
            loads[index] += wanted
        }
    }

    /// Moves partitions of a topic from those that have the most to those that have the least; whether any were.
    private mutating func even(_ topic: TopicID, among members: [Int]) -> Bool {
        let order = byLoad(members)
        var (low, high, isMoved) = (0, order.count - 1, false)
        while low < high {
            let (poor, rich) = (order[low], order[high])
            let difference = loads[rich] - loads[poor]
            guard difference >= 2 else { break }
            let moving = targets[rich][topic].sorted().suffix(difference / 2)
            high -= 1
            guard !moving.isEmpty else { continue }
            low += 1
            isMoved = true
            targets[rich][topic].subtract(moving)
            targets[poor][topic].formUnion(moving)
            loads[rich] -= moving.count
            loads[poor] += moving.count
        }
        return isMoved
    }
}
