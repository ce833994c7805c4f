// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient
import Synchronization
import Testing

@testable import Controllers

@Suite("Workloads on a real API server")
struct WorkloadClusterTests {
    private func deployment(
        _ name: String = "web", replicas: Int, image: String = "v1", spec: [String: JSONValue] = [:]
    ) -> KubeObject {
        var object = KubeObject(.deployments, namespace: "default", name: name)
        object.spec = [
            "replicas": JSONValue(replicas), "selector": ["matchLabels": ["app": .string(name)]],
            "template": template(name, image: image),
        ]
        for (key, value) in spec { object.spec[key] = value }
        return object
    }

    private func template(_ app: String, image: String, restartPolicy: String? = nil) -> JSONValue {
        [
            "metadata": ["labels": ["app": .string(app)]],
            "spec": [
                "containers": [["name": "c", "image": .string(image)]], "restartPolicy": JSONValue(restartPolicy),
            ],
        ]
    }

    private static func isRolledOut(_ object: KubeObject, replicas: Int) -> Bool {
        let status = object.status
        return status["updatedReplicas"].int == replicas && status["replicas"].int == replicas
            && status["availableReplicas"].int == replicas && status["observedGeneration"].int == object.generation
            && Conditions.find("Progressing", in: status)["reason"].string == "NewReplicaSetAvailable"
    }

    @Test("a Deployment comes up, rolls to a new version within its bounds, and back, with revisions")
    func rollout() async throws {
        try await TestCluster.run { cluster in
            _ = try await cluster.client.create(.deployments, deployment(replicas: 4))
            let first = try await cluster.wait(.deployments, "web") { Self.isRolledOut($0, replicas: 4) }
            #expect(first.annotations["deployment.kubernetes.io/revision"] == "1")
            #expect(Conditions.isTrue("Available", in: first.status))

            // Every state that a watch shows keeps the bounds: at most 5 pods wanted, at least 3 ready (25 % of 4). Pods
            // that are going count no more, as upstream: how many there are at once depends on how soon they are gone.
            let start = try await cluster.client.list(.pods, namespace: "default")
            let startSets = try await cluster.client.list(.replicaSets, namespace: "default")
            try await cluster.change(.deployments, "web", ["spec": ["template": template("web", image: "v2")]])
            let second = try await cluster.wait(.deployments, "web") {
                Self.isRolledOut($0, replicas: 4) && $0.annotations["deployment.kubernetes.io/revision"] == "2"
            }
            #expect(second.status["unavailableReplicas"].isNull)
            var pods: [ObjectKey: KubeObject] = [:]
            for pod in start.items { pods[pod.key] = pod }
            var newest = 0
            let events = try await cluster.client.watch(
                .pods, namespace: "default", resourceVersion: start.resourceVersion)
            for try await event in events {
                switch event {
                case .added(let pod), .modified(let pod): pods[pod.key] = pod
                case .deleted(let pod): pods[pod.key] = nil
                case .bookmark: continue
                }
                #expect(pods.values.count(where: \.isReadyPod) >= 3)
                newest = pods.values.count { $0.isReadyPod && $0.spec["containers"][0]["image"] == "v2" }
                if newest == 4, pods.count == 4 { break }
            }
            var wanted: [ObjectKey: Int] = [:]
            for set in startSets.items { wanted[set.key] = set.spec["replicas"].int }
            let changes = try await cluster.client.watch(
                .replicaSets, namespace: "default", resourceVersion: startSets.resourceVersion)
            for try await event in changes {
                switch event {
                case .added(let set), .modified(let set): wanted[set.key] = set.spec["replicas"].int
                case .deleted(let set): wanted[set.key] = nil
                case .bookmark: continue
                }
                #expect(wanted.values.reduce(0, +) <= 5)
                if startSets.items.allSatisfy({ wanted[$0.key] == 0 }), wanted.values.reduce(0, +) == 4 { break }
            }

            try await cluster.change(.deployments, "web", ["spec": ["template": template("web", image: "v1")]])
            try await cluster.wait(.deployments, "web") {
                Self.isRolledOut($0, replicas: 4) && $0.annotations["deployment.kubernetes.io/revision"] == "3"
            }
            let after = try await cluster.client.list(.replicaSets, namespace: "default").items
            #expect(after.count == 2, "the old ReplicaSet was used again")
            #expect(Set(after.map(\.revision)) == [2, 3])
        }
    }

