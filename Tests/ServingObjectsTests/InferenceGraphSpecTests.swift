// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing
import YAMLFormat

@testable import ServingObjects

@Suite struct InferenceGraphSpecTests {
    private func spec(_ yaml: String) throws -> InferenceGraphSpec {
        let documents = try YAMLDocuments.parse(yaml)
        return try InferenceGraphSpec(documents[0], name: "g", namespace: "n", generation: 3)
    }

    @Test func readsAllFields() throws {
        let graph = try spec(
            """
            nodes:
              root:
                routerType: Sequence
                steps:
                - {serviceName: cats, name: first, dependency: Hard}
                - {nodeName: breeds, data: $response, condition: '[@this].#(predictions.0=="cat")',
                   mapPredictionsToInstances: true}
              breeds:
                routerType: Splitter
                steps:
                - {serviceUrl: 'http://a.example', weight: 20}
                - {serviceName: b, serviceUrl: 'http://10.0.0.1/v2/models/b/infer', weight: 80}
            timeout: 30
            routerTimeouts: {serverRead: 5, serviceClient: 7}
            minReplicas: 2
            maxReplicas: 4
            scaleMetric: rps
            scaleTarget: 50
            nodeSelector: {disk: ssd}
            resources: {limits: {cpu: "1"}}
            """)
        let root = try #require(graph.nodes["root"])
        #expect(root.kind == .sequence && root.steps[0].isHard && root.steps[0].label(0) == "first")
        #expect(root.steps[0].target == .service("cats", url: nil))
        #expect(root.steps[1].takesResponse && root.steps[1].mapsPredictions && root.steps[1].label(1) == "1")
        #expect(root.steps[1].condition?.text == "[@this].#(predictions.0==\"cat\")")
        let breeds = try #require(graph.nodes["breeds"])
        #expect(breeds.steps.map(\.weight) == [20, 80])
        #expect(breeds.steps[1].target == .service("b", url: "http://10.0.0.1/v2/models/b/infer"))
        #expect(
            graph.timeout == .seconds(30) && graph.timeouts.read == .seconds(5) && graph.timeouts.call == .seconds(7))
        #expect((graph.minimum, graph.maximum, graph.scaleTarget, graph.scaleMetric) == (2, 4, 50, .rps))
        #expect(graph.podSpec["nodeSelector"]["disk"].string == "ssd" && graph.generation == 3)
    }

    @Test(
        arguments: [
            ("nodes: {}", "no node 'root'"), ("nodes: {root: {routerType: Sequence, steps: []}}", "1 to 256 steps"),
            ("nodes: {root: {routerType: Loop, steps: [{serviceName: a}]}}", "routerType must be"),
            ("nodes: {root: {routerType: Sequence, steps: [{name: a}]}}", "one of nodeName"),
            ("nodes: {root: {routerType: Sequence, steps: [{nodeName: a, serviceName: b}]}}", "one of nodeName"),
            ("nodes: {root: {routerType: Sequence, steps: [{nodeName: a}]}}", "'a', which is not there"),
            ("nodes: {root: {routerType: Sequence, steps: [{nodeName: root}]}}", "round in a circle"),
            (
                "nodes: {root: {routerType: Sequence, steps: [{serviceUrl: 'file:///etc/passwd'}]}}",
                "must begin with http"
            ),
            ("nodes: {root: {routerType: Sequence, steps: [{serviceName: a, data: $x}]}}", "data must be"),
            ("nodes: {root: {routerType: Sequence, steps: [{serviceName: a, dependency: X}]}}", "dependency must be"),
            ("nodes: {root: {routerType: Switch, steps: [{serviceName: a, condition: 'a|b'}]}}", "condition 'a|b'"),
            ("nodes: {root: {routerType: Splitter, steps: [{serviceName: a, weight: 50}]}}", "100, not 50"),
            ("nodes: {root: {routerType: Splitter, steps: [{serviceName: a}]}}", "needs a weight"),
            ("nodes: {root: {routerType: Splitter, steps: [{serviceName: a, weight: -1}]}}", "needs a weight"),
            (
                "nodes: {root: {routerType: Sequence, steps: [{serviceName: a, name: x}, {serviceName: b, name: x}]}}",
                "two steps of the name 'x'"
            ),
            (
                "nodes: {root: {routerType: Sequence, steps: [{serviceName: a}]}}\nminReplicas: 3\nmaxReplicas: 2",
                "more than spec.maxReplicas"
            ),
        ])
    func saysWhatIsWrong(_ yaml: String, _ part: String) {
        let fault = #expect(throws: SpecFault.self) { try spec(yaml) }
        #expect(fault?.description.contains(part) == true, "\(fault?.description ?? "")")
    }

    @Test func nodesThatAreSharedAreNoCircle() throws {
        let graph = try spec(
            """
            nodes:
              root: {routerType: Ensemble, steps: [{nodeName: a}, {nodeName: b}]}
              a: {routerType: Sequence, steps: [{nodeName: c}]}
              b: {routerType: Sequence, steps: [{nodeName: c}]}
              c: {routerType: Sequence, steps: [{serviceName: x}]}
            """)
        #expect(graph.nodes.count == 4)
    }
}
