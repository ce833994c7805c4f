// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import Testing

/// What upstream's conformance specs do with every kind: discovery, create, get, list, watch, patch, update, status,
/// delete, and delete of a collection.
@Suite struct ResourceLifecycleTests {
    struct Kind: Sendable, CustomTestStringConvertible {
        var resource: KubeResource
        var object: JSONValue

        var testDescription: String { resource.qualifiedName }
    }

    static let kinds = FuzzCorpus.objects.map { Kind(resource: $0.resource, object: $0.object) }
    private static let merge = MergePatch.mediaType
    private static let strategic = StrategicMergePatch.mediaType

    /// The lines of a watch until a type of event was seen so often.
    private func lines(_ response: KubeResponse, until type: String, count: Int) async throws -> [JSONValue] {
        guard case .stream(let stream) = response.body else {
            Issue.record("the answer is not a stream")
            return []
        }
        var lines: [JSONValue] = []
        for try await chunk in stream {
            for line in chunk.split(separator: UInt8(ascii: "\n")) { lines.append(try JSONParser.parse(line)) }
            if lines.filter({ $0["type"].string == type }).count >= count { break }
        }
        return lines
    }

    @Test(arguments: kinds)
    func livesAsUpstream(_ kind: Kind) async throws {
        let cluster = try await TestServer()
        let resource = kind.resource
        let collection = resource.path(namespace: "default")
        var given = KubeObject(kind.object)
        // A pod with a node waits for its node's agent.
        if resource == .pods { given.spec["nodeName"] = .null }
        given.labels["test"] = "lifecycle"
        given.metadata["ownerReferences"] = .null
        let start = try await cluster.call("GET", collection).object.resourceVersion
        let watch = await cluster.respond(
            "GET", collection + "?watch=true&labelSelector=test=lifecycle&resourceVersion=\(start)")

        let made = try await cluster.call("POST", collection, given.json)
        #expect(made.status == 201, "\(made.message)")
        #expect(made.object.kind == resource.kind)
        #expect(made.object.apiVersion == resource.apiVersion)
        #expect(!made.object.uid.isEmpty)
        #expect(!made.object.resourceVersion.isEmpty)
        #expect(made.object.creationTimestamp != nil)
        let again = try await cluster.call("POST", collection, given.json)
        #expect(again.status == 409)
        #expect(again.json["reason"] == "AlreadyExists")

        let path = collection + "/seed"
        #expect(try await cluster.call("GET", path).json == made.json)
        let everywhere = try await cluster.call("GET", resource.path() + "?labelSelector=test=lifecycle")
        #expect(everywhere.json["kind"].string == resource.kind + "List")
        #expect(everywhere.json["items"].elements == [made.json])
        let selected = try await cluster.call("GET", collection + "?fieldSelector=metadata.name=seed")
        #expect(selected.json["items"].elements == [made.json])

        let labelled = try await cluster.call(
            "PATCH", path, ["metadata": ["labels": ["patched": "true"]]], contentType: Self.merge)
        #expect(labelled.object.labels["patched"] == "true")
        #expect(labelled.object.labels["test"] == "lifecycle")
        let annotated = try await cluster.call(
            "PATCH", path, ["metadata": ["annotations": ["patched": "true"]]], contentType: Self.strategic)
        #expect(annotated.object.annotations == ["patched": "true", "example.com/note": "x"])
        var changed = annotated.object
        changed.annotations["updated"] = "true"
        let updated = try await cluster.call("PUT", path, changed.json)
        #expect(updated.object.annotations["updated"] == "true")
        #expect(updated.object.generation == made.object.generation, "metadata does not move the generation")

        let status = try await cluster.call("GET", path + "/status")
        let hasStatus = cluster.server.registry.declaration(resource)?.hasStatus == true
        #expect(status.status == (hasStatus ? 200 : 404))

        let deleted = try await cluster.call("DELETE", path, ["propagationPolicy": "Background"])
        #expect(deleted.status == 200)
        if resource == .namespaces {
            var finished = deleted.object
            finished.spec["finalizers"] = .null
            #expect(try await cluster.call("PUT", path + "/finalize", finished.json).status == 200)
        }
        if resource == .persistentVolumeClaims {
            // The part of the controller that sees that no pod uses it.
            #expect(deleted.object.finalizers == ["kubernetes.io/pvc-protection"])
            let release: JSONValue = .object(["metadata": .object(["finalizers": .null])])
            #expect(try await cluster.call("PATCH", path, release, contentType: Self.merge).status == 200)
        }
        let gone = try await cluster.call("GET", path)
        #expect(gone.status == 404)
        #expect(gone.message == "\(resource.qualifiedName) \"seed\" not found")

        let seen = try await lines(watch, until: "DELETED", count: 1)
        #expect(seen.first?["type"] == "ADDED")
        #expect(seen.last?["type"] == "DELETED")
        #expect(seen.allSatisfy { KubeObject($0["object"]).uid == made.object.uid })
        let versions = seen.compactMap { Int(KubeObject($0["object"]).resourceVersion) }
        #expect(versions == versions.sorted() && Set(versions).count == versions.count)
    }

