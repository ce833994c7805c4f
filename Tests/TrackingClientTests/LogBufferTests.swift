// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import TrackingClient

@Suite("Buffer of what is logged")
struct LogBufferTests {
    private static let refused = TrackingClientError(.invalid, "no such name", status: 400)
    private static let away = TrackingClientError(.connection, "nobody listens", isUnsent: true)

    private static func small(_ change: (inout LogBuffer.Limits) -> Void = { _ in }) -> LogBuffer {
        var limits = LogBuffer.Limits()
        limits.entities = 4
        limits.params = 2
        limits.tags = 2
        limits.points = 8
        limits.pairs = 3
        change(&limits)
        return LogBuffer(limits: limits)
    }

    private static func point(_ step: Int64, _ key: String = "loss") -> MetricPoint {
        MetricPoint(key, Double(step), time: step, step: step)
    }

    @Test("Batches keep within what the protocol takes, and nothing is left behind")
    func batches() {
        var buffer = Self.small()
        for number in 0..<3 {
            buffer.add(param: "p\(number)", "v")
            buffer.add(tag: "t\(number)", "v")
        }
        for step in 0..<7 { buffer.add(Self.point(Int64(step))) }
        var steps: [Int64] = []
        var names: [String] = []
        while let batch = buffer.next() {
            #expect(batch.count <= 4 && batch.params.count <= 2 && batch.tags.count <= 2 && batch.count > 0)
            steps += batch.points.map(\.step)
            names += (batch.params + batch.tags).map(\.key)
            buffer.sent()
        }
        #expect(steps == Array(0..<7))
        #expect(names.sorted() == ["p0", "p1", "p2", "t0", "t1", "t2"])
        #expect(buffer.isEmpty && buffer.counts == LogBuffer.Counts(sent: 13, merged: 0, dropped: 0))
    }

    @Test("A batch is as large as the server takes in bytes")
    func bytes() {
        var buffer = Self.small { $0.bytes = 1000 }
        buffer.add(param: "a", String(repeating: "x", count: 800))
        buffer.add(param: "b", String(repeating: "x", count: 800))
        buffer.add(Self.point(1))
        #expect(buffer.next()?.params.map(\.key) == ["a"])
        buffer.sent()
        #expect(buffer.next()?.params.map(\.key) == ["b"])
        // One that is too large alone is for the server to refuse.
        var large = Self.small { $0.bytes = 10 }
        large.add(param: "a", "long enough")
        #expect(large.next()?.params.count == 1)
    }

    @Test("The batch under way stays the same until it is said what became of it")
    func again() {
        var buffer = Self.small()
        buffer.add(Self.point(1))
        let batch = buffer.next()
        buffer.add(Self.point(2))
        #expect(buffer.failed(Self.away) == .again(failures: 1))
        #expect(buffer.next() == batch)
        #expect(buffer.failed(TrackingClientError(.badAnswer, "busy", status: 503)) == .again(failures: 2))
        #expect(buffer.next() == batch)
        buffer.sent()
        #expect(buffer.next()?.points.map(\.step) == [2])
        #expect(buffer.failed(Self.away) == .again(failures: 1), "failures count from the last success")
    }

    @Test("What a server refuses is found and dropped alone", arguments: [1, 2, 3, 4])
    func refused(count: Int) {
        for bad in 0..<count {
            var buffer = Self.small()
            buffer.add(param: "p", "v")
            for step in 0..<count - 1 { buffer.add(Self.point(Int64(step))) }
            var arrived = 0
            var rounds = 0
            while let batch = buffer.next() {
                rounds += 1
                let names = batch.params.map(\.key) + batch.points.map { "\($0.step)" }
                if names.contains(bad == 0 ? "p" : "\(bad - 1)") {
                    #expect(buffer.failed(Self.refused) == .next)
                } else {
                    arrived += names.count
                    buffer.sent()
                }
            }
            #expect(arrived == count - 1 && rounds < 10)
            #expect(buffer.counts == LogBuffer.Counts(sent: count - 1, merged: 0, dropped: 1))
            #expect(buffer.fault == Self.refused)
        }
    }

    @Test("A run that does not take anything loses a batch, not each of its parts one after the other")
    func gone() {
        var buffer = Self.small()
        for step in 0..<6 { buffer.add(Self.point(Int64(step))) }
        _ = buffer.next()
        #expect(buffer.failed(TrackingClientError(.notFound, "no run", status: 404)) == .next)
        #expect(buffer.counts.dropped == 4)
        #expect(buffer.next()?.count == 2)
    }

    @Test("A full buffer leaves out points between others, never the latest of a metric, and counts them")
    func merges() {
        var buffer = Self.small()
        for step in 0..<100 { buffer.add(Self.point(Int64(step))) }
        buffer.add(Self.point(0, "rare"))
        var points: [MetricPoint] = []
        while let batch = buffer.next() {
            points += batch.points
            buffer.sent()
        }
        #expect(points.filter { $0.key == "loss" }.last?.step == 99)
        #expect(points.filter { $0.key == "rare" }.count == 1)
        #expect(points.map(\.step).dropLast() == points.map(\.step).dropLast().sorted()[...])
        #expect(buffer.counts.sent + buffer.counts.merged == 101 && buffer.counts.dropped == 0)
    }

    @Test("Where nothing can be merged, what does not fit is dropped and said")
    func full() {
        var buffer = Self.small()
        for number in 0..<10 { buffer.add(Self.point(1, "m\(number)")) }
        #expect(buffer.counts.dropped == 2 && buffer.fault?.message.contains("full") == true)
        for number in 0..<4 { buffer.add(param: "p\(number)", "v") }
        #expect(buffer.counts.dropped == 3)
        for _ in 0..<4 { buffer.add(tag: "t", "v") }
        #expect(buffer.counts.dropped == 3 && buffer.counts.merged == 3)
    }

    @Test("What is given up is counted")
    func givesUp() {
        var buffer = Self.small()
        for step in 0..<6 { buffer.add(Self.point(Int64(step))) }
        buffer.add(tag: "t", "v")
        _ = buffer.next()
        buffer.giveUp(Self.away)
        #expect(buffer.isEmpty && buffer.counts.dropped == 7 && buffer.next() == nil && buffer.fault == Self.away)
    }

    @Test("Whatever happens, everything is sent, merged or dropped")
    func everythingIsCounted() {
        var generator = SystemRandomNumberGenerator.seeded(7)
        for _ in 0..<200 {
            var buffer = Self.small()
            var put = 0
            for _ in 0..<60 {
                switch generator.next() % 8 {
                case 0: buffer.add(param: "p\(generator.next() % 5)", "v"); put += 1
                case 1: buffer.add(tag: "t\(generator.next() % 5)", "v"); put += 1
                case 2, 3, 4: buffer.add(Self.point(Int64(generator.next() % 50), "m\(generator.next() % 3)")); put += 1
                case 5: if buffer.next() != nil { buffer.sent() }
                case 6: if buffer.next() != nil { _ = buffer.failed(Self.refused) }
                default: if buffer.next() != nil { _ = buffer.failed(Self.away) }
                }
            }
            while buffer.next() != nil { buffer.sent() }
            #expect(buffer.counts.sent + buffer.counts.merged + buffer.counts.dropped == put)
        }
    }
}

/// splitmix64.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

extension SystemRandomNumberGenerator {
    static func seeded(_ seed: UInt64) -> Seeded { Seeded(state: seed) }
}
