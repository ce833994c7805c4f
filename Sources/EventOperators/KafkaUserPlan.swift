// SPDX-License-Identifier: Apache-2.0
import KafkaClient
import SASLMessages

/// A user as Kafka has it, under both names that it may go by: the object's, and the subject of a certificate.
struct UserState: Equatable {
    /// A name under which nothing is found has no entry.
    struct Account: Equatable {
        /// How it can log in with a password.
        var credentials: Set<SASLMechanism> = []
        var rules: Set<AccessRule> = []
        /// By Kafka's names; nil where the broker has no quotas.
        var quotas: [String: Double]?
    }

    /// By the user's name in Kafka.
    var accounts: [String: Account]
}

/// The way from a user as it is to what is declared. A value; nothing is asked.
struct UserPlan: Equatable {
    /// What goes, by the user's name in Kafka: other ways to log in would outlive a change of the password.
    var oldCredentials: [String: Set<SASLMechanism>] = [:]
    /// Made before others are deleted, so that what stays allowed is never refused.
    var newRules: Set<AccessRule> = []
    var oldRules: Set<AccessRule> = []
    /// By the user's name in Kafka.
    var quotas: [String: QuotaChange] = [:]

    struct QuotaChange: Equatable {
        var set: [String: Double] = [:]
        var remove: Set<String> = []
    }

    var isEmpty: Bool { self == UserPlan() }

    private init() {}

    /// - Parameters:
    ///   - declared: what is wanted; nil: that the user is gone.
    ///   - present: what there is.
    /// - Throws: ``Refusal``: then nothing is to be done.
    init(_ declared: UserDeclaration?, present: UserState) throws(Refusal) {
        var has: Set<AccessRule> = []
        for (name, account) in present.accounts.sorted(by: { $0.key < $1.key }) {
            let isWanted = declared?.username == name
            has.formUnion(account.rules)
            let credentials: Set<SASLMechanism> = isWanted && declared?.logsInWithPassword == true ? [.scramSHA512] : []
            let old = account.credentials.subtracting(credentials)
            if !old.isEmpty { oldCredentials[name] = old }
            let quotas = isWanted ? declared?.quotas ?? [:] : [:]
            guard let given = account.quotas else {
                if quotas.isEmpty { continue }
                throw Refusal(
                    .notSupported,
                    "the broker has no quotas of users: leave spec.quotas out, or use a broker that has them")
            }
            let change = QuotaChange(
                set: quotas.filter { given[$0.key] != $0.value },
                remove: Set(given.keys).intersection(UserDeclaration.quotaNames.values).subtracting(quotas.keys))
            if change != QuotaChange() { self.quotas[name] = change }
        }
        let wants = declared?.rules ?? []
        newRules = wants.subtracting(has)
        oldRules = has.subtracting(wants)
    }
}
