// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import ServiceProxy
import Testing

@Suite struct ServiceTableTests {
    private let key = ObjectKey(namespace: "shop", name: "web")

    private func service(_ spec: JSONValue) -> KubeObject {
        var object = KubeObject(.services, namespace: "shop", name: "web")
        object.spec = spec
        return object
    }

    private func slice(_ name: String, ports: JSONValue, endpoints: JSONValue) -> KubeObject {
        var object = KubeObject(.endpointSlices, namespace: "shop", name: name)
        object.labels = ["kubernetes.io/service-name": "web"]
        object["addressType"] = "IPv4"
        object["ports"] = ports
        object["endpoints"] = endpoints
        return object
    }

    private let http: JSONValue = [["name": "http", "port": 8080, "protocol": "TCP"]]
    private let plain: JSONValue = [
        "type": "ClusterIP", "clusterIP": "127.96.0.1", "ports": [["name": "http", "port": 80, "targetPort": "web"]],
    ]

    @Test func joinsPortsAndEndpointsByName() {
        var table = ServiceTable()
        table.setService(
            service([
                "type": "NodePort", "clusterIP": "127.96.0.1",
                "ports": [
                    ["name": "http", "port": 80, "nodePort": 30080],
                    ["name": "dns", "port": 53, "protocol": "UDP", "nodePort": 30053],
                ],
            ]))
        table.setSlice(
            slice(
                "a", ports: [["name": "http", "port": 8080], ["name": "dns", "port": 5353, "protocol": "UDP"]],
                endpoints: [["addresses": ["127.1.0.2"]], ["addresses": ["127.1.0.1"], "conditions": ["ready": true]]]))
        let ports = table.ports(of: key)
        #expect(ports.map(\.name) == ["http", "dns"])
        #expect(ports[0].listeners == [ListenerKey(.tcp, "127.96.0.1", 80), ListenerKey(.tcp, "127.0.0.1", 30080)])
        #expect(ports[0].endpoints.map(\.description) == ["127.1.0.1:8080", "127.1.0.2:8080"])
        #expect(ports[1].listeners == [ListenerKey(.udp, "127.96.0.1", 53), ListenerKey(.udp, "127.0.0.1", 30053)])
        #expect(ports[1].endpoints.map(\.description) == ["127.1.0.1:5353", "127.1.0.2:5353"])
    }

    @Test(arguments: [
        ("[{\"addresses\":[\"127.1.0.1\"],\"conditions\":{\"ready\":false}}]", []),
        ("[{\"addresses\":[\"127.1.0.1\"],\"conditions\":{}}]", ["127.1.0.1:8080"]),
        (
            "[{\"addresses\":[\"127.1.0.1\"],\"conditions\":{\"ready\":false,\"serving\":true,\"terminating\":true}}]",
            ["127.1.0.1:8080"]
        ),
        (
            "[{\"addresses\":[\"127.1.0.1\"],\"conditions\":{\"ready\":false,\"serving\":false,\"terminating\":true}}]",
            []
        ),
        (
            """
            [{"addresses":["127.1.0.1"],"conditions":{"ready":false,"serving":true,"terminating":true}},
             {"addresses":["127.1.0.2"],"conditions":{"ready":true}}]
            """, ["127.1.0.2:8080"]
        ),
    ])
    func takesReadyEndpointsOrElseTerminatingOnes(endpoints: String, expected: [String]) throws {
        var table = ServiceTable()
        table.setService(service(plain))
        table.setSlice(slice("a", ports: http, endpoints: try JSONParser.parse(Array(endpoints.utf8))))
        #expect(table.ports(of: key).first?.endpoints.map(\.description) == expected)
    }

    @Test func mergesSlicesAndForgetsThem() {
        var table = ServiceTable()
        table.setService(service(plain))
        table.setSlice(slice("a", ports: http, endpoints: [["addresses": ["127.1.0.1"]]]))
        let second = slice("b", ports: http, endpoints: [["addresses": ["127.1.0.2"]], ["addresses": ["127.1.0.1"]]])
        table.setSlice(second)
        #expect(table.ports(of: key).first?.endpoints.count == 2)
        table.removeSlice(second.key)
        #expect(table.ports(of: key).first?.endpoints.map(\.address) == ["127.1.0.1"])
        table.removeService(key)
        #expect(table.ports(of: key).isEmpty)
    }

    @Test(arguments: [
        "{\"clusterIP\":\"None\",\"ports\":[{\"port\":80}]}",
        "{\"type\":\"ExternalName\",\"externalName\":\"a.example\",\"ports\":[{\"port\":80}]}",
        "{\"ports\":[{\"port\":80}]}",
        "{\"clusterIP\":\"127.96.0.1\",\"ports\":[{\"port\":80,\"protocol\":\"SCTP\"},{\"port\":0},{\"port\":70000}]}",
    ])
    func leavesOutWhatIsNotForwarded(spec: String) throws {
        var table = ServiceTable()
        table.setService(service(try JSONParser.parse(Array(spec.utf8))))
        #expect(table.ports(of: key).isEmpty)
    }

    @Test func readsSessionAffinity() {
        var table = ServiceTable()
        var spec = plain
        spec["sessionAffinity"] = "ClientIP"
        table.setService(service(spec))
        #expect(table.ports(of: key).first?.affinityTimeout == .seconds(10_800))
        spec["sessionAffinityConfig"] = ["clientIP": ["timeoutSeconds": 60]]
        table.setService(service(spec))
        #expect(table.ports(of: key).first?.affinityTimeout == .seconds(60))
        #expect(table.ports(of: key).first?.listeners == [ListenerKey(.tcp, "127.96.0.1", 80)])
    }

    @Test func forgetsAServiceThatBecomesHeadless() {
        var table = ServiceTable()
        table.setService(service(plain))
        table.setService(service(["clusterIP": "None", "ports": [["port": 80]]]))
        #expect(table.ports(of: key).isEmpty)
    }
}
