// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import ControllerRuntime
import KafkaClient
package import KubeAPI
import KubeClient
import Logging
import SASLMessages

/// Makes users what KafkaUser objects declare: password, access rules, quotas, and the Secret that clients read.
///
/// Looks again every two minutes (Strimzi's default interval), so that what others changed in Kafka is put right. A
/// password cannot be read back: it is tried, and set where it is refused. Passwords are not logged and not in the
/// status.
package struct KafkaUserReconciler: Reconciler {
    /// Keeps the object until its user is gone.
    static let finalizer = "strimzi.io/user-operator"
    private static let interval = Duration.seconds(120)
    /// Secrets that others made are not watched.
    private static let referenceInterval = Duration.seconds(30)
    private static let retryInterval = Duration.seconds(5)

    /// Its kind, in the version that the API server serves.
    static func resource(version: String) -> KubeResource {
        KubeResource(group: EventOperator.group, version: version, plural: "kafkausers", kind: "KafkaUser")
    }

    let resource: KubeResource
    let client: KubeClient
    let users: Informer
    let admin: DirectAdmin
    let logger: Logger

    package func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let object = users.get(key) else { return .done }
        if object.isBeingDeleted { return try await finish(object) }
        guard object.finalizers.contains(Self.finalizer) else {
            // The change of it brings the object here again.
            try await setFinalizers(of: object, object.finalizers + [Self.finalizer])
            return .done
        }
        do {
            let declared = try UserDeclaration(object)
            try checkName(object)
            guard !object.status["username"].isNull else {
                // Said before anything is made in Kafka, so that nothing is left there whatever comes between.
                try await claim(object, declared)
                return .done
            }
            try await keep(object, declared)
            try await report(object, .ready(declared))
            return .after(declared.authentication.isReference ? Self.referenceInterval : Self.interval)
        } catch let refusal as Refusal {
            try await report(object, .failed(reason: refusal.reason.rawValue, message: refusal.description))
            // The Secret that it names may be about to come.
            let isReference = !object.spec["authentication"]["password"].isNull
            return .after(isReference ? Self.retryInterval : Self.interval)
        } catch let error as KafkaError {
            logger.warning("user of \(key): \(error)")
            try await report(object, .failed(reason: "KafkaError", message: error.description))
            return .after(error.isRetriable ? Self.retryInterval : Self.interval)
        }
    }

    /// One object a user, as users have no namespaces in Kafka; and never the operator's own.
    private func checkName(_ object: KubeObject) throws(Refusal) {
        guard object.name != admin.user else {
            throw Refusal(.conflict, "the user '\(object.name)' is the operator's own: take another name")
        }
        let others = users.list().filter { $0.uid != object.uid && $0.name == object.name }
        // It belongs to the one that had it first, else to the oldest.
        if let owner = others.first(where: { Self.claim(of: $0) < Self.claim(of: object) }) {
            throw Refusal(.conflict, "the user '\(object.name)' is managed by the KafkaUser \(owner.key)")
        }
    }

    /// The smaller, the better.
    private static func claim(of object: KubeObject) -> (Int, String, String) {
        (
            object.status["username"].isNull ? 1 : 0, object.metadata["creationTimestamp"].string ?? "", object.uid
        )
    }

    private func keep(_ object: KubeObject, _ declared: UserDeclaration) async throws {
        try await admin.session { session in
            let present = try await state(of: object.name, &session)
            let plan = try UserPlan(declared, present: present)
            let password = try await password(of: object, declared)
            try await carryOut(plan, &session)
            if let password {
                var isRight = present.accounts[declared.name]?.credentials.contains(.scramSHA512) == true
                if isRight {
                    isRight = try await admin.isLetIn(declared.name, password: password, .scramSHA512) ?? false
                }
                if !isRight {
                    try await session.setPassword(password, of: declared.name, .scramSHA512)
                    logger.info("user \(declared.username) has its password", metadata: ["object": "\(object.key)"])
                }
            }
            if !plan.isEmpty {
                logger.info("user \(declared.username) is as declared", metadata: ["object": "\(object.key)"])
            }
        }
        if !declared.logsInWithPassword { try await deleteSecret(of: object) }
    }

    private func state(of name: String, _ session: inout DirectSession) async throws -> UserState {
        var state = UserState(accounts: [:])
        for username in [name, UserDeclaration.certificateName(name)] {
            var account = UserState.Account()
            // A broker without logins, or without rules, has none of this user.
            do {
                account.credentials = try await session.credentials(of: username)
            } catch let error as KafkaError where error.code == .securityDisabled || error.code == .unsupportedFeature {
            }
            do {
                account.rules = try await session.rules(of: "User:\(username)")
            } catch let error as KafkaError where error.code == .securityDisabled || error.code == .unsupportedFeature {
            }
            if session.hasQuotas { account.quotas = try await session.quotas(of: username) }
            state.accounts[username] = account
        }
        return state
    }

    private func carryOut(_ plan: UserPlan, _ session: inout DirectSession) async throws {
        try await session.createRules(Array(plan.newRules))
        try await session.deleteRules(Array(plan.oldRules))
        for (name, change) in plan.quotas.sorted(by: { $0.key < $1.key }) {
            try await session.alterQuotas(of: name, set: change.set, remove: change.remove)
        }
        for (name, mechanisms) in plan.oldCredentials.sorted(by: { $0.key < $1.key }) {
            for mechanism in mechanisms { try await session.deleteCredential(of: name, mechanism) }
        }
    }

    /// The password to set, which clients find in the user's Secret from now on; nil where none is declared.
    private func password(of object: KubeObject, _ declared: UserDeclaration) async throws -> String? {
        guard case .scram(let reference) = declared.authentication else { return nil }
        let present = try await secret(object.key)
        if let present, !UserSecret.belongs(present, to: object) {
            throw Refusal(
                .conflict, "the Secret \(present.key) is not of this KafkaUser: delete it, or take another name")
        }
        let password: String
        if let reference {
            let key = ObjectKey(namespace: object.namespace, name: reference.secret)
            guard let source = try await secret(key) else {
                throw Refusal(.invalid, "there is no Secret \(key), which spec.authentication.password names")
            }
            guard let given = try UserSecret.password(source, key: reference.key) else {
                throw Refusal(
                    .invalid,
                    "the Secret \(key) has nothing under \(reference.key), which spec.authentication.password names")
            }
            password = given
        } else {
            password = try present.flatMap { try UserSecret.password($0, key: "password") } ?? UserSecret.makePassword()
        }
        let wanted = UserSecret.secret(of: object, declared, password: password, present: present)
        if present == nil {
            _ = try await client.create(.secrets, wanted)
        } else if wanted != present {
            _ = try await client.update(.secrets, wanted)
        }
        return password
    }

    private func secret(_ key: ObjectKey) async throws -> KubeObject? {
        do {
            return try await client.get(.secrets, key)
        } catch let error as StatusError where error.isNotFound {
            return nil
        }
    }

    /// The one that was made for it while it logged in with a password.
    private func deleteSecret(of object: KubeObject) async throws {
        guard !object.status["secret"].isNull, let secret = try await secret(object.key),
            secret.controllerOwner?.uid == object.uid
        else { return }
        try await client.delete(.secrets, secret.key, .init(uid: secret.uid))
    }

    /// Takes the user out of Kafka, then lets the object go. The Secret goes with its owner.
    private func finish(_ object: KubeObject) async throws -> ReconcileResult {
        guard object.finalizers.contains(Self.finalizer) else { return .done }
        // A user that was never this object's is not deleted with it.
        if !object.status["username"].isNull {
            do {
                try await admin.session { session in
                    let present = try await state(of: object.name, &session)
                    try await carryOut(try UserPlan(nil, present: present), &session)
                }
                logger.info("user \(object.name) is deleted", metadata: ["object": "\(object.key)"])
            } catch let error as KafkaError {
                logger.warning("user of \(object.key) cannot be deleted: \(error)")
                try await report(object, .failed(reason: "KafkaError", message: error.description))
                return .after(Self.retryInterval)
            }
        }
        try await setFinalizers(of: object, object.finalizers.filter { $0 != Self.finalizer })
        return .done
    }

    private func setFinalizers(of object: KubeObject, _ finalizers: [String]) async throws {
        _ = try await client.patch(
            resource, object.key, .merge,
            [
                "metadata": [
                    "finalizers": JSONValue(finalizers), "resourceVersion": .string(object.resourceVersion),
                ]
            ])
    }

    private enum Report {
        case ready(UserDeclaration)
        case failed(reason: String, message: String)
    }

    private func claim(_ object: KubeObject, _ declared: UserDeclaration) async throws {
        var changed = object
        changed.status["username"] = .string(declared.username)
        _ = try await client.updateStatus(resource, changed)
    }

    /// Writes the status where it differs.
    private func report(_ object: KubeObject, _ report: Report) async throws {
        var changed = object
        let now = Timestamp.now()
        switch report {
        case .ready(let declared):
            changed.status["username"] = .string(declared.username)
            changed.status["secret"] = declared.logsInWithPassword ? .string(declared.name) : .null
            Conditions.set("Ready", "True", now: now, in: &changed.status)
        case .failed(let reason, let message):
            Conditions.set("Ready", "False", reason: reason, message: message, now: now, in: &changed.status)
        }
        changed.status["observedGeneration"] = JSONValue(object.generation)
        guard changed.status != object.status else { return }
        _ = try await client.updateStatus(resource, changed)
    }
}

extension UserDeclaration.Authentication {
    /// Whether the password is in a Secret that others made.
    fileprivate var isReference: Bool {
        if case .scram(.some) = self { true } else { false }
    }
}
