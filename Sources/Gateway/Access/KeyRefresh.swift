// SPDX-License-Identifier: Apache-2.0

/// When keys that are fetched are fetched again: a value, which whoever fetches asks.
struct KeyRefresh {
    enum Step: Equatable {
        /// What is there is used.
        case use
        /// What is there is used, and fetched anew meanwhile.
        case useAndFetch
        /// It is fetched first.
        case fetchFirst
    }

    /// After which keys are fetched anew, so that those that were withdrawn go.
    static let age = Duration.seconds(300)
    /// Between two tries for the sake of a key that is not there: tokens with names out of the air cost no more.
    static let pause = Duration.seconds(10)
    /// Between two tries while there are no keys at all.
    static let firstPause = Duration.seconds(1)

    private(set) var hasKeys = false
    private var fetched: ContinuousClock.Instant?
    private var tried: ContinuousClock.Instant?

    /// `isKnown`: whether the key that a token names is there.
    func step(isKnown: Bool, now: ContinuousClock.Instant) -> Step {
        let pause = hasKeys ? Self.pause : Self.firstPause
        let mayTry = tried.map { $0.duration(to: now) >= pause } ?? true
        guard mayTry else { return .use }
        guard isKnown else { return .fetchFirst }
        let isOld = fetched.map { $0.duration(to: now) >= Self.age } ?? true
        return isOld ? .useAndFetch : .use
    }

    mutating func began(_ now: ContinuousClock.Instant) { tried = now }

    /// A try that failed leaves what is there.
    mutating func ended(isGood: Bool, now: ContinuousClock.Instant) {
        tried = now
        guard isGood else { return }
        hasKeys = true
        fetched = now
    }
}
