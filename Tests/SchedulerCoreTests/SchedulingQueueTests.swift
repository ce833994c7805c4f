// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import SchedulerCore
import Testing

@Suite struct SchedulingQueueTests {
    private let key = ObjectKey(namespace: "default", name: "p")

    private func queue() throws -> SchedulingQueue {
        var queue = SchedulingQueue()
        queue.add(try Fixture.pod("p"), now: .zero)
        return queue
    }

    /// A queue whose pod was handed out once and rejected for its resources at the time zero.
    private func rejected() throws -> SchedulingQueue {
        var queue = try queue()
        _ = queue.pop(now: .zero)
        queue.rejected(key, uid: "uid-p", by: .nodeResourcesFit, now: .zero)
        return queue
    }

    @Test func handsOutByPriorityThenAge() throws {
        var queue = SchedulingQueue()
        for (name, priority) in [("a", 0), ("b", 10), ("c", 0), ("d", -5), ("e", 10)] {
            queue.add(try Fixture.pod(name, #"{"priority":\#(priority)}"#), now: .zero)
        }
        var order: [String] = []
        while let pod = queue.pop(now: .zero) { order.append(pod.key.name) }
        #expect(order == ["b", "e", "a", "c", "d"])
        #expect(queue.count == 5)
    }

    @Test func handsOutOnce() throws {
        var queue = try queue()
        #expect(queue.pop(now: .zero)?.key == key)
        #expect(queue.place(of: key) == .inFlight)
        queue.add(try Fixture.pod("p"), now: .zero)
        #expect(queue.pop(now: .seconds(1000)) == nil)
        queue.remove(key)
        #expect(queue.place(of: key) == nil)
    }

    @Test func forgetsRemovedPods() throws {
        var queue = try queue()
        queue.remove(key)
        #expect(queue.pop(now: .zero) == nil)
        #expect(queue.count == 0)
    }

    @Test func backsOffLongerEachTime() throws {
        var queue = try queue()
        var now = Duration.zero
        for expected in [1, 2, 4, 8, 10, 10] {
            #expect(queue.pop(now: now) != nil)
            queue.failed(key, uid: "uid-p", now: now)
            let end = now + .seconds(expected)
            #expect(queue.place(of: key) == .backingOff(until: end))
            #expect(queue.nextDeadline() == end)
            #expect(queue.pop(now: end - .nanoseconds(1)) == nil)
            now = end
        }
    }

    @Test func waitsForAHelpfulChange() throws {
        var queue = try rejected()
        #expect(queue.place(of: key) == .unschedulable(since: .zero))
        queue.changed(.podAssigned, now: .seconds(2))
        #expect(queue.place(of: key) == .unschedulable(since: .zero))
        queue.changed(.podReleased, now: .seconds(2))
        #expect(queue.place(of: key) == .active)
        #expect(queue.pop(now: .seconds(2))?.key == key)
    }

    @Test func aHelpfulChangeDoesNotEndTheBackOff() throws {
        var queue = try rejected()
        queue.changed(.nodeAdded, now: .milliseconds(300))
        #expect(queue.place(of: key) == .backingOff(until: .seconds(1)))
        #expect(queue.pop(now: .seconds(1))?.key == key)
    }

    @Test func aChangeWhileInFlightIsNotLost() throws {
        var queue = try queue()
        _ = queue.pop(now: .zero)
        queue.changed(.podReleased, now: .zero)
        queue.rejected(key, uid: "uid-p", by: .nodeResourcesFit, now: .zero)
        #expect(queue.place(of: key) == .backingOff(until: .seconds(1)))
    }

    @Test func aChangeBeforeTheAttemptIsOld() throws {
        var queue = try queue()
        queue.changed(.podReleased, now: .zero)
        _ = queue.pop(now: .zero)
        queue.rejected(key, uid: "uid-p", by: .nodeResourcesFit, now: .zero)
        #expect(queue.place(of: key) == .unschedulable(since: .zero))
    }

    @Test func isTriedAgainAfterFiveMinutes() throws {
        var queue = try rejected()
        #expect(queue.nextDeadline() == .seconds(300))
        #expect(queue.pop(now: .seconds(299)) == nil)
        #expect(queue.pop(now: .seconds(300))?.key == key)
    }

    @Test func aChangeOfThePodItselfHelps() throws {
        var queue = try rejected()
        queue.add(try Fixture.pod("p", cpu: "1m"), now: .seconds(5))
        #expect(queue.pop(now: .seconds(5))?.requests.cpu == 1)
        queue.add(try Fixture.pod("p", cpu: "2m"), now: .seconds(6))
        queue.rejected(key, uid: "uid-p", by: .nodeAffinity, now: .seconds(6))
        #expect(queue.place(of: key) == .backingOff(until: .seconds(8)))
        #expect(queue.pop(now: .seconds(8))?.requests.cpu == 2)
    }

    @Test func gatesHoldAPodBack() throws {
        var queue = SchedulingQueue()
        queue.add(try Fixture.pod("p", #"{"schedulingGates":[{"name":"quota"}]}"#), now: .zero)
        #expect(queue.place(of: key) == .gated)
        queue.changed(.all, now: .zero)
        #expect(queue.pop(now: .seconds(1000)) == nil)
        queue.add(try Fixture.pod("p"), now: .seconds(1000))
        #expect(queue.pop(now: .seconds(1000))?.key == key)
    }

    @Test func aPodOfTheSameNameIsAnother() throws {
        var queue = try rejected()
        var object = KubeObject(.pods, namespace: "default", name: "p")
        object.metadata["uid"] = "new"
        queue.add(PodInfo(object), now: .zero)
        #expect(queue.pop(now: .zero)?.uid == "new")
        // The old one's result does not concern the new one.
        queue.failed(key, uid: "uid-p", now: .zero)
        #expect(queue.place(of: key) == .inFlight)
    }

    @Test func withoutNodesANodeHelps() throws {
        var queue = try queue()
        _ = queue.pop(now: .zero)
        queue.rejected(key, uid: "uid-p", by: [], now: .zero)
        queue.changed(.podReleased, now: .seconds(1))
        #expect(queue.pop(now: .seconds(1)) == nil)
        queue.changed(.nodeAdded, now: .seconds(1))
        #expect(queue.pop(now: .seconds(1))?.key == key)
    }

    @Test func tellsOnce() throws {
        var queue = try rejected()
        #expect(queue.tell("a", about: key) == true)
        #expect(queue.tell("a", about: key) == false)
        #expect(queue.tell("b", about: key) == true)
        queue.remove(key)
        #expect(queue.tell("c", about: key) == false)
    }

    @Test(arguments: [
        (FilterPlugins.nodeResourcesFit, ClusterEvents.podReleased, true),
        (.nodeResourcesFit, .nodeChanged, true), (.nodeResourcesFit, .podAssigned, false),
        (.nodeAffinity, .podReleased, false), (.nodeAffinity, .nodeAdded, true),
        (.taintToleration, .nodeChanged, true), (.interPodAffinity, .podAssigned, true),
        (.podTopologySpread, .nodeRemoved, true), (.nodePorts, .podReleased, true), (.nodePorts, .nodeRemoved, false),
    ])
    func relevance(plugins: FilterPlugins, event: ClusterEvents, expected: Bool) {
        #expect(plugins.relevantEvents.contains(event) == expected)
    }
}
