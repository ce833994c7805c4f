// SPDX-License-Identifier: Apache-2.0

/// What `authorizer…check(verb)` asks.
package struct CELAccessQuestion: Hashable, Sendable {
    package var verb = ""
    /// Set for a check of a path; nil for one of a resource.
    package var path: String?
    package var group = ""
    package var resource = ""
    package var subresource = ""
    package var namespace = ""
    package var name = ""
    /// `namespace/name` of a service account asked for in place of the user.
    package var serviceAccount: String?
    package var fieldSelector = ""
    package var labelSelector = ""

    package init() {}
}

/// An answer to a question of access.
package struct CELDecision: Hashable, Sendable {
    package var isAllowed: Bool
    package var reason: String

    package init(isAllowed: Bool, reason: String = "") {
        self.isAllowed = isAllowed
        self.reason = reason
    }
}

/// A step of `authorizer…check(…)`.
package struct CELAccess: Hashable, Sendable {
    package enum Step: Hashable, Sendable {
        case authorizer
        case path
        case group
        case resource
        case decision(CELDecision)
        /// The check could not be made.
        case failed(String)
    }

    package var step: Step
    package var question: CELAccessQuestion

    package init(step: Step, question: CELAccessQuestion) {
        self.step = step
        self.question = question
    }

    /// What an expression's `authorizer` is.
    package static let authorizer = CELAccess(step: .authorizer, question: CELAccessQuestion())

    var type: CELType {
        switch step {
        case .authorizer: .authorizer
        case .path: .pathCheck
        case .group: .groupCheck
        case .resource: .resourceCheck
        case .decision, .failed: .decision
        }
    }
}