    @Test("a name that another ReplicaSet has is counted as a collision and avoided")
    func collision() async throws {
        try await TestCluster.run { cluster in
            let made = try await cluster.client.create(.deployments, deployment(replicas: 0))
            let first = try await cluster.wait(.replicaSets) { $0.count == 1 }
            let name = try #require(first.first?.name)
            try await cluster.client.delete(.deployments, made.key, .init(propagationPolicy: "Background"))
            try await cluster.wait(.replicaSets) { $0.isEmpty }
            var squatter = KubeObject(.replicaSets, namespace: "default", name: name)
            squatter.spec = [
                "replicas": 0, "selector": ["matchLabels": ["app": "other"]],
                "template": template("other", image: "v1"),
            ]
            _ = try await cluster.client.create(.replicaSets, squatter)
            _ = try await cluster.client.create(.deployments, deployment(replicas: 1))
            let rolled = try await cluster.wait(.deployments, "web") { Self.isRolledOut($0, replicas: 1) }
            #expect(rolled.status["collisionCount"] == 1)
            let sets = try await cluster.client.list(.replicaSets, namespace: "default").items
            #expect(sets.filter { $0.controllerOwner?.uid == rolled.uid }.map(\.name) != [name])
        }
    }

    @Test("scaling in a stalled rollout shares the change between the versions")
    func proportional() async throws {
        try await TestCluster.run { cluster in
            let strategy: JSONValue = ["rollingUpdate": ["maxSurge": 3, "maxUnavailable": 2]]
            _ = try await cluster.client.create(
                .deployments, deployment(replicas: 10, spec: ["strategy": strategy]))
            try await cluster.wait(.deployments, "web") { Self.isRolledOut($0, replicas: 10) }
            try await cluster.change(.deployments, "web", ["spec": ["template": template("web", image: "unready")]])
            try await cluster.wait(.replicaSets) { Set($0.map(\.wantedReplicas)) == [8, 5] }
            try await cluster.change(.deployments, "web", ["spec": ["replicas": 30]])
            // 33 pods are allowed: 8 and 5 of 13 become 20 and 13.
            try await cluster.wait(.replicaSets) { Set($0.map(\.wantedReplicas)) == [20, 13] }
        }
    }

    @Test("what was done is told in events")
    func events() async throws {
        try await TestCluster.run { cluster in
            _ = try await cluster.client.create(.deployments, deployment(replicas: 2))
            let events = try await cluster.wait(.events) { events in
                events.count { $0["reason"] == "SuccessfulCreate" } == 2
                    && events.contains { $0["reason"] == "ScalingReplicaSet" }
            }
            let scaling = try #require(events.first { $0["reason"] == "ScalingReplicaSet" })
            let set = try #require(try await cluster.client.list(.replicaSets, namespace: "default").items.first)
            #expect(scaling["message"].string == "Scaled up replica set \(set.name) from 0 to 2")
            #expect(scaling["involvedObject"]["kind"] == "Deployment")
            #expect(scaling["source"]["component"] == "deployment-controller")
        }
    }

    @Test("a version that never becomes ready stalls, exceeds its deadline, and leaves the old one serving")
    func stall() async throws {
        try await TestCluster.run { cluster in
            let spec: [String: JSONValue] = [
                "progressDeadlineSeconds": 1,
                "strategy": ["rollingUpdate": ["maxSurge": 1, "maxUnavailable": 0]],
            ]
            _ = try await cluster.client.create(.deployments, deployment(replicas: 2, spec: spec))
            try await cluster.wait(.deployments, "web") { Self.isRolledOut($0, replicas: 2) }
            try await cluster.change(.deployments, "web", ["spec": ["template": template("web", image: "unready")]])
            let stalled = try await cluster.wait(.deployments, "web") {
                Conditions.find("Progressing", in: $0.status)["reason"].string == "ProgressDeadlineExceeded"
                    && $0.status["updatedReplicas"].int == 1
            }
            #expect(stalled.status["availableReplicas"] == 2)
            #expect(Conditions.isTrue("Available", in: stalled.status))
            try await cluster.change(.deployments, "web", ["spec": ["template": template("web", image: "v1")]])
            try await cluster.wait(.deployments, "web") { Self.isRolledOut($0, replicas: 2) }
        }
    }

