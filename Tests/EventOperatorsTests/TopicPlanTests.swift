// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import EventOperators

@Suite struct TopicPlanTests {
    private func object(_ spec: JSONValue, name: String = "ratings") -> KubeObject {
        var object = KubeObject(KafkaTopicReconciler.resource(version: "v1beta2"), namespace: "default", name: name)
        object.spec = spec
        return object
    }

    @Test func declarationsTakeTheirDefaultsAndKafkasText() throws {
        #expect(try TopicDeclaration(object([:])) == TopicDeclaration(name: "ratings"))
        let spec: JSONValue = [
            "topicName": "Movie_Ratings.v1", "partitions": 6, "replicas": 1,
            "config": ["retention.ms": 7_200_000, "cleanup.policy": "compact", "preallocate": false],
        ]
        #expect(
            try TopicDeclaration(object(spec))
                == TopicDeclaration(
                    name: "Movie_Ratings.v1", partitions: 6, replicas: 1,
                    configuration: [
                        "retention.ms": "7200000", "cleanup.policy": "compact", "preallocate": "false",
                    ]))
    }

    @Test(
        arguments: [
            ["topicName": "a/b"], ["topicName": ""], ["topicName": ".."],
            ["topicName": .string(String(repeating: "x", count: 250))], ["partitions": 0], ["replicas": -1],
            ["config": ["a": ["b": 1]]],
        ] as [JSONValue])
    func wrongDeclarationsSayWhatIsWrong(_ spec: JSONValue) {
        let error = #expect(throws: Refusal.self) { try TopicDeclaration(object(spec)) }
        #expect(error?.reason == .invalid && error?.description.isEmpty == false)
    }

    @Test func whatIsMissingIsCreated() throws {
        #expect(try TopicStep.plan(TopicDeclaration(name: "t", partitions: 3), present: nil) == [.create])
    }

    @Test func whatIsAsDeclaredIsLeftAlone() throws {
        let present = TopicState(partitions: 4, replicas: 1, configuration: ["retention.ms": "5"])
        let settings = ["retention.ms": "5"]
        #expect(try TopicStep.plan(TopicDeclaration(name: "t", configuration: settings), present: present) == [])
        #expect(
            try TopicStep.plan(
                TopicDeclaration(name: "t", partitions: 4, replicas: 1, configuration: settings), present: present)
                == [])
    }

    @Test func partitionsGrowAndSettingsFollow() throws {
        let present = TopicState(
            partitions: 2, replicas: 1, configuration: ["retention.ms": "5", "cleanup.policy": "compact"])
        let declared = TopicDeclaration(
            name: "t", partitions: 5, configuration: ["retention.ms": "6", "segment.bytes": "1048576"])
        #expect(
            try TopicStep.plan(declared, present: present) == [
                .addPartitions(total: 5),
                .configure(set: ["retention.ms": "6", "segment.bytes": "1048576"], remove: ["cleanup.policy"]),
            ])
    }

    @Test func nothingIsDoneWherePartitionsWouldShrinkOrReplicasMove() {
        let present = TopicState(partitions: 5, replicas: 1, configuration: [:])
        for declared in [
            TopicDeclaration(name: "t", partitions: 4, configuration: ["retention.ms": "6"]),
            TopicDeclaration(name: "t", partitions: 9, replicas: 3),
        ] {
            let error = #expect(throws: Refusal.self) { try TopicStep.plan(declared, present: present) }
            #expect(error?.reason == .notSupported)
        }
    }
}
