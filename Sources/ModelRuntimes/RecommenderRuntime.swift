// SPDX-License-Identifier: Apache-2.0
internal import ApusCore
package import InferenceProtocol
internal import ModelKit

/// ALS factors as the movie recommender trains them (docs/formats/als-model.md): recommendations, predictions and items
/// that are alike.
///
/// | inputs | answer |
/// |---|---|
/// | `user` [N] | for each the `count` best items that it has not seen |
/// | `user` [1], `rated_items` [M], `rated_values` [M] | the same, for these newest ratings |
/// | `user` [N], `item` [N] | what each would give the item |
/// | `item` [N] | for each the `count` items most like it, that at least `support` users have rated |
///
/// Outputs are `items` and `scores`, rows × places; a place that is left over, and an item that is unknown, is -1 with
/// the score 0.
package struct RecommenderRuntime: ModelRuntime {
    package let name = "apus-als"
    package let formats = ["apus-als", "apus_als"]

    private static let flavor = "apus_als"
    /// Bytes of a model.
    private static let limit = 1 << 32

    package init() {}

    package func recognises(_ folder: ModelFolder) -> Bool {
        let files = ModelFiles(folder.path)
        if let model = (try? MLmodel(files)) ?? nil { return model.flavors[Self.flavor] != nil }
        return Self.file(files) != nil
    }

    private static func file(_ files: ModelFiles) -> String? {
        files.modelFile(preferred: ["model.als"], endings: [".als"])
    }

    package func load(_ folder: ModelFolder, _ options: RuntimeOptions) throws(InferenceFault) -> any LoadedModel {
        let files = ModelFiles(folder.path)
        var path = Self.file(files)
        if let model = try MLmodel(files), let data = model.data(of: Self.flavor, in: files) { path = data }
        guard let path else {
            throw InferenceFault(.notFound, "model '\(folder.name)': there is no model.als in \(folder.path)")
        }
        let bytes = try ModelFiles.read(path, limit: min(Self.limit, options.memoryLimit))
        do throws(ALSError) {
            return RecommenderModel(try ALSModelFile.decode(bytes), name: folder.name, memory: bytes.count)
        } catch {
            throw InferenceFault(.invalid, "model '\(folder.name)' cannot be loaded: \(error.description)")
        }
    }
}

final class RecommenderModel: LoadedModel {
    let signature: ModelSignature
    let memory: Int
    let name: String
    let model: ALSModel

    init(_ model: ALSModel, name: String, memory: Int) {
        self.model = model
        self.name = name
        self.memory = memory
        func optional(_ name: String, _ type: TensorType) -> TensorSpec {
            var spec = TensorSpec(name: name, type: type, shape: [-1])
            spec.isOptional = true
            return spec
        }
        signature = ModelSignature(
            platform: "apus_als",
            inputs: [
                optional("user", .int64), optional("item", .int64), optional("count", .int64),
                optional("support", .int64), optional("rated_items", .int64), optional("rated_values", .fp32),
            ],
            outputs: [
                TensorSpec(name: "items", type: .int64, shape: [-1, -1]),
                TensorSpec(name: "scores", type: .fp32, shape: [-1, -1]),
            ], maximumBatch: 0)
    }

    func makeInstance() throws(InferenceFault) -> any ModelInstance { RecommenderInstance(self) }
}

final class RecommenderInstance: ModelInstance {
    private static let rowLimit = 10_000
    private static let countLimit = 500

    private let loaded: RecommenderModel

    init(_ model: RecommenderModel) { loaded = model }

    func run(
        _ inputs: [Tensor], outputs: [String], deadline: ContinuousClock.Instant?
    ) throws(InferenceFault) -> [Tensor] {
        let users = try numbers("user", Int64.self, .int64, in: inputs)
        let items = try numbers("item", Int64.self, .int64, in: inputs)
        let count = try option("count", 1...Int64(Self.countLimit), default: 10, in: inputs)
        let rows: [[ALSModel.Scored]]
        switch (users, items) {
        case (let users?, nil): rows = try recommend(users, count, inputs)
        case (let users?, let items?): rows = try predict(users, items, inputs)
        case (nil, let items?):
            try check(items.count)
            let support = try option("support", 0...1_000_000, default: 10, in: inputs)
            rows = items.map { loaded.model.similar(to: $0, count: count, support: support) ?? [] }
        case (nil, nil):
            throw InferenceFault(.invalid, "model '\(loaded.name)' needs the input 'user', 'item' or both")
        }
        let tensors = tensors(rows, places: users != nil && items != nil ? 1 : count)
        return outputs.isEmpty ? tensors : outputs.compactMap { name in tensors.first { $0.name == name } }
    }

