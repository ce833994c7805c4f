// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import EventCoordination

/// Random events in groups of the consumer protocol.
@Suite struct ModernModelTests {
    @Test(arguments: 0..<12) func groups(seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        var bench = ModernBench(["t": 7, "u": 3, "u-2": 2])
        let assignor = seed % 3 == 0 ? "range" : nil
        let isMixed = seed % 2 == 1
        func topics(_ random: inout SplitMix) -> ([String], String?) {
            guard isMixed else { return (["t", "u"], nil) }
            return [(["t"], nil), (["t", "u"], nil), ([], "u"), (["t"], "u")].randomElement(using: &random)
                ?? (["t"], nil)
        }
        var last = 0
        for step in 0..<400 {
            let id = bench.clients.keys.sorted().randomElement(using: &random)
            switch Int.random(in: 0..<20, using: &random) {
            case 0 where bench.clients.count < 8:
                last += 1
                let (names, pattern) = topics(&random)
                bench.join("m\(last)") {
                    ($0.topics, $0.pattern, $0.assignor) = (names, pattern, assignor)
                    if last % 3 == 0 { $0.instance = "i\(last % 2)" }
                }
            case 1:
                guard let id else { break }
                bench.leave(id, epoch: bench.clients[id]?.instance == nil || step % 2 == 0 ? -1 : -2)
            case 2:
                let name = ["t", "u", "u-\(step)"].randomElement(using: &random) ?? "t"
                let size = bench.image.topics[name]?.partitions ?? 0
                bench.set(name, size > 12 ? nil : size + .random(in: 1...3, using: &random))
            case 3: bench.advance(.seconds(.random(in: 1...20, using: &random)))
            case 4:
                // The client is gone, and nobody knows.
                guard let id, bench.clients.count > 1 else { break }
                bench.clients[id] = nil
            case 5:
                guard let id else { break }
                var client = bench.clients[id] ?? .init(id: id)
                (client.topics, client.pattern) = topics(&random)
                client.isFull = true
                bench.clients[id] = client
            case 6:
                // The answer is lost.
                guard let id, let client = bench.clients[id] else { break }
                bench.send(bench.request(client))
            case 7:
                let summary = ModernBench.summary(bench.coordinator)
                for isCompacted in [false, true] {
                    let restarted = try bench.restarted(isCompacted: isCompacted)
                    #expect(ModernBench.summary(restarted) == summary)
                }
                bench.coordinator = try bench.restarted()
            default:
                guard let id else { break }
                bench.beat(id)
            }
        }
        // Those that are silent go; the others share all there is.
        for _ in 0..<12 {
            for id in bench.clients.keys.sorted() { bench.beat(id) }
            bench.advance(.seconds(10))
        }
        guard !bench.clients.isEmpty else { return }
        // Clients that were refused (their instance is another's) are not members.
        bench.clients = bench.clients.filter { $0.value.epoch > 0 }
        guard !bench.clients.isEmpty else { return }
        bench.settle()
        let description = try #require(bench.coordinator.describeModern("g"))
        #expect(description.members.count == bench.clients.count)
        var names: Set<String> = []
        for client in bench.clients.values {
            names.formUnion(client.topics)
            if let pattern = client.pattern {
                names.formUnion(bench.image.topics.keys.filter { $0.hasPrefix(pattern) })
            }
        }
        for name in names {
            let wanted = bench.image.topics[name]?.partitions ?? 0
            let owned = bench.clients.keys.flatMap { bench.owned($0, name) }
            #expect(owned.sorted() == Array(0..<wanted), "\(name)")
        }
    }

