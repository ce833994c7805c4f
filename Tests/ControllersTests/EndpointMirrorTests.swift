// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Controllers

@Suite("Endpoints that are written by hand")
struct EndpointMirrorTests {
    private func endpoints(_ subsets: JSONValue) -> KubeObject {
        var object = KubeObject(.endpoints, namespace: "default", name: "db")
        object.metadata["uid"] = "uid-db"
        object.labels = ["team": "a"]
        object.annotations = ["note": "n", "endpoints.kubernetes.io/last-change-trigger-time": "t"]
        object["subsets"] = subsets
        return object
    }

    private let one: JSONValue = [
        [
            "addresses": [["ip": "10.0.0.1", "hostname": "h"], ["ip": "2001:db8::1"]],
            "notReadyAddresses": [["ip": "10.0.0.2"]], "ports": [["port": 5432]],
        ]
    ]

    @Test("one slice by family and ports, owned by the object")
    func creation() throws {
        let plan = EndpointMirrorPlan(endpoints: endpoints(one), existing: [])
        #expect(plan.creations.map { $0["addressType"] } == ["IPv4", "IPv6"])
        #expect(plan.updates.isEmpty && plan.deletions.isEmpty)
        let slice = try #require(plan.creations.first)
        #expect(
            slice.labels == [
                "team": "a", "kubernetes.io/service-name": "db",
                "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
            ])
        #expect(slice.annotations == ["note": "n"])
        #expect(slice.ownerReferences.map(\.uid) == ["uid-db"])
        #expect(slice["ports"].elements == [["name": "", "port": 5432, "protocol": "TCP", "appProtocol": .null]])
        #expect(slice["endpoints"].elements.map { $0["addresses"] } == [["10.0.0.1"], ["10.0.0.2"]])
        #expect(slice["endpoints"].elements.map { $0["conditions"]["ready"] } == [true, false])
        #expect(slice["endpoints"].elements[0]["hostname"] == "h")
        #expect(slice.name.hasPrefix("db-"))
    }

    @Test("a second look changes nothing; changes update, what is not needed goes")
    func changes() {
        let made = EndpointMirrorPlan(endpoints: endpoints(one), existing: []).creations
        let again = EndpointMirrorPlan(endpoints: endpoints(one), existing: made)
        #expect(again.creations.isEmpty && again.updates.isEmpty && again.deletions.isEmpty)
        let fewer: JSONValue = [["addresses": [["ip": "10.0.0.9"]], "ports": [["port": 5432]]]]
        let changed = EndpointMirrorPlan(endpoints: endpoints(fewer), existing: made)
        #expect(changed.updates.map { $0["endpoints"].elements.count } == [1])
        #expect(changed.deletions.map { $0["addressType"] } == ["IPv6"])
        let none = EndpointMirrorPlan(endpoints: endpoints([]), existing: made)
        #expect(none.deletions.count == 2 && none.creations.isEmpty)
    }

    @Test("leader elections and what says so are left out")
    func exclusions() {
        var object = endpoints(one)
        #expect(EndpointMirrorPlan.isWanted(object))
        object.labels["endpointslice.kubernetes.io/skip-mirror"] = "true"
        #expect(!EndpointMirrorPlan.isWanted(object))
        object = endpoints(one)
        object.annotations["control-plane.alpha.kubernetes.io/leader"] = "{}"
        #expect(!EndpointMirrorPlan.isWanted(object))
    }

    @Test("at most a thousand addresses of a subset")
    func bounds() {
        let many = (0..<1500).map { JSONValue.object(["ip": .string("10.1.\($0 / 250).\($0 % 250)")]) }
        let plan = EndpointMirrorPlan(
            endpoints: endpoints([["addresses": .array(many), "ports": [["port": 1]]]]), existing: [])
        #expect(plan.creations.map { $0["endpoints"].elements.count } == [1000])
    }
}