    private func check(_ rows: Int) throws(InferenceFault) {
        guard rows <= Self.rowLimit else {
            throw InferenceFault(.tooLarge, "model '\(loaded.name)' answers \(Self.rowLimit) rows at most, not \(rows)")
        }
    }

    /// A user's vector, and what not to recommend.
    private func view(
        _ user: Int64, _ rated: [(item: Int64, value: Float)]?
    ) -> (vector: ALSModel.UserVector, seen: Set<Int64>) {
        let seen = loaded.model.seenItems(of: user)
        guard let rated else { return (loaded.model.vector(of: user) ?? loaded.model.foldIn([]), seen) }
        return (loaded.model.foldIn(rated), seen.union(rated.map(\.item)))
    }

    private func recommend(
        _ users: [Int64], _ count: Int, _ inputs: [Tensor]
    ) throws(InferenceFault) -> [[ALSModel.Scored]] {
        try check(users.count)
        let rated = try ratings(inputs, users.count)
        return users.map { user in
            let view = view(user, rated)
            return loaded.model.recommend(view.vector, count: count, excluding: view.seen)
        }
    }

    private func predict(
        _ users: [Int64], _ items: [Int64], _ inputs: [Tensor]
    ) throws(InferenceFault) -> [[ALSModel.Scored]] {
        guard users.count == items.count else {
            throw InferenceFault(
                .invalid,
                "model '\(loaded.name)' predicts for pairs: there are \(users.count) users and \(items.count) items")
        }
        try check(users.count)
        let rated = try ratings(inputs, users.count)
        return zip(users, items).map { user, item in
            loaded.model.predict(view(user, rated).vector, item: item)
                .map { [ALSModel.Scored(item: item, score: $0)] } ?? []
        }
    }

    private func ratings(
        _ inputs: [Tensor], _ users: Int
    ) throws(InferenceFault) -> [(item: Int64, value: Float)]? {
        let items = try numbers("rated_items", Int64.self, .int64, in: inputs)
        let values = try numbers("rated_values", Float.self, .fp32, in: inputs)
        guard items != nil || values != nil else { return nil }
        guard let items, let values, items.count == values.count, users == 1 else {
            throw InferenceFault(
                .invalid,
                "model '\(loaded.name)' takes 'rated_items' and 'rated_values' of one length, for one user at a time")
        }
        try check(items.count)
        return zip(items, values).map { (item: $0, value: $1) }
    }

    private func option(
        _ name: String, _ range: ClosedRange<Int64>, default value: Int, in inputs: [Tensor]
    ) throws(InferenceFault) -> Int {
        guard let given = try numbers(name, Int64.self, .int64, in: inputs)?.max() else { return value }
        guard range.contains(given) else {
            throw InferenceFault(
                .invalid,
                "the input '\(name)' of model '\(loaded.name)' is \(given), expected \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return Int(given)
    }

    private func numbers<Number: BitwiseCopyable>(
        _ name: String, _: Number.Type, _ type: TensorType, in inputs: [Tensor]
    ) throws(InferenceFault) -> [Number]? {
        guard let tensor = inputs.first(where: { $0.name == name }) else { return nil }
        guard tensor.type == type, case .memory(let storage, let range) = tensor.content else {
            throw InferenceFault(.invalid, "the input '\(name)' of model '\(loaded.name)' has to be \(type.name)")
        }
        let bytes = UnsafeRawBufferPointer(rebasing: storage.bytes[range])
        return (0..<bytes.count / MemoryLayout<Number>.stride).map {
            bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Number>.stride, as: Number.self)
        }
    }

    private func tensors(_ rows: [[ALSModel.Scored]], places: Int) -> [Tensor] {
        let count = rows.count * places
        let (items, scores) = (TensorStorage(byteCount: count * 8), TensorStorage(byteCount: count * 4))
        let (item, score) = (
            items.bytes.bindMemory(to: Int64.self), scores.bytes.bindMemory(to: Float.self)
        )
        for (index, row) in rows.enumerated() {
            for place in 0..<places {
                let scored = place < row.count ? row[place] : nil
                item[index * places + place] = scored?.item ?? -1
                score[index * places + place] = scored?.score ?? 0
            }
        }
        return [
            Tensor(name: "items", type: .int64, shape: [rows.count, places], content: .memory(items, 0..<count * 8)),
            Tensor(name: "scores", type: .fp32, shape: [rows.count, places], content: .memory(scores, 0..<count * 4)),
        ]
    }
}