    @Test("Recreate ends every old pod before the first new one starts")
    func recreate() async throws {
        try await TestCluster.run { cluster in
            _ = try await cluster.client.create(
                .deployments, deployment(replicas: 3, spec: ["strategy": ["type": "Recreate"]]))
            try await cluster.wait(.deployments, "web") { Self.isRolledOut($0, replicas: 3) }
            let start = try await cluster.client.list(.pods, namespace: "default")
            try await cluster.change(.deployments, "web", ["spec": ["template": template("web", image: "v2")]])
            try await cluster.wait(.deployments, "web") {
                Self.isRolledOut($0, replicas: 3) && $0.annotations["deployment.kubernetes.io/revision"] == "2"
            }
            var images: [ObjectKey: String] = [:]
            for pod in start.items { images[pod.key] = "v1" }
            let events = try await cluster.client.watch(
                .pods, namespace: "default", resourceVersion: start.resourceVersion)
            for try await event in events {
                switch event {
                case .added(let pod), .modified(let pod):
                    images[pod.key] = pod.spec["containers"][0]["image"].string
                case .deleted(let pod): images[pod.key] = nil
                case .bookmark: continue
                }
                #expect(Set(images.values).count <= 1)
                if images.count == 3, images.values.allSatisfy({ $0 == "v2" }) { break }
            }
        }
    }

    @Test("a paused Deployment can be scaled but not rolled")
    func paused() async throws {
        try await TestCluster.run { cluster in
            _ = try await cluster.client.create(.deployments, deployment(replicas: 2))
            try await cluster.wait(.deployments, "web") { Self.isRolledOut($0, replicas: 2) }
            let change: JSONValue = [
                "spec": ["paused": true, "replicas": 3, "template": template("web", image: "v2")]
            ]
            try await cluster.change(.deployments, "web", change)
            try await cluster.wait(.deployments, "web") { object in
                object.status["availableReplicas"].int == 3
                    && Conditions.find("Progressing", in: object.status)["reason"].string == "DeploymentPaused"
            }
            let sets = try await cluster.client.list(.replicaSets, namespace: "default").items
            #expect(sets.count == 1)
            try await cluster.change(.deployments, "web", .object(["spec": .object(["paused": .null])]))
            try await cluster.wait(.deployments, "web") { object in
                object.status["updatedReplicas"].int == 3 && object.status["replicas"].int == 3
            }
        }
    }

    @Test("100 pods come up, and no more than 100 are ever created")
    func hundred() async throws {
        try await TestCluster.run { cluster in
            let start = try await cluster.client.list(.pods, namespace: "default")
            _ = try await cluster.client.create(.deployments, deployment(replicas: 100))
            try await cluster.wait(.deployments, "web") { Self.isRolledOut($0, replicas: 100) }
            try await cluster.change(.deployments, "web", ["spec": ["replicas": 1]])
            try await cluster.wait(.deployments, "web") { Self.isRolledOut($0, replicas: 1) }
            var created = 0
            var deleted = 0
            let events = try await cluster.client.watch(
                .pods, namespace: "default", resourceVersion: start.resourceVersion)
            for try await event in events {
                if case .added = event { created += 1 }
                if case .deleted = event { deleted += 1 }
                if deleted == 99 { break }
            }
            #expect(created == 100)
        }
    }

    @Test("a pod that is lost is replaced; one whose label changes is let go and replaced; an orphan is adopted")
    func ownership() async throws {
        try await TestCluster.run { cluster in
            _ = try await cluster.client.create(.deployments, deployment(replicas: 2))
            try await cluster.wait(.deployments, "web") { Self.isRolledOut($0, replicas: 2) }
            let pods = try await cluster.client.list(.pods, namespace: "default").items.sorted { $0.name < $1.name }
            let (lost, freed) = (pods[0], pods[1])
            try await cluster.client.delete(.pods, lost.key)
            try await cluster.change(.pods, freed.name, ["metadata": ["labels": ["app": "free"]]])
            let now = try await cluster.wait(.pods) { pods in
                pods.count == 3 && pods.count(where: { $0.controllerOwner == nil }) == 1
                    && pods.allSatisfy(\.isReadyPod)
            }
            #expect(!now.contains { $0.uid == lost.uid })
            #expect(now.first { $0.controllerOwner == nil }?.uid == freed.uid)
            try await cluster.change(.pods, freed.name, ["metadata": ["labels": ["app": "web"]]])
            try await cluster.wait(.pods) { pods in
                pods.count == 2 && pods.allSatisfy { $0.controllerOwner?.kind == "ReplicaSet" }
            }
        }
    }