    @Test(arguments: kinds.filter { $0.resource != .namespaces })
    func collectionsAreDeletedBySelector(_ kind: Kind) async throws {
        let cluster = try await TestServer()
        let collection = kind.resource.path(namespace: "default")
        for (name, set) in [("a", "one"), ("b", "one"), ("c", "two")] {
            var object = KubeObject(kind.object)
            if kind.resource == .pods { object.spec["nodeName"] = .null }
            object.name = name
            object.labels = ["set": set, "app": "a"]
            #expect(try await cluster.call("POST", collection, object.json).status == 201)
        }
        let dry = try await cluster.call("DELETE", collection + "?labelSelector=set=one&dryRun=All")
        #expect(dry.status == 200)
        #expect(try await cluster.call("GET", collection + "?labelSelector=set").json["items"].elements.count == 3)
        // Without a policy, what depends on Jobs is to be kept, and they stay until it is.
        let deleted = try await cluster.call(
            "DELETE", collection + "?labelSelector=set=one&propagationPolicy=Background")
        #expect(deleted.status == 200)
        let rest = try await cluster.call("GET", collection + "?labelSelector=set")
        // Claims stay until a controller has seen that no pod uses them.
        let left = rest.json["items"].elements.map { KubeObject($0) }.filter { !$0.isBeingDeleted }
        #expect(left.map(\.name) == ["c"])
        #expect(rest.json["items"].elements.count == (kind.resource == .persistentVolumeClaims ? 3 : 1))
    }

    @Test(arguments: kinds.filter { !$0.object["status"].isNull })
    func statusIsAnObjectOfItsOwn(_ kind: Kind) async throws {
        let cluster = try await TestServer()
        let collection = kind.resource.path(namespace: "default")
        let path = collection + "/seed"
        let made = try await cluster.call("POST", collection, kind.object).object
        let condition: JSONValue = [
            "type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from a test",
        ]
        let hasConditions = kind.resource != .services
        var patch: JSONValue = [
            "metadata": ["annotations": ["patchedstatus": "true"]], "status": kind.object["status"],
        ]
        if hasConditions { patch["status"]["conditions"] = [condition] }
        patch["spec"] = ["unknown": 1]
        let patched = try await cluster.call("PATCH", path + "/status", patch, contentType: Self.merge)
        #expect(patched.status == 200, "\(patched.message)")
        #expect(patched.object.annotations["patchedstatus"] == "true")
        #expect(patched.object.spec == made.spec)
        #expect(patched.object.generation == made.generation)
        var changed = patched.object
        changed.status["conditions"] = [condition, ["type": "Second", "status": "False"]]
        changed.spec = [:]
        let updated = try await cluster.call("PUT", path + "/status", changed.json)
        #expect(updated.status == 200, "\(updated.message)")
        #expect(updated.object.status["conditions"].elements.map { $0["type"].string } == ["StatusUpdate", "Second"])
        #expect(updated.object.spec == made.spec)
        #expect(try await cluster.call("GET", path + "/status").json == updated.json)
        // A write of the whole leaves the status alone.
        var spec = updated.object
        spec.status = [:]
        spec.labels["written"] = "true"
        let whole = try await cluster.call("PUT", path, spec.json)
        #expect(whole.object.status == updated.object.status)
        #expect(whole.object.labels["written"] == "true")
    }
}
