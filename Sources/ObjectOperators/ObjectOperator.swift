// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
package import KubeClient
package import Logging
package import S3Client
import S3Protocol

/// Keeps the buckets of an S3, the embedded server or any other, as custom resources of the group s3.services.k8s.aws
/// declare, and the access keys of the embedded server as Secrets.
package struct ObjectOperator: Sendable {
    /// What it keeps, and how.
    package struct Settings: Sendable {
        /// Only Buckets of this namespace; empty for all.
        package var namespace = ""
        /// The namespace whose Secrets are access keys, empty for all; nil where access keys are not kept.
        package var keyNamespace: String?
        package var buckets = BucketSettings()

        package init() {}
    }

    private let client: KubeClient
    private let s3: S3Client
    private let settings: Settings
    private let logger: Logger

    /// - Parameters:
    ///   - client: of the Kubernetes API server.
    ///   - s3: where the buckets are, as somebody who may do everything; shut down at the end.
    ///   - settings: what is kept.
    ///   - logger: told of what is done and what fails.
    package init(client: KubeClient, s3: S3Client, settings: Settings, logger: Logger) {
        self.client = client
        self.s3 = s3
        self.settings = settings
        self.logger = logger
    }

    /// Works until cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            keepBuckets(in: &group)
            if let namespace = settings.keyNamespace { keepKeys(of: namespace, in: &group) }
        }
        do {
            try await s3.shutdown()
        } catch {
            logger.warning("connections to S3 were not closed: \(error)")
        }
    }

    private func keepBuckets(in group: inout DiscardingTaskGroup) {
        let buckets = Informer(
            BucketReconciler.resource, client: client, namespace: settings.namespace, logger: logger)
        let objects = Controller.Source(buckets) { event in
            guard case .deleted(let gone) = event else { return [event.object.key] }
            // Another that declares the same bucket may have it now.
            let name = BucketDeclaration.name(gone)
            return [gone.key] + buckets.list().filter { BucketDeclaration.name($0) == name }.map(\.key)
        }
        let controller = Controller(
            name: "bucket", sources: [objects],
            reconciler: BucketReconciler(
                client: client, buckets: buckets, s3: s3, sync: BucketSync(s3, logger: logger),
                settings: settings.buckets, logger: logger),
            workers: 4, logger: logger)
        run(
            buckets, advice: "apply deploy/objects/crds.yaml and the rights of deploy/objects/operator.yaml",
            in: &group)
        group.addTask { await controller.run() }
    }

    private func keepKeys(of namespace: String, in group: inout DiscardingTaskGroup) {
        let secrets = Informer(
            .secrets, client: client, namespace: namespace, selection: .init(labels: KeySecret.selector),
            logger: logger)
        let objects = Controller.Source(secrets) { event in
            guard case .deleted(let gone) = event else { return [event.object.key] }
            return [gone.key] + secrets.list().map(\.key)
        }
        let controller = Controller(
            name: "s3-access-key", sources: [objects],
            reconciler: KeySecretReconciler(
                client: client, secrets: secrets, s3: s3.configuration, interval: settings.buckets.interval,
                logger: logger),
            workers: 2, logger: logger)
        run(secrets, advice: "apply the rights of deploy/objects/operator.yaml", in: &group)
        group.addTask { await controller.run() }
    }

    /// Keeps a copy of a collection, and says so when that cannot be: nothing is done for its kind until then.
    private func run(_ informer: Informer, advice: String, in group: inout DiscardingTaskGroup) {
        group.addTask { await informer.run() }
        group.addTask { [logger] in
            guard (try? await Task.sleep(for: .seconds(20))) != nil, !informer.isSynced else { return }
            logger.warning("\(informer.resource.qualifiedName) cannot be listed yet: \(advice)")
        }
    }
}
