// SPDX-License-Identifier: Apache-2.0
internal import CALSKernels

/// A trained model with everything that answering needs: factors, biases, identifiers and what each user has seen.
package struct ALSModel: Sendable {
    /// How the model came about.
    package struct Info: Sendable, Equatable {
        /// How it was trained.
        package var configuration: ALSConfiguration
        /// The version of the data set; empty when unknown.
        package var datasetVersion = ""
        /// Seconds since the Unix epoch when training ended.
        package var trainedAt: Int64 = 0
        /// The lowest and highest value in training; predictions of ratings are clamped to it.
        package var valueRange: ClosedRange<Float> = 0...0
        /// RMSE on held-out ratings; nil when not measured.
        package var rmse: Double?
        /// Recall@10 on held-out interactions; nil when not measured.
        package var recallAt10: Double?

        /// What is known when training ends.
        package init(configuration: ALSConfiguration) { self.configuration = configuration }
    }

    /// A user as the model sees them: factors and, for explicit feedback, a bias.
    package struct UserVector: Sendable, Equatable {
        /// The bias in stars; zero for implicit feedback.
        package let bias: Float
        /// The factors, padded.
        let factors: [Float]
    }

    /// An item and its score, or its likeness to another.
    package struct Scored: Sendable, Equatable {
        /// The item's identifier.
        package let item: Int64
        /// Stars (explicit), preference (implicit) or cosine (similar items).
        package let score: Float

        package init(item: Int64, score: Float) {
            self.item = item
            self.score = score
        }
    }

    /// How the model came about.
    package var info: Info
    /// The users of the training data.
    package let users: IDIndex
    /// The items of the training data.
    package let items: IDIndex
    /// Factors and biases.
    package let factors: ALSFactors
    /// Which items each user has already interacted with, by index.
    package let seen: SparseMatrix
    /// How many users interacted with each item in training, by index.
    package let itemCounts: [Int]
    private let itemNorms: [Float]
    private let gram: [Float]

    /// A model from its parts; nil when their sizes do not agree.
    package init?(info: Info, users: IDIndex, items: IDIndex, factors: ALSFactors, seen: SparseMatrix) {
        guard factors.users.rowCount == users.count, factors.items.rowCount == items.count,
            factors.users.columnCount == info.configuration.factors,
            factors.items.columnCount == info.configuration.factors, factors.biases.users.count == users.count,
            factors.biases.items.count == items.count, seen.rowCount == users.count, seen.columnCount == items.count
        else { return nil }
        self.info = info
        self.users = users
        self.items = items
        self.factors = factors
        self.seen = seen
        itemNorms = factors.items.rowNorms()
        itemCounts = seen.columns.reduce(into: [Int](repeating: 0, count: items.count)) { $0[Int($1)] += 1 }
        switch info.configuration.feedback {
        case .explicit: gram = []
        case .implicit: gram = factors.items.gram(ridge: info.configuration.regularization)
        }
    }

    /// The vector that training gave `user`, or nil for an unknown user.
    package func vector(of user: Int64) -> UserVector? {
        users.index(of: user).map {
            UserVector(bias: factors.biases.users[$0], factors: factors.users.paddedRow($0))
        }
    }

    /// The vector of a user with these ratings, solved for now with the items' factors fixed. Ratings of unknown items
    /// are left out; without any the vector is zero. Later ratings of an item replace earlier ones.
    package func foldIn(_ ratings: some Sequence<(item: Int64, value: Float)>) -> UserVector {
        var latest: [Int32: Float] = [:]
        for (item, value) in ratings where value.isFinite {
            if let index = items.index(of: item) { latest[Int32(index)] = value }
        }
        let entries = latest.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        let configuration = info.configuration
        var bias: Float = 0
        var values = entries.map(\.1)
        switch configuration.feedback {
        case .explicit:
            bias = Biases.userBias(
                entries, mean: factors.biases.mean, items: factors.biases.items,
                damping: configuration.userBiasDamping)
            for (position, entry) in entries.enumerated() {
                values[position] -= factors.biases.mean + bias + factors.biases.items[Int(entry.0)]
            }
        case .implicit:
            for index in values.indices { values[index] = max(values[index], 0) }
        }
        let stride = factors.items.stride
        var solution = [Float](repeating: 0, count: stride)
        let columns = entries.map(\.0)
        columns.withUnsafeBufferPointer { columns in
            values.withUnsafeBufferPointer { values in
                factors.items.elements.withUnsafeBufferPointer { items in
                    gram.withUnsafeBufferPointer { gram in
                        guard let items = items.baseAddress else { return }
                        var exact = configuration
                        exact.solver = .cholesky
                        exact.solve(
                            RowSolver.Problem(factors: items, columns: columns, values: values),
                            gram: gram.baseAddress, with: RowSolver(stride: stride), width: stride, into: &solution)
                    }
                }
            }
        }
        return UserVector(bias: bias, factors: solution)
    }

    /// What `user` would give `item`: stars within the range of the training data (explicit) or a preference near
    /// 0…1 (implicit); nil for an unknown item.
    package func predict(_ user: UserVector, item: Int64) -> Float? {
        guard let index = items.index(of: item) else { return nil }
        var (column, product) = (Int32(index), Float(0))
        als_scores(factors.items.stride, factors.items.elements, &column, 1, user.factors, &product)
        return clamped(product + base(user, index))
    }

    private func base(_ user: UserVector, _ item: Int) -> Float {
        factors.biases.mean + user.bias + factors.biases.items[item]
    }

    private func clamped(_ score: Float) -> Float {
        switch info.configuration.feedback {
        case .explicit: min(max(score, info.valueRange.lowerBound), info.valueRange.upperBound)
        case .implicit: score
        }
    }

    /// The `count` items of highest score without those in `excluded`, best first; equal scores in order of identifier.
    package func recommend(_ user: UserVector, count: Int, excluding excluded: Set<Int64>) -> [Scored] {
        let isExcluded = marks(excluded)
        var scores = factors.items.scores(user.factors)
        for index in scores.indices { scores[index] += base(user, index) }
        return TopN.select(count, from: scores) { !isExcluded[$0] }.map {
            Scored(item: items.ids[$0], score: clamped(scores[$0]))
        }
    }

    private func marks(_ ids: Set<Int64>) -> [Bool] {
        var marks = [Bool](repeating: false, count: items.count)
        for id in ids {
            if let index = items.index(of: id) { marks[index] = true }
        }
        return marks
    }

    /// The `count` items whose factors point most nearly the same way (cosine), best first; nil for an unknown item.
    /// Items that fewer than `support` users interacted with are left out: their direction is mostly chance.
    package func similar(to item: Int64, count: Int, support: Int = 0) -> [Scored]? {
        guard let index = items.index(of: item) else { return nil }
        guard itemNorms[index] > 0 else { return [] }
        var scores = factors.items.scores(factors.items.paddedRow(index))
        for other in scores.indices {
            let norm = itemNorms[index] * itemNorms[other]
            scores[other] = norm > 0 ? min(1, scores[other] / norm) : 0
        }
        return TopN.select(count, from: scores) {
            $0 != index && itemNorms[$0] > 0 && itemCounts[$0] >= support
        }.map {
            Scored(item: items.ids[$0], score: scores[$0])
        }
    }

    /// The items that `user` had already interacted with when the model was trained.
    package func seenItems(of user: Int64) -> Set<Int64> {
        guard let index = users.index(of: user) else { return [] }
        return Set(seen.columns(of: index).map { items.ids[Int($0)] })
    }
}

/// Chooses the best few of many.
enum TopN {
    /// The indices of the `count` highest scores among those that `include` lets through, best first; equal scores in
    /// order of index, NaN never.
    static func select(_ count: Int, from scores: [Float], where include: (Int) -> Bool) -> [Int] {
        guard count > 0 else { return [] }
        // Best first. `count` is small, so insertion is cheap.
        var kept: [Int] = []
        kept.reserveCapacity(min(count, scores.count) + 1)
        for index in scores.indices where include(index) && !scores[index].isNaN {
            if kept.count == count, let worst = kept.last, scores[index] <= scores[worst] { continue }
            var position = kept.count
            while position > 0, scores[kept[position - 1]] < scores[index] { position -= 1 }
            kept.insert(index, at: position)
            if kept.count > count { kept.removeLast() }
        }
        return kept
    }
}
