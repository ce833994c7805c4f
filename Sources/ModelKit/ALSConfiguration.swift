// SPDX-License-Identifier: Apache-2.0

/// How an alternating-least-squares model is trained.
package struct ALSConfiguration: Sendable, Equatable {
    /// What the values of the matrix mean.
    package enum Feedback: Sendable, Equatable {
        /// Ratings. The factors explain what user and item biases leave, with λ weighted by the number of ratings
        /// (Zhou et al., 2008).
        case explicit
        /// Weights of interest; confidence is `1 + alpha × value`, unobserved pairs count as zero preference
        /// (Hu, Koren and Volinsky, 2008).
        case implicit(alpha: Float)
    }

    /// How one row's least-squares problem is solved.
    package enum Solver: Sendable, Equatable {
        /// Exactly, by Cholesky factorisation.
        case cholesky
        /// By a few steps of conjugate gradients from the previous solution (Takács, Pilászy and Tikk, 2011).
        /// Implicit feedback only.
        case conjugateGradient(steps: Int)
    }

    /// What the values mean. Default explicit.
    package var feedback: Feedback = .explicit
    /// How rows are solved. Default Cholesky.
    package var solver: Solver = .cholesky
    /// The number of latent factors, 1 to 1024. Default 50.
    package var factors = 50
    /// The number of passes over users and items, 1 to 1000. Default 15.
    package var iterations = 15
    /// λ; for explicit feedback multiplied by the row's number of ratings. Default 0.12.
    package var regularization: Float = 0.12
    /// Ratings that pull a user's bias towards zero (explicit feedback). Default 5.
    package var userBiasDamping: Float = 5
    /// Ratings that pull an item's bias towards zero (explicit feedback). Default 5.
    package var itemBiasDamping: Float = 5
    /// The seed of the first factors. The result depends on it and not on the number of threads. Default 42.
    package var seed: UInt64 = 42
    /// Threads to compute on. Default one per processor.
    package var threads = DedicatedThreads.processorCount
    /// Whether the loss is computed after each iteration; costs about one more pass. Default true.
    package var reportsLoss = true

    /// The defaults.
    package init() {}

    /// Throws when a value is out of its range.
    package func validate() throws(ALSError) {
        func check(_ isValid: Bool, _ message: String) throws(ALSError) {
            guard isValid else { throw ALSError(.invalidConfiguration, message) }
        }
        try check((1...1024).contains(factors), "factors is \(factors), expected 1 to 1024")
        try check((1...1000).contains(iterations), "iterations is \(iterations), expected 1 to 1000")
        try check((1...1024).contains(threads), "threads is \(threads), expected 1 to 1024")
        try check(
            regularization.isFinite && regularization > 0, "lambda is \(regularization), expected a positive number")
        try check(
            userBiasDamping.isFinite && userBiasDamping >= 0 && itemBiasDamping.isFinite && itemBiasDamping >= 0,
            "bias damping is \(userBiasDamping) and \(itemBiasDamping), expected numbers not below 0")
        if case .implicit(let alpha) = feedback {
            try check(alpha.isFinite && alpha > 0, "alpha is \(alpha), expected a positive number")
        }
        if case .conjugateGradient(let steps) = solver {
            try check((1...100).contains(steps), "conjugate gradient steps is \(steps), expected 1 to 100")
            try check(feedback != .explicit, "conjugate gradients solve implicit feedback only; use Cholesky")
        }
    }
}

/// Why a model cannot be trained, read or used.
package struct ALSError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of thing was wrong.
    package enum Code: Sendable {
        /// A training parameter is out of range.
        case invalidConfiguration
        /// The ratings cannot be trained on.
        case invalidData
        /// A model file is damaged or of another kind.
        case invalidFile
        /// Training was cancelled.
        case cancelled
    }

    /// What kind of thing was wrong.
    package let code: Code
    /// What was wrong and what was expected.
    package let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// What is known after an iteration.
package struct ALSProgress: Sendable {
    /// The iteration that ended, from 1.
    package let iteration: Int
    /// The number of iterations in all.
    package let iterations: Int
    /// Seconds that this iteration took.
    package let seconds: Double
    /// RMSE on the training ratings (explicit) or the regularised loss per stored entry (implicit); nil when
    /// `reportsLoss` is off.
    package let loss: Double?
    /// RMSE on held-out ratings, where `ALSModel.train` has some (explicit); nil when `reportsLoss` is off.
    package var holdOut: Double?
}
