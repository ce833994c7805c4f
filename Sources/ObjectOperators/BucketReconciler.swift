// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import ControllerRuntime
package import KubeAPI
import KubeClient
import Logging
import S3Client
import S3Protocol

/// Makes buckets what Bucket objects declare: creates them, puts their documents, deletes them.
///
/// Looks again at an interval, so that what others changed in S3 is put right.
package struct BucketReconciler: Reconciler {
    static let resource = KubeResource(
        group: "s3.services.k8s.aws", version: "v1alpha1", plural: "buckets", kind: "Bucket")
    /// Keeps the object until its bucket is deleted; ACK's name.
    static let finalizer = "finalizers.s3.services.k8s.aws/Bucket"
    private static let retryInterval = Duration.seconds(5)

    let client: KubeClient
    let buckets: Informer
    let s3: S3Client
    let sync: BucketSync
    let settings: BucketSettings
    let logger: Logger

    package func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let object = buckets.get(key) else { return .done }
        if object.isBeingDeleted { return try await finish(object) }
        guard object.finalizers.contains(Self.finalizer) else {
            // The change of it brings the object here again.
            try await setFinalizers(of: object, object.finalizers + [Self.finalizer])
            return .done
        }
        do {
            let declared = try BucketDeclaration(object)
            try checkName(declared, object)
            guard try await keep(declared, object) else { return .done }
            try await report(object, nil)
            return .after(settings.interval)
        } catch let refusal as Refusal {
            return try await refuse(object, refusal)
        } catch let error as S3Error {
            return try await refuse(object, Refusal(nil, error))
        }
    }

    /// - Returns: false when the object was changed, which brings it here again.
    private func keep(_ declared: BucketDeclaration, _ object: KubeObject) async throws -> Bool {
        // An answer to HEAD has no words.
        if BucketStatus.claimed(object) == nil { try S3Names.checkBucket(declared.name) }
        let isThere = try await s3.hasBucket(declared.name)
        if BucketStatus.claimed(object) == nil, !declared.isReadOnly {
            if isThere {
                try await adopt(declared, object)
            } else if declared.adoption == .adopt {
                throw Refusal(
                    "NoSuchBucket", "there is no bucket '\(declared.name)' to adopt yet", isTerminal: false)
            } else {
                try await claim(declared, object)
            }
            return false
        }
        if declared.isReadOnly {
            guard isThere else {
                throw Refusal("NoSuchBucket", "there is no bucket '\(declared.name)' to read", isTerminal: false)
            }
            return true
        }
        if !isThere {
            sync.forget(declared.name)
            guard try await create(declared, object) else { return false }
        }
        if let refusal = Refusal(await sync.run(declared)) { throw refusal }
        return true
    }

    /// - Returns: false when the bucket is somebody else's, which the object was told.
    private func create(_ declared: BucketDeclaration, _ object: KubeObject) async throws -> Bool {
        do throws(S3Error) {
            try await s3.createBucket(declared.name, location: declared.location)
            logger.info("bucket \(declared.name) is made", metadata: ["object": "\(object.key)"])
            return true
        } catch {
            switch error.code {
            case .bucketAlreadyOwnedByYou: return true
            case .bucketAlreadyExists:
                // It is not to be deleted with this object.
                var changed = object
                changed.status["ackResourceMetadata"] = .null
                BucketStatus.report(Refusal(nil, error), now: .now(), in: &changed.status)
                _ = try await client.updateStatus(Self.resource, changed)
                return false
            default: throw error
            }
        }
    }

    private func claim(_ declared: BucketDeclaration, _ object: KubeObject) async throws {
        var changed = object
        BucketStatus.claim(declared.name, region: s3.configuration.region, in: &changed.status)
        changed.status["location"] = .string("/\(declared.name)")
        _ = try await client.updateStatus(Self.resource, changed)
    }

    /// Takes a bucket that was there before its object, where the object says so.
    private func adopt(_ declared: BucketDeclaration, _ object: KubeObject) async throws {
        guard let adoption = declared.adoption else {
            throw Refusal(
                "AlreadyExists",
                "the bucket '\(declared.name)' exists already and is not this object's: take another spec.name, or "
                    + "adopt it with the annotation \(BucketDeclaration.adoptionAnnotation): adopt-or-create")
        }
        let isMarked = object.annotations[BucketDeclaration.adoptedAnnotation] == "true"
        guard isMarked else {
            var spec: JSONValue = ["name": .string(declared.name)]
            if adoption == .adopt {
                for (document, bytes) in try await sync.read(declared.name) {
                    spec[document.rawValue] = try document.declared(bytes)
                }
            }
            _ = try await client.patch(
                Self.resource, object.key, .merge,
                [
                    "metadata": [
                        "annotations": .object([BucketDeclaration.adoptedAnnotation: "true"]),
                        "resourceVersion": .string(object.resourceVersion),
                    ], "spec": spec,
                ])
            return
        }
        try await claim(declared, object)
        logger.info("bucket \(declared.name) is adopted", metadata: ["object": "\(object.key)"])
    }

    /// One object a bucket, and the same bucket as long as the object lives.
    private func checkName(_ declared: BucketDeclaration, _ object: KubeObject) throws(Refusal) {
        if let before = BucketStatus.claimed(object), before != declared.name {
            throw Refusal(
                "NotSupported", "a bucket cannot be renamed: set spec.name to '\(before)', or make a new Bucket")
        }
        guard !declared.isReadOnly else { return }
        let others = buckets.list().filter { other in
            other.uid != object.uid && BucketDeclaration.name(other) == declared.name
                && other.annotations[BucketDeclaration.readOnlyAnnotation] != "true"
        }
        // It belongs to the one that had it first, else to the oldest.
        if let owner = others.first(where: { Self.claim(of: $0) < Self.claim(of: object) }) {
            throw Refusal(
                "ResourceConflict", "the bucket '\(declared.name)' is managed by the Bucket \(owner.key)",
                isTerminal: false)
        }
    }

    /// The smaller, the better.
    private static func claim(of object: KubeObject) -> (Int, String, String) {
        (
            BucketStatus.claimed(object) == nil ? 1 : 0, object.metadata["creationTimestamp"].string ?? "", object.uid
        )
    }

    // MARK: Its end

    /// Deletes the bucket, then lets the object go.
    private func finish(_ object: KubeObject) async throws -> ReconcileResult {
        guard object.finalizers.contains(Self.finalizer) else { return .done }
        do {
            // A bucket that was never this object's is not deleted with it.
            if let name = BucketStatus.claimed(object),
                object.annotations[BucketDeclaration.readOnlyAnnotation] != "true",
                try await deletionPolicy(object) == .delete
            {
                try await delete(name, object)
            }
        } catch let refusal as Refusal {
            return try await refuse(object, refusal)
        }
        try await setFinalizers(of: object, object.finalizers.filter { $0 != Self.finalizer })
        return .done
    }

    private func delete(_ name: String, _ object: KubeObject) async throws(Refusal) {
        do throws(S3Error) {
            try await s3.deleteBucket(name)
            logger.info("bucket \(name) is deleted", metadata: ["object": "\(object.key)"])
        } catch {
            switch error.code {
            case .noSuchBucket, .invalidBucketName: break
            case .bucketNotEmpty:
                throw Refusal(
                    error.name,
                    "\(error.message) Empty the bucket '\(name)', or keep it with the annotation "
                        + "\(BucketDeclaration.deletionAnnotation): retain", isTerminal: false)
            default: throw Refusal(nil, error)
            }
        }
        sync.forget(name)
    }

    /// The object's own, else its namespace's, else the operator's.
    private func deletionPolicy(_ object: KubeObject) async throws -> BucketDeclaration.DeletionPolicy {
        if let own = try BucketDeclaration.deletionPolicy(object) { return own }
        do {
            let namespace = try await client.get(.namespaces, ObjectKey(namespace: "", name: object.namespace))
            if let text = namespace.annotations[BucketDeclaration.namespaceDeletionAnnotation] {
                guard let policy = BucketDeclaration.DeletionPolicy(rawValue: text) else {
                    throw Refusal(
                        "InvalidSpec",
                        "the annotation \(BucketDeclaration.namespaceDeletionAnnotation) of the namespace "
                            + "\(object.namespace) cannot be '\(text.prefix(64))'")
                }
                return policy
            }
        } catch let error as StatusError where error.isNotFound {
        }
        return settings.deletionPolicy
    }

    // MARK: What the object is told

    private func setFinalizers(of object: KubeObject, _ finalizers: [String]) async throws {
        _ = try await client.patch(
            Self.resource, object.key, .merge,
            [
                "metadata": [
                    "finalizers": JSONValue(finalizers), "resourceVersion": .string(object.resourceVersion),
                ]
            ])
    }

    private func refuse(_ object: KubeObject, _ refusal: Refusal) async throws -> ReconcileResult {
        logger.warning("bucket of \(object.key): \(refusal)")
        try await report(object, refusal)
        return .after(refusal.isTerminal ? settings.interval : Self.retryInterval)
    }

    /// Writes the status where it differs.
    private func report(_ object: KubeObject, _ refusal: Refusal?) async throws {
        var changed = object
        BucketStatus.report(refusal, now: .now(), in: &changed.status)
        guard changed.status != object.status else { return }
        _ = try await client.updateStatus(Self.resource, changed)
    }
}

/// How buckets are seen to.
package struct BucketSettings: Sendable {
    /// How often a bucket is looked at, whether or not its object changed.
    package var interval: Duration = .seconds(60)
    /// Whether buckets stay when their objects go, where neither object nor namespace says.
    package var retainsBuckets = false

    package init() {}

    var deletionPolicy: BucketDeclaration.DeletionPolicy { retainsBuckets ? .retain : .delete }
}
