// SPDX-License-Identifier: Apache-2.0

extension ALSModel {
    /// RMSE over `test`; pairs of unknown users or items count with what is known of them (biases, the mean). Nil for
    /// an empty test set or implicit feedback.
    package func rmse(on test: [Interaction]) -> Double? {
        guard case .explicit = info.configuration.feedback else { return nil }
        return Metrics.rmse(
            test.map { interaction in
                let user = vector(of: interaction.user) ?? foldIn([])
                let fallback = min(
                    max(factors.biases.mean + user.bias, info.valueRange.lowerBound), info.valueRange.upperBound)
                return (predict(user, item: interaction.item) ?? fallback, interaction.value)
            })
    }

    /// Mean over users of recall@10: the share of a user's held-out liked items among the first ten recommendations
    /// that leave out the items of `train`. Liked is a value of at least `threshold`. Nil when no user has any.
    package func recallAt10(on test: [Interaction], train: SparseMatrix, threshold: Float) -> Double? {
        var liked: [Int64: Set<Int64>] = [:]
        for interaction in test where interaction.value >= threshold {
            liked[interaction.user, default: []].insert(interaction.item)
        }
        var sum = 0.0
        var count = 0
        for user in liked.keys.sorted() {
            guard let index = users.index(of: user), let vector = vector(of: user), let relevant = liked[user] else {
                continue
            }
            let known = Set(train.columns(of: index).map { items.ids[Int($0)] })
            let recommended = recommend(vector, count: 10, excluding: known).map(\.item)
            guard let recall = Metrics.recall(recommended: recommended, relevant: relevant.subtracting(known)) else {
                continue
            }
            sum += recall
            count += 1
        }
        return count == 0 ? nil : sum / Double(count)
    }

    /// Trains on `train`, measures on `test`, and gives the model; users and items of both are known to it, and what
    /// either part holds counts as seen. Blocks: call it on a thread of its own.
    ///
    /// - Parameters:
    ///   - train: interactions to learn from.
    ///   - test: interactions to be judged on; may be empty.
    ///   - configuration: how to train.
    ///   - likedFrom: the value from which an interaction counts as liked (recall@10). Default 4.
    ///   - progress: called after each iteration; returning false cancels.
    /// - Returns: the model with its measures.
    /// - Throws: `ALSError` when there is nothing to train on or training was cancelled.
    package static func train(
        on train: [Interaction], test: [Interaction], configuration: ALSConfiguration, likedFrom: Float = 4,
        progress: (ALSProgress) -> Bool = { _ in true }
    ) throws(ALSError) -> ALSModel {
        let trainer = try ALSTrainer(configuration)
        let all = train + test
        let users = IDIndex(all.lazy.map(\.user))
        let items = IDIndex(all.lazy.map(\.item))
        let matrix = SparseMatrix(train, users: users, items: items)
        var info = Info(configuration: configuration)
        let (low, high) = matrix.values.reduce(into: (Float.infinity, -Float.infinity)) {
            $0 = (min($0.0, $1), max($0.1, $1))
        }
        info.valueRange = low <= high ? low...high : 0...0
        let holdOut = HoldOut(test, users: users, items: items, info)
        let factors = try trainer.train(matrix) { report, factors in
            var report = report
            report.holdOut = holdOut?.rmse(factors)
            return progress(report)
        }
        let seen = SparseMatrix(all, users: users, items: items)
        guard var model = ALSModel(info: info, users: users, items: items, factors: factors, seen: seen) else {
            throw ALSError(.invalidData, "the factors do not fit the data")
        }
        model.info.rmse = model.rmse(on: test)
        model.info.recallAt10 = model.recallAt10(on: test, train: matrix, threshold: likedFrom)
        return model
    }
}

/// Held-out ratings by index: what training is measured on after each iteration.
private struct HoldOut {
    private let pairs: [(user: Int, item: Int32, value: Float)]
    private let range: ClosedRange<Float>

    /// Nil where there is nothing to measure.
    init?(_ test: [Interaction], users: IDIndex, items: IDIndex, _ info: ALSModel.Info) {
        guard case .explicit = info.configuration.feedback, info.configuration.reportsLoss, !test.isEmpty else {
            return nil
        }
        pairs = test.compactMap { interaction in
            guard let user = users.index(of: interaction.user), let item = items.index(of: interaction.item) else {
                return nil
            }
            return (user, Int32(item), interaction.value)
        }
        range = info.valueRange
    }

    func rmse(_ factors: ALSFactors) -> Double? {
        Metrics.rmse(
            pairs.lazy.map { pair in
                let score = factors.biases.base(pair.user, Int(pair.item)) + factors.score(pair.user, pair.item)
                return (min(max(score, range.lowerBound), range.upperBound), pair.value)
            })
    }
}
