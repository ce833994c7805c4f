// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import EventCoordination

/// Drives a coordinator of transactions, as a broker does: keeps the log, and the markers that are to be written.
final class TransactionBench {
    var coordinator: TransactionCoordinator
    var now: Duration = .seconds(1_700_000_000)
    var records: [CoordinatorRecord] = []
    var markers: [TransactionMarkers] = []
    var reserved: Int64 = 0
    let first = PartitionName(topic: "t", partition: 0)
    let second = PartitionName(topic: "t", partition: 1)

    init() { coordinator = TransactionCoordinator(now: now) }

    func take(_ effects: TransactionEffects) {
        reserved = effects.reservation ?? reserved
        records += effects.records
        markers += effects.markers
    }

    func start(_ id: String? = "x", expected: ProducerIdentity? = nil, timeout: Duration = .seconds(60))
        -> InitProducerAnswer
    {
        let outcome = coordinator.initProducer(transactionalID: id, timeout: timeout, expected: expected, now: now)
        take(outcome.effects)
        return outcome.answer
    }

    func add(_ producer: ProducerIdentity, _ partitions: PartitionName..., id: String = "x") -> CoordinationCode {
        let outcome = coordinator.addPartitions(transactionalID: id, producer: producer, partitions, now: now)
        take(outcome.effects)
        return outcome.code
    }

    func end(_ producer: ProducerIdentity, commit: Bool, id: String = "x") -> CoordinationCode {
        let outcome = coordinator.end(transactionalID: id, producer: producer, isCommit: commit, now: now)
        take(outcome.effects)
        return outcome.code
    }

    /// All markers that wait are durable.
    func write() {
        let present = markers
        markers = []
        for markers in present { take(coordinator.markersWritten(markers, now: now)) }
    }

    func pass(_ duration: Duration) {
        let end = now + duration
        while coordinator.nextDeadline <= end {
            now = max(now, coordinator.nextDeadline)
            take(coordinator.advance(now: now))
        }
        now = end
    }

    func restart() throws {
        var replay = TransactionReplay()
        for record in records { try replay.apply(key: record.key, value: record.value) }
        coordinator = TransactionCoordinator(ids: ProducerIDs(reserved: reserved), replay: replay, now: now)
        markers = []
        take(coordinator.resume())
    }

    var status: TransactionStatus { coordinator.describe("x").status }
}

@Suite struct TransactionTests {
    @Test func idempotentProducersGetIDs() throws {
        let bench = TransactionBench()
        let ids = (0..<2500).map { _ in bench.start(nil).producer.id }
        #expect(ids == (0..<2500).map { Int64($0) })
        #expect(bench.reserved == 3000)
        try bench.restart()
        #expect(bench.start(nil).producer == ProducerIdentity(id: 3000, epoch: 0))
        #expect(bench.reserved == 4000)
        #expect(try ProducerIDs.decode(ProducerIDs.encode(reservation: 4000)) == 4000)
        for bad in ["", "{}", #"{"version":2,"reserved":1}"#, #"{"version":1,"reserved":-1}"#] {
            #expect(throws: RecordFormatError.self) { try ProducerIDs.decode(Array(bad.utf8)) }
        }
    }

    @Test func failedReservationsAreMadeAgain() {
        var ids = ProducerIDs()
        #expect(ids.allocate().reservation == 1000)
        ids.reservationFailed()
        #expect(ids.allocate() == (1, 1001))
        #expect(ids.allocate() == (2, nil))
    }

