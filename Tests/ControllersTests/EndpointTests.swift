// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Controllers

@Suite("Endpoints of services")
struct EndpointTests {
    private func service(_ spec: [String: JSONValue] = [:]) -> KubeObject {
        var service = KubeObject(.services, namespace: "default", name: "web")
        service.metadata["uid"] = "uid-web"
        service.spec = [
            "selector": ["app": "web"], "clusterIP": "10.0.0.1",
            "ports": [["name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"]],
        ]
        for (key, value) in spec { service.spec[key] = value }
        return service
    }

    private func pods(_ count: Int) -> [KubeObject] {
        (0..<count).map { TestObjects.pod("p\($0)", address: "10.1.\($0 / 200).\($0 % 200 + 1)") }
    }

    @Test("ready, serving and terminating; pods without address, finished or not selected are left out")
    func conditions() throws {
        let pods = [
            TestObjects.pod("a", address: "10.1.0.1"), TestObjects.pod("b", ready: false, address: "10.1.0.2"),
            TestObjects.pod("c", deleting: true, address: "10.1.0.3"), TestObjects.pod("d"),
            TestObjects.pod("e", phase: "Succeeded", address: "10.1.0.5"),
            TestObjects.pod("f", labels: ["app": "db"], address: "10.1.0.6"),
        ]
        let computation = EndpointComputation(service: service(), pods: pods)
        let endpoints = try #require(computation.groups.values.first)
        #expect(computation.groups.count == 1)
        #expect(endpoints.map(\.podName) == ["a", "b", "c"])
        #expect(endpoints.map(\.isReady) == [true, false, false])
        #expect(endpoints.map(\.isServing) == [true, false, true])
        #expect(endpoints.map(\.isTerminating) == [false, false, true])
        let subset = try #require(computation.subsets(includesUnready: false).first)
        #expect(subset["addresses"].elements.map { $0["ip"] } == ["10.1.0.1"])
        #expect(subset["notReadyAddresses"].elements.map { $0["ip"] } == ["10.1.0.2"])
        let all = EndpointComputation(service: service(["publishNotReadyAddresses": true]), pods: pods)
        #expect(all.groups.values.first?.map(\.isReady) == [true, true, true])
    }

    @Test("named target ports are resolved per pod")
    func namedPorts() {
        var first = TestObjects.pod("a", address: "10.1.0.1")
        var second = TestObjects.pod("b", address: "10.1.0.2")
        first.spec["containers"] = [["name": "c", "ports": [["name": "web", "containerPort": 8000]]]]
        second.spec["containers"] = [["name": "c", "ports": [["name": "web", "containerPort": 9000]]]]
        let service = service(["ports": [["port": 80, "targetPort": "web"]]])
        let computation = EndpointComputation(
            service: service, pods: [first, second, TestObjects.pod("c", address: "10.1.0.3")])
        let numbers = computation.groups.mapValues { $0.map(\.podName) }
            .map { ports, names in "\(ports.map { $0["port"].int ?? 0 }) \(names)" }
        #expect(Set(numbers) == ["[8000] [\"a\"]", "[9000] [\"b\"]", "[] [\"c\"]"])
    }

    @Test("slices hold at most 100 endpoints, and an endpoint stays where it is")
    func slices() {
        let service = service()
        let groups = EndpointComputation(service: service, pods: pods(250)).groups
        let first = EndpointSlicePlan(service: service, groups: groups, existing: [])
        #expect(first.creations.map { $0["endpoints"].elements.count } == [100, 100, 50])
        #expect(Set(first.creations.map(\.name)).count == 3)
        #expect(first.creations.allSatisfy { $0.labels["kubernetes.io/service-name"] == "web" })

        let same = EndpointSlicePlan(service: service, groups: groups, existing: first.creations)
        #expect(same.creations.isEmpty && same.updates.isEmpty && same.deletions.isEmpty)

        var fewer = pods(250)
        fewer.removeAll { $0.name == "p1" }
        let less = EndpointSlicePlan(
            service: service, groups: EndpointComputation(service: service, pods: fewer).groups,
            existing: first.creations)
        #expect(less.updates.count == 1 && less.creations.isEmpty && less.deletions.isEmpty)
        #expect(less.updates.first?["endpoints"].elements.count == 99)
    }

    @Test("a service without pods keeps one empty slice")
    func empty() throws {
        let service = service()
        let plan = EndpointSlicePlan(service: service, groups: [:], existing: [])
        let slice = try #require(plan.creations.first)
        #expect(plan.creations.count == 1)
        #expect(slice["endpoints"] == [])
        let again = EndpointSlicePlan(service: service, groups: [:], existing: [slice])
        #expect(again.creations.isEmpty && again.updates.isEmpty && again.deletions.isEmpty)
        let groups = EndpointComputation(service: service, pods: pods(1)).groups
        let filled = EndpointSlicePlan(service: service, groups: groups, existing: [slice])
        #expect(filled.creations.count == 1 && filled.deletions.map(\.name) == [slice.name])
    }

    @Test("an old copy makes the same names again, and so no second slice")
    func names() {
        let service = service()
        let groups = EndpointComputation(service: service, pods: pods(3)).groups
        let first = EndpointSlicePlan(service: service, groups: groups, existing: [])
        let second = EndpointSlicePlan(service: service, groups: groups, existing: [])
        #expect(first.creations.map(\.name) == second.creations.map(\.name))
    }
}
