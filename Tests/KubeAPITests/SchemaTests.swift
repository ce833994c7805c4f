// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@Suite struct SchemaTests {
    private let schema = Schema.builtIn

    @Test func knowsTheFactsOfAField() throws {
        let container = try #require(schema.type(named: "core.v1.Container"))
        let ports = try #require(container.field("ports"))
        #expect(ports.number == 6)
        #expect(ports.patchStrategies == ["merge"])
        #expect(ports.mergeKey == "containerPort")
        #expect(ports.listType == "map")
        #expect(ports.listMapKeys == ["containerPort", "protocol"])
        #expect(ports.omitsEmpty && !ports.isPointer && !ports.isRequired)
        let name = try #require(container.field("name"))
        #expect(name.isRequired && !name.omitsEmpty && name.type == .string(name: nil))
        let replicas = schema.type(named: "apps.v1.DeploymentSpec")?.field("replicas")
        #expect(replicas?.isPointer == true && replicas?.type == .int32)
        let portProtocol = schema.type(named: "core.v1.ContainerPort")?.field("protocol")
        #expect(portProtocol?.type == .string(name: "core.v1.Protocol"))
        #expect(portProtocol?.defaultValue == "TCP")
        #expect(schema.enumerations["core.v1.Protocol"] == ["SCTP", "TCP", "UDP"])
    }

    @Test func flattensInlinedStructs() throws {
        let volume = try #require(schema.type(named: "core.v1.Volume"))
        #expect(volume.field("emptyDir") != nil && volume.field("volumeSource") == nil)
        #expect(schema.type(named: "core.v1.Probe")?.field("httpGet") != nil)
        #expect(schema.type(named: "core.v1.ConfigMapKeySelector")?.field("name") != nil)
    }

    /// A type that is referred to but not in the table would have no fields.
    @Test func everyTypeIsDefined() {
        let empty = schema.messages.filter { $0.fields.isEmpty }.map(\.name)
        // The one type whose presence is all that it says.
        #expect(empty == ["apiextensions.v1.CustomResourceSubresourceStatus"])
        for message in schema.messages {
            #expect(Set(message.jsonFields.map(\.name)).count == message.jsonFields.count, "\(message.name)")
            let numbers = message.fields.map(\.number).filter { $0 > 0 }
            #expect(Set(numbers).count == numbers.count, "\(message.name)")
        }
    }

    @Test(arguments: [
        ("v1", "Pod", true), ("apps/v1", "Deployment", true), ("apps/v1", "Pod", false), ("v1", "DeleteOptions", true),
        ("apps/v1", "DeleteOptions", true), ("policy/v1", "Eviction", true), ("autoscaling/v1", "Scale", true),
        ("example.com/v1", "Widget", false), ("", "", false),
    ])
    func findsKinds(apiVersion: String, kind: String, isKnown: Bool) {
        let found = schema.type(GroupVersionKind(apiVersion: apiVersion, kind: kind))
        #expect((found != nil) == isKnown)
    }
}