    @Test func commits() {
        let bench = TransactionBench()
        let producer = bench.start().producer
        #expect(producer == ProducerIdentity(id: 0, epoch: 0))
        #expect(bench.end(producer, commit: true) == .invalidTransactionState)
        #expect(bench.coordinator.verify(transactionalID: "x", producer: producer, partition: bench.first) != .ok)
        #expect(bench.add(producer, bench.first) == .ok)
        let count = bench.records.count
        #expect(bench.add(producer, bench.first) == .ok)
        #expect(bench.records.count == count)
        #expect(bench.add(producer, bench.second) == .ok)
        #expect(bench.coordinator.verify(transactionalID: "x", producer: producer, partition: bench.first) == .ok)
        #expect(bench.end(producer, commit: true) == .ok)
        #expect(
            bench.markers == [
                TransactionMarkers(
                    transactionalID: "x", producer: producer, isCommit: true, partitions: [bench.first, bench.second])
            ])
        #expect(bench.status == .prepareCommit)
        #expect(bench.end(producer, commit: true) == .concurrentTransactions)
        #expect(bench.end(producer, commit: false) == .invalidTransactionState)
        #expect(bench.add(producer, bench.first) == .concurrentTransactions)
        #expect(bench.start().code == .concurrentTransactions)
        bench.write()
        #expect(bench.status == .completeCommit)
        #expect(bench.end(producer, commit: true) == .ok)
        #expect(bench.end(producer, commit: false) == .invalidTransactionState)
        #expect(bench.markers.isEmpty)
        #expect(bench.add(producer, bench.second) == .ok)
        #expect(bench.coordinator.describe("x").partitions == [bench.second])
        #expect(bench.end(producer, commit: false) == .ok)
        bench.write()
        #expect(bench.status == .completeAbort)
        #expect(bench.end(producer, commit: false) == .ok)
    }

    @Test func newerProducersFenceOlder() {
        let bench = TransactionBench()
        let old = bench.start().producer
        #expect(bench.add(old, bench.first) == .ok)
        // The transaction that runs is aborted first, under an epoch that nobody is given.
        #expect(bench.start().code == .concurrentTransactions)
        #expect(bench.markers.map(\.isCommit) == [false])
        #expect(bench.markers.map(\.producer) == [ProducerIdentity(id: 0, epoch: 1)])
        #expect(bench.end(old, commit: true) == .producerFenced)
        #expect(bench.start().code == .concurrentTransactions)
        bench.write()
        let new = bench.start().producer
        #expect(new == ProducerIdentity(id: 0, epoch: 2))
        #expect(bench.add(old, bench.first) == .producerFenced)
        #expect(bench.add(new, bench.first) == .ok)
        #expect(bench.add(ProducerIdentity(id: 5, epoch: 2), bench.first) == .invalidProducerIDMapping)
        #expect(bench.add(new, bench.first, id: "y") == .invalidProducerIDMapping)
        #expect(bench.end(new, commit: true, id: "y") == .invalidProducerIDMapping)
        #expect(bench.add(new, bench.first, id: "") == .invalidRequest)
        #expect(bench.start(expected: old).code == .producerFenced)
        #expect(bench.status == .ongoing)
    }

    @Test(
        arguments: [
            (TransactionAPI.initProducerID, 3, 4), (.addPartitions, 1, 2), (.addOffsets, 1, 2), (.end, 1, 2),
        ] as [(TransactionAPI, Int16, Int16)])
    func oldVersionsKnowAnotherCode(api: TransactionAPI, old: Int16, new: Int16) {
        #expect(api.code(.producerFenced, version: old) == .invalidProducerEpoch)
        #expect(api.code(.producerFenced, version: new) == .producerFenced)
        #expect(api.code(.invalidTransactionState, version: old) == .invalidTransactionState)
    }

    /// KIP-360
    @Test func producersBumpTheirOwnEpoch() {
        let bench = TransactionBench()
        let first = bench.start().producer
        let second = bench.start(expected: first).producer
        #expect(second == ProducerIdentity(id: 0, epoch: 1))
        // A retry gets the same; whoever is older is fenced.
        #expect(bench.start(expected: first).producer == second)
        let third = bench.start(expected: second).producer
        #expect(third.epoch == 2)
        #expect(bench.start(expected: first).code == .producerFenced)
        #expect(bench.start(expected: ProducerIdentity(id: 9, epoch: 2)).code == .producerFenced)
        // After a producer that began anew, retries of the one before are fenced too.
        #expect(bench.start().producer.epoch == 3)
        #expect(bench.start(expected: third).code == .producerFenced)
        #expect(bench.start(expected: ProducerIdentity(id: 1, epoch: -1)).code == .invalidRequest)
        #expect(bench.start(expected: ProducerIdentity(id: -1, epoch: -1)).producer.epoch == 4)
    }

    @Test func usedUpEpochsLeadToANewID() {
        let bench = TransactionBench()
        var metadata = TransactionMetadata(
            producerID: 0, epoch: Int16.max - 1, timeout: .seconds(60), status: .completeCommit, updatedAt: bench.now)
        bench.coordinator.restore(TransactionState(id: "x", metadata: metadata))
        _ = bench.start(nil)
        let last = ProducerIdentity(id: 0, epoch: Int16.max - 1)
        let next = bench.start(expected: last).producer
        #expect(next == ProducerIdentity(id: 1, epoch: 0))
        #expect(bench.start(expected: last).producer == next)
        // One that was fenced at the last epoch.
        metadata.epoch = Int16.max
        metadata.producerID = 1
        bench.coordinator.restore(TransactionState(id: "x", metadata: metadata))
        #expect(bench.start().producer == ProducerIdentity(id: 2, epoch: 0))
        metadata.epoch = Int16.max - 1
        metadata.status = .ongoing
        bench.coordinator.restore(TransactionState(id: "x", metadata: metadata))
        #expect(bench.start().code == .concurrentTransactions)
        #expect(bench.markers.map(\.producer.epoch) == [Int16.max])
    }

    @Test func timeoutsAreChecked() {
        let bench = TransactionBench()
        for timeout in [Duration.zero, .seconds(-1), .milliseconds(900_001)] {
            #expect(bench.start(timeout: timeout).code == .invalidTransactionTimeout)
        }
        #expect(bench.start("").code == .invalidRequest)
        #expect(bench.coordinator.describe("x").code == .transactionalIDNotFound)
        #expect(bench.coordinator.describe("").code == .invalidRequest)
    }

    @Test func transactionsTimeOut() {
        let bench = TransactionBench()
        let producer = bench.start(timeout: .seconds(10)).producer
        bench.pass(.seconds(100))
        #expect(bench.markers.isEmpty)
        #expect(bench.add(producer, bench.first) == .ok)
        bench.pass(.seconds(6))
        #expect(bench.add(producer, bench.second) == .ok)
        bench.pass(.seconds(5))
        #expect(bench.markers.map(\.isCommit) == [false])
        #expect(bench.markers.first?.partitions == [bench.first, bench.second])
        #expect(bench.end(producer, commit: true) == .producerFenced)
        bench.write()
        #expect(bench.status == .completeAbort)
        #expect(bench.start(expected: producer).code == .producerFenced)
        #expect(bench.start().producer.epoch == 2)
    }

    @Test func unusedIDsAreForgotten() throws {
        let bench = TransactionBench()
        _ = bench.start()
        bench.pass(.seconds(6 * 24 * 3600))
        #expect(bench.coordinator.describe("x").code == .ok)
        bench.pass(.seconds(2 * 24 * 3600))
        #expect(bench.coordinator.describe("x").code == .transactionalIDNotFound)
        #expect(bench.records.last?.value == nil)
        try bench.restart()
        #expect(bench.coordinator.list(now: bench.now).transactions.isEmpty)
    }

    @Test(arguments: [true, false]) func restartsCarryOutWhatWasDecided(commit: Bool) throws {
        let bench = TransactionBench()
        let producer = bench.start().producer
        #expect(bench.add(producer, bench.first, bench.second) == .ok)
        try bench.restart()
        #expect(bench.markers.isEmpty)
        #expect(bench.status == .ongoing)
        #expect(bench.end(producer, commit: commit) == .ok)
        let markers = bench.markers
        try bench.restart()
        #expect(bench.markers == markers)
        #expect(bench.end(producer, commit: !commit) == .invalidTransactionState)
        bench.write()
        #expect(bench.status == (commit ? .completeCommit : .completeAbort))
        try bench.restart()
        #expect(bench.markers.isEmpty)
        #expect(bench.end(producer, commit: commit) == .ok)
    }

    @Test func restartsTimeOutWhatWasForgotten() throws {
        let bench = TransactionBench()
        let producer = bench.start(timeout: .seconds(10)).producer
        #expect(bench.add(producer, bench.first) == .ok)
        bench.now += .seconds(5)
        try bench.restart()
        bench.pass(.seconds(4))
        #expect(bench.markers.isEmpty)
        bench.pass(.seconds(2))
        #expect(bench.markers.count == 1)
    }

    @Test func listsAndDescribes() {
        let bench = TransactionBench()
        let producer = bench.start().producer
        _ = bench.start("y")
        #expect(bench.add(producer, bench.first) == .ok)
        bench.now += .seconds(5)
        func list(
            _ states: [String] = [], _ producers: [Int64] = [], _ duration: Duration? = nil
        ) -> [String] {
            bench.coordinator.list(states: states, producerIDs: producers, minDuration: duration, now: bench.now)
                .transactions.map(\.transactionalID)
        }
        #expect(list() == ["x", "y"])
        #expect(list(["Ongoing"]) == ["x"])
        #expect(list(["Empty", "nonsense"]) == ["y"])
        #expect(list(["nonsense"]).isEmpty)
        #expect(list([], [1]) == ["y"])
        #expect(list([], [], .seconds(4)) == ["x"])
        #expect(list([], [], .seconds(5)).isEmpty)
        #expect(bench.coordinator.list(states: ["nonsense"], now: bench.now).unknownStates == ["nonsense"])
        let description = bench.coordinator.describe("x")
        #expect(description.timeout == .seconds(60))
        #expect(description.startedAt == bench.now - .seconds(5))
        #expect(description.status.name == "Ongoing")
    }

    @Test func statesCanBePutBack() throws {
        let bench = TransactionBench()
        let producer = bench.start().producer
        #expect(bench.add(producer, bench.first) == .ok)
        let before = try #require(bench.coordinator.state("x"))
        // The decision could not be written: it was none.
        _ = bench.coordinator.end(transactionalID: "x", producer: producer, isCommit: true, now: bench.now)
        bench.coordinator.restore(before)
        #expect(bench.end(producer, commit: false) == .ok)
        #expect(bench.markers.map(\.isCommit) == [false])
    }
}