    /// Problems with any number of members, topics and subscriptions.
    @Test(arguments: 0..<40) func assignments(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        var partitions: [TopicID: Int32] = [:]
        for number in 1...Int.random(in: 1...6, using: &random) {
            partitions[TopicID(high: 0, low: UInt64(number))] = .random(in: 0...20, using: &random)
        }
        let topics = partitions.keys.sorted()
        var problem = ServerAssignor.Problem(members: [], partitions: partitions)
        let isAlike = seed % 2 == 0
        for number in 0..<Int.random(in: 1...9, using: &random) {
            let wanted = isAlike ? topics : topics.filter { _ in Bool.random(using: &random) }
            var target = TopicPartitions()
            for topic in topics where Bool.random(using: &random) {
                for partition in Int32(0)..<8 where Int.random(in: 0..<4, using: &random) == 0 {
                    target.insert(topic, partition)
                }
            }
            problem.members.append(
                .init(id: "m\(number)", instanceID: nil, topics: Set(wanted), target: target))
        }
        let wanted = Set(problem.members.flatMap(\.topics))
        problem.partitions = partitions.filter { wanted.contains($0.key) }
        for assignor in ServerAssignor.allCases {
            let targets = assignor.assign(problem)
            #expect(targets.count == problem.members.count)
            var taken = TopicPartitions()
            for (member, target) in zip(problem.members, targets) {
                #expect(Set(target.byTopic.keys).isSubset(of: member.topics))
                #expect(target.isDisjoint(with: taken))
                taken.formUnion(target)
            }
            for topic in wanted { #expect(taken[topic] == Set(0..<(partitions[topic] ?? 0))) }
            let loads = targets.map(\.count)
            guard assignor == .uniform else { continue }
            if isAlike { #expect((loads.max() ?? 0) - (loads.min() ?? 0) <= 1) }
            // No partition would be better with another member that may have it.
            for (rich, target) in targets.enumerated() {
                for (poor, member) in problem.members.enumerated() where loads[rich] - loads[poor] >= 2 {
                    #expect(member.topics.isDisjoint(with: target.byTopic.keys), "\(loads)")
                }
            }
            // What is even stays as it is.
            for index in problem.members.indices { problem.members[index].target = targets[index] }
            #expect(assignor.assign(problem) == targets)
        }
    }

    @Test func rangesOfTopicsAreAlike() {
        let topics = [TopicID(high: 0, low: 1), TopicID(high: 0, low: 2)]
        let members = ["b", "a", "z"].map { id in
            ServerAssignor.Problem.Member(
                id: id, instanceID: id == "z" ? "i" : nil, topics: Set(topics), target: TopicPartitions())
        }
        let targets = ServerAssignor.range.assign(
            .init(members: members, partitions: [topics[0]: 7, topics[1]: 7]))
        // Static members come first.
        for topic in topics { #expect(targets.map { $0[topic].sorted() } == [[5, 6], [3, 4], [0, 1, 2]]) }
    }

    @Test func littleIsMoved() {
        var bench = ModernBench(["t": 12])
        for id in ["a", "b", "c"] {
            bench.join(id)
            bench.settle()
        }
        let before = ["a", "b", "c"].map { Set(bench.owned($0)) }
        #expect(before.map(\.count) == [4, 4, 4])
        bench.join("d")
        bench.settle()
        for (id, had) in zip(["a", "b", "c"], before) {
            #expect(Set(bench.owned(id)).isSubset(of: had) && bench.owned(id).count == 3)
        }
    }

    @Test func recordsOfGroupsThatAreDamaged() throws {
        var bench = ModernBench(["t": 7])
        bench.join("a") { ($0.pattern, $0.instance, $0.assignor) = ("u", "i", "range") }
        bench.join("b")
        bench.beat("a")
        var random = SplitMix(seed: 1)
        var refused = 0
        for record in bench.records {
            for _ in 0..<200 {
                var value = record.value ?? [0]
                var key = record.key
                switch Int.random(in: 0..<4, using: &random) {
                case 0: value.removeLast(.random(in: 0...value.count, using: &random))
                case 1: value.insert(.random(in: .min ... .max, using: &random), at: value.startIndex)
                case 2: key[.random(in: 0..<key.count, using: &random)] = .random(in: .min ... .max, using: &random)
                default:
                    guard !value.isEmpty else { continue }
                    value[.random(in: 0..<value.count, using: &random)] =
                        [0, 0x7F, 0xFF].randomElement(using: &random) ?? 0
                }
                var replay = GroupReplay()
                do {
                    try replay.apply(key: key, value: value)
                    _ = GroupCoordinator(replay: replay, now: bench.now).list()
                } catch {
                    refused += 1
                }
            }
        }
        #expect(refused > 100)
    }
}
