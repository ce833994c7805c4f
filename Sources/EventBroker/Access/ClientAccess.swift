// SPDX-License-Identifier: Apache-2.0
import EventCoordination
import Synchronization

/// Who a client is, and what is known of what it may do.
final class ClientAccess: Sendable {
    private struct Question: Hashable {
        var operation: ACLOperation
        var type: ACLResourceType
        var name: String
    }

    private struct State {
        var principal: String?
        var login: SASLSession?
        var sendsRawMessages = false
        var revision: UInt64 = 0
        var answers: [Question: Bool] = [:]
    }

    /// How many answers of the rules are remembered.
    private static let maximumAnswers = 1000

    private let address: String
    private let state = Mutex(State())

    /// - Parameter address: where the client is.
    init(address: String) { self.address = address }

    /// `User:NAME`; nil before the client has said who it is.
    var principal: String? {
        get { state.withLock { $0.principal } }
        set {
            state.withLock { state in
                state.principal = newValue
                state.answers = [:]
            }
        }
    }

    /// How far a login has come; its messages are worked on one after the other.
    var login: SASLSession? {
        get { state.withLock { $0.login } }
        set { state.withLock { $0.login = newValue } }
    }

    /// Whether what comes next is a message of SASL without anything around it: after a SaslHandshake of version 0.
    var sendsRawMessages: Bool {
        get { state.withLock { $0.sendsRawMessages } }
        set { state.withLock { $0.sendsRawMessages = newValue } }
    }

    /// Whether the client may do that. The answer is remembered until rules change.
    func allows(
        _ operation: ACLOperation, _ type: ACLResourceType, _ name: String, by control: BrokerAccess
    ) -> Bool {
        let question = Question(operation: operation, type: type, name: name)
        // Rules that change meanwhile are newer than this, and asked again the next time.
        let revision = control.currentRevision
        let (known, principal) = state.withLock { state in
            if state.revision != revision {
                state.answers = [:]
                state.revision = revision
            }
            return (state.answers[question], state.principal)
        }
        if let known { return known }
        guard let principal else { return false }
        let answer = control.rules.read {
            $0.store.allows(principal: principal, host: address, operation, on: type, name)
        }
        state.withLock { state in
            guard state.revision == revision, state.principal == principal else { return }
            if state.answers.count >= Self.maximumAnswers { state.answers = [:] }
            state.answers[question] = answer
        }
        return answer
    }

    /// Whether there may be something of the type that the client may do that to.
    func allowsAny(_ operation: ACLOperation, _ type: ACLResourceType, by control: BrokerAccess) -> Bool {
        guard let principal else { return false }
        return control.rules.read {
            $0.store.allowsAny(principal: principal, host: address, operation, on: type)
        }
    }
}
