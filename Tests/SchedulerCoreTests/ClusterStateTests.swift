// SPDX-License-Identifier: Apache-2.0
import KubeAPI
import SchedulerCore
import Testing

@Suite struct ClusterStateTests {
    private let key = ObjectKey(namespace: "default", name: "p")

    @Test func assumesAndForgets() throws {
        var cluster = Fixture.cluster([try Fixture.node("n")])
        let pod = try Fixture.pod("p", cpu: "1")
        cluster.assume(pod, on: "n")
        #expect(cluster.isAssumed(key) && cluster.contains(key, uid: pod.uid))
        #expect(cluster.node("n")?.requested.cpu == 1000)
        #expect(cluster.forget(key, uid: "another") == false)
        #expect(cluster.forget(key, uid: pod.uid) == true)
        #expect(cluster.node("n")?.requested.cpu == 0)
        #expect(cluster.forget(key, uid: pod.uid) == false)
    }

    @Test func confirmsWhatWasAssumed() throws {
        var cluster = Fixture.cluster(try ["n", "m"].map { try Fixture.node($0) })
        cluster.assume(try Fixture.pod("p", cpu: "1"), on: "n")
        // Somebody else bound it elsewhere: what the API server says holds.
        cluster.setPod(try Fixture.pod("p", cpu: "1", node: "m"))
        #expect(cluster.forget(key, uid: "uid-p") == false)
        #expect(cluster.node("n")?.requested.cpu == 0)
        #expect(cluster.node("m")?.requested.cpu == 1000)
        #expect(cluster.podCount == 1)
    }

    @Test func podsMayComeBeforeTheirNode() throws {
        var cluster = ClusterState()
        cluster.setPod(try Fixture.pod("p", cpu: "1", node: "n"))
        cluster.setNode(try Fixture.node("n"))
        #expect(cluster.node("n")?.requested.cpu == 1000)
        cluster.removeNode("n")
        #expect(cluster.node("n") == nil && cluster.podCount == 1)
        cluster.setNode(try Fixture.node("n"))
        #expect(cluster.node("n")?.pods.count == 1)
        cluster.removeNode("n")
        #expect(cluster.removePod(key) == true)
        cluster.setNode(try Fixture.node("n"))
        #expect(cluster.node("n")?.pods.isEmpty == true)
    }

    @Test func nodesStaySorted() throws {
        var cluster = ClusterState()
        for name in ["c", "a", "d", "b"] { cluster.setNode(try Fixture.node(name)) }
        #expect(cluster.nodes.map(\.spec.name) == ["a", "b", "c", "d"])
        cluster.removeNode("b")
        for name in ["a", "c", "d"] { #expect(cluster.node(name)?.spec.name == name) }
        cluster.setNode(try Fixture.node("c", cpu: "7"))
        #expect(cluster.node("c")?.spec.allocatable.cpu == 7000)
        #expect(cluster.nodes.count == 3)
    }
}