    @Test("a service has exactly its ready pods as endpoints, in slices and in Endpoints")
    func endpoints() async throws {
        try await TestCluster.run { cluster in
            var service = KubeObject(.services, namespace: "default", name: "web")
            service.spec = ["selector": ["app": "web"], "ports": [["port": 80, "targetPort": 8080]]]
            _ = try await cluster.client.create(.services, service)
            _ = try await cluster.client.create(.deployments, deployment(replicas: 3))
            @Sendable func addresses(_ slices: [KubeObject]) -> Set<String> {
                let own = slices.filter { $0.labels["kubernetes.io/service-name"] == "web" }
                let ready = own.flatMap { $0["endpoints"].elements }.filter { $0["conditions"]["ready"] == true }
                return Set(ready.flatMap { $0["addresses"].elements }.compactMap(\.string))
            }
            let slices = try await cluster.wait(.endpointSlices) { addresses($0).count == 3 }
            let pods = try await cluster.client.list(.pods, namespace: "default").items
            #expect(addresses(slices) == Set(pods.compactMap { $0.status["podIP"].string }))
            try await cluster.wait(.endpoints, "web") {
                $0["subsets"][0]["addresses"].elements.count == 3 && $0["subsets"][0]["ports"][0]["port"] == 8080
            }
            try await cluster.change(.deployments, "web", ["spec": ["replicas": 0]])
            try await cluster.wait(.endpointSlices) { addresses($0).isEmpty }
            try await cluster.client.delete(.services, cluster.key("web"))
            try await cluster.wait(.endpointSlices) { slices in
                !slices.contains { $0.labels["kubernetes.io/service-name"] == "web" }
            }
            try await cluster.wait(.endpoints) { !$0.contains { $0.name == "web" } }
        }
    }

    private func job(_ name: String, image: String, spec: [String: JSONValue]) -> KubeObject {
        var job = KubeObject(.jobs, namespace: "default", name: name)
        job.spec = ["template": template(name, image: image, restartPolicy: "Never")]
        for (key, value) in spec { job.spec[key] = value }
        return job
    }

    @Test("Jobs complete, fail at their limit, and go when their time to live is over")
    func jobs() async throws {
        var configuration = ControllerConfiguration()
        configuration.jobBackoffBase = .milliseconds(1)
        configuration.jobBackoffLimit = .milliseconds(1)
        try await TestCluster.run(configuration) { cluster in
            _ = try await cluster.client.create(
                .jobs, job("done", image: "succeed", spec: ["completions": 5, "parallelism": 2]))
            let done = try await cluster.wait(.jobs, "done") { Conditions.isTrue("Complete", in: $0.status) }
            #expect(done.status["succeeded"] == 5)
            #expect(!done.status["completionTime"].isNull)
            #expect(Conditions.isTrue("SuccessCriteriaMet", in: done.status))

            _ = try await cluster.client.create(.jobs, job("bad", image: "fail", spec: ["backoffLimit": 2]))
            let bad = try await cluster.wait(.jobs, "bad") { Conditions.isTrue("Failed", in: $0.status) }
            #expect(bad.status["failed"] == 3)
            #expect(Conditions.find("Failed", in: bad.status)["reason"] == "BackoffLimitExceeded")

            let indexed: [String: JSONValue] = ["completionMode": "Indexed", "completions": 4, "parallelism": 4]
            _ = try await cluster.client.create(.jobs, job("many", image: "succeed", spec: indexed))
            let many = try await cluster.wait(.jobs, "many") { Conditions.isTrue("Complete", in: $0.status) }
            #expect(many.status["completedIndexes"] == "0-3")

            let start = try await cluster.client.list(.pods, namespace: "default").resourceVersion
            _ = try await cluster.client.create(
                .jobs, job("brief", image: "succeed", spec: ["ttlSecondsAfterFinished": 0]))
            // From before, since the pod may have gone again by now.
            let events = try await cluster.client.watch(.pods, namespace: "default", resourceVersion: start)
            for try await event in events {
                if case .added(let pod) = event, pod.controllerOwner?.name == "brief" { break }
            }
            try await cluster.wait(.jobs) { jobs in !jobs.contains { $0.name == "brief" } }
            try await cluster.wait(.pods) { !$0.contains { $0.controllerOwner?.name == "brief" } }
        }
    }
}
