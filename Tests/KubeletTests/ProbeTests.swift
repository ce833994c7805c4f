// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Kubelet

@Suite struct ProbeTests {
    /// Results as `+` and `-`; the answer at each: `P` passes from now on, `F` fails from now on, `.` no news.
    @Test(arguments: [
        (1, 3, "+", "P"), (1, 3, "--", ".."), (1, 3, "---", "..F"), (1, 3, "--+---", "..P..F"),
        (2, 1, "++-+++", ".PF.P."), (1, 1, "-+-+", "FPFP"), (1, 3, "+--+--+", "P......"), (1, 2, "----", ".F.."),
    ])
    func thresholds(success: Int, failure: Int, results: String, expected: String) {
        let plan = ProbePlan(
            ["tcpSocket": ["port": 1], "successThreshold": JSONValue(success), "failureThreshold": JSONValue(failure)],
            kind: .readiness, container: nil)
        var machine = ProbeMachine(plan)
        let answers = results.map { result -> String in
            switch machine.record(success: result == "+") {
            case .some(true): "P"
            case .some(false): "F"
            case .none: "."
            }
        }
        #expect(answers.joined() == expected)
    }

    @Test func `defaults and named ports`() {
        let container: JSONValue = [
            "name": "a", "ports": [["name": "http", "containerPort": 8080]],
            "livenessProbe": ["httpGet": ["port": "http", "path": "live"], "successThreshold": 5],
        ]
        let probe = ContainerPlan(container, role: .main).probes[.liveness]
        #expect(probe?.action == .http(scheme: "http", host: "", port: 8080, path: "/live", headers: []))
        #expect(probe?.period == .seconds(10))
        #expect(probe?.timeout == .seconds(1))
        #expect(probe?.failureThreshold == 3)
        #expect(probe?.successThreshold == 1)
        #expect(ContainerPlan(container, role: .initializer).probes.isEmpty)
    }

    @Test(
        arguments: [
            ["grpc": ["port": 1]], ["httpGet": ["port": "nope"]], ["tcpSocket": ["port": 70000]], [:],
        ] as [JSONValue])
    func `what cannot be asked says why`(json: JSONValue) {
        guard case .unsupported(let message) = ProbeAction(json, container: ["ports": []]) else {
            Issue.record("expected it to be unsupported")
            return
        }
        #expect(!message.isEmpty)
    }
}
