// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import ControllerRuntime
package import KubeAPI
import KubeClient
import Logging
import S3Client
import S3Protocol

/// Makes what Secrets of access keys lack, and says in an annotation what became of them: the object server itself
/// follows the Secrets, and each key is tried until it is let in.
package struct KeySecretReconciler: Reconciler {
    private static let retryInterval = Duration.seconds(1)

    let client: KubeClient
    let secrets: Informer
    let s3: S3ClientConfiguration
    let interval: Duration
    let logger: Logger

    package func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let secret = secrets.get(key), !secret.isBeingDeleted else { return .done }
        if let completed = KeySecret.completed(secret) {
            _ = try await client.update(.secrets, completed)
            logger.info("an access key is made", metadata: ["secret": "\(key)"])
            return .done
        }
        let parsed: KeySecret
        do throws(KeySecret.Problem) {
            parsed = try KeySecret(secret)
        } catch {
            logger.warning("the access key of \(key) cannot be used: \(error)")
            try await say(error.description, of: secret)
            return .done
        }
        guard parsed.accessKey != s3.credentials?.accessKey else {
            try await say("the access key \(parsed.accessKey) is the root key's", of: secret)
            return .done
        }
        let older = secrets.list().filter { other in
            other.uid != secret.uid && KeySecret.isOlder(other, than: secret)
                && (try? KeySecret(other))?.accessKey == parsed.accessKey
        }
        if let first = older.first {
            try await say("the access key \(parsed.accessKey) is that of the Secret \(first.key)", of: secret)
            return .after(interval)
        }
        if let refusal = await refusal(of: parsed) {
            // The server follows the Secrets by itself; it may not have seen this one yet.
            try await say(refusal, of: secret)
            return .after(Self.retryInterval)
        }
        try await say("ready", of: secret)
        return .after(interval)
    }

    /// Why the server does not let a key in; nil when it does.
    private func refusal(of key: KeySecret) async -> String? {
        var configuration = s3
        configuration.credentials = SigV4.Credentials(accessKey: key.accessKey, secret: key.secretKey)
        configuration.retries.attempts = 1
        do throws(S3Error) {
            let s3 = try S3Client(configuration, logger: logger)
            let answer: Result<Void, S3Error>
            do throws(S3Error) {
                _ = try await s3.buckets()
                answer = .success(())
            } catch {
                answer = .failure(error)
            }
            try? await s3.shutdown()
            try answer.get()
            return nil
        } catch {
            // Known, and not allowed to do this.
            return error.code == .accessDenied ? nil : "waiting for the server: \(error.name): \(error.message)"
        }
    }

    /// Writes the annotation where it differs.
    private func say(_ text: String, of secret: KubeObject) async throws {
        guard secret.annotations[KeySecret.statusAnnotation] != text else { return }
        _ = try await client.patch(
            .secrets, secret.key, .merge,
            [
                "metadata": [
                    "annotations": .object([KeySecret.statusAnnotation: .string(text)]),
                    "resourceVersion": .string(secret.resourceVersion),
                ]
            ])
    }
}
