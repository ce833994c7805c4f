// SPDX-License-Identifier: Apache-2.0
internal import InferenceProtocol

/// A model's file (XGBoost, "Introduction to Model IO"), looked through before the library gets it: XGBoost 3.2 reads
/// outside its memory, or never ends, over damaged ones (**measured**: 41 of 400 mutants).
enum XGBoostFile {
    private static let featureLimit = 1 << 24
    private static let groupLimit = 1 << 16
    /// Of a categorical feature; the library makes a bit for each.
    private static let categoryLimit = 1 << 24

    private static func wrong(_ what: String) -> InferenceFault {
        InferenceFault(.invalid, "it is not a file of XGBoost, or damaged: \(what)")
    }

    /// - Returns: the booster's kind: `gbtree`, `dart` or `gblinear`.
    /// - Throws: `invalid`, with what is wrong.
    @discardableResult
    static func check(_ bytes: [UInt8]) throws(InferenceFault) -> String {
        let learner = try XGBoostNode.parse(bytes)["learner"]
        let parameters = learner["learner_model_param"]
        guard let features = parameters["num_feature"].integer, (1...featureLimit).contains(features),
            let classes = parameters["num_class"].integer, (0...groupLimit).contains(classes)
        else { throw wrong("its numbers of features and classes") }
        let targets = parameters["num_target"].integer ?? 1
        guard (0...groupLimit).contains(targets), targets <= 1 || classes <= 1 else {
            throw wrong("its number of targets")
        }
        let groups = max(classes, targets, 1)
        if let score = parameters["base_score"].string, score.hasPrefix("[") {
            let count = score.split(separator: ",").count
            guard count == 1 || count == groups else { throw wrong("its base_score has \(count) numbers") }
        }
        for key in ["feature_names", "feature_types"] {
            let count = learner[key].count ?? 0
            guard count == 0 || count == features else { throw wrong("its \(key) are \(count), not \(features)") }
        }
        let objective = learner["objective"]
        guard objective["name"].string != nil else { throw wrong("it has no objective") }
        if let own = objective["softmax_multiclass_param"]["num_class"].integer {
            guard own == classes else { throw wrong("its objective has another number of classes") }
        }
        try booster(learner["gradient_booster"], features: features, groups: groups)
        return learner["gradient_booster"]["name"].string ?? ""
    }

    private static func booster(_ booster: XGBoostNode, features: Int, groups: Int) throws(InferenceFault) {
        switch booster["name"].string {
        case "gbtree": try trees(booster["model"], features: features, groups: groups)
        case "dart":
            let count = try trees(booster["gbtree"]["model"], features: features, groups: groups)
            guard booster["weight_drop"].count == count else { throw wrong("its weights are not one a tree") }
        case "gblinear":
            guard booster["model"]["weights"].count == (features + 1) * groups else {
                throw wrong("its weights do not fit its features")
            }
        default: throw wrong("it is of an unknown kind")
        }
    }

    @discardableResult
    private static func trees(_ model: XGBoostNode, features: Int, groups: Int) throws(InferenceFault) -> Int {
        guard let trees = model["trees"].elements, !trees.isEmpty,
            model["gbtree_model_param"]["num_trees"].integer == trees.count,
            let parallel = model["gbtree_model_param"]["num_parallel_tree"].integer,
            (1...trees.count).contains(parallel),
            let groupOfTree = model["tree_info"].integers, groupOfTree.count == trees.count,
            groupOfTree.allSatisfy({ (0..<groups).contains($0) })
        else { throw wrong("its numbers of trees do not agree") }
        if let rounds = model["iteration_indptr"].integers, !rounds.isEmpty {
            guard rounds.first == 0, rounds.last == trees.count,
                zip(rounds, rounds.dropFirst()).allSatisfy({ $0 <= $1 })
            else { throw wrong("its rounds do not agree with its trees") }
        }
        if case .object = model["cats"] { try categories(model["cats"], features: features) }
        for (index, tree) in trees.enumerated() {
            guard tree["id"].integer.map({ $0 == index }) ?? true else { throw wrong("its trees are not in order") }
            try check(tree, index, features: features)
        }
        return trees.count
    }

    /// The texts or numbers that categories had when it was trained.
    private static func categories(_ node: XGBoostNode, features: Int) throws(InferenceFault) {
        guard let encodings = node["enc"].elements, let segments = node["feature_segments"].integers,
            let order = node["sorted_idx"].integers
        else { throw wrong("its categories") }
        if encodings.isEmpty, segments.isEmpty, order.isEmpty { return }
        guard encodings.count == features, segments.count == features + 1, segments[0] == 0,
            zip(segments, segments.dropFirst()).allSatisfy({ $0 <= $1 }), segments.last == order.count
        else { throw wrong("its categories do not agree with its features") }
        for (index, encoding) in encodings.enumerated() {
            let (start, count) = (segments[index], segments[index + 1] - segments[index])
            guard let values = encoding["values"].count else { throw wrong("its categories") }
            if let offsets = encoding["offsets"].integers, !offsets.isEmpty {
                guard offsets.count == count + 1, offsets[0] == 0, offsets.last == values,
                    zip(offsets, offsets.dropFirst()).allSatisfy({ $0 <= $1 })
                else { throw wrong("its categories' texts do not agree") }
            } else if values != count {
                throw wrong("its categories do not agree")
            }
            guard order[start..<start + count].allSatisfy({ (0..<count).contains($0) }) else {
                throw wrong("the order of its categories")
            }
        }
    }

    private static func check(_ tree: XGBoostNode, _ index: Int, features: Int) throws(InferenceFault) {
        func wrong(_ what: String) -> InferenceFault { Self.wrong("tree \(index): \(what)") }
        let parameters = tree["tree_param"]
        guard let nodes = parameters["num_nodes"].integer, nodes > 0, (parameters["size_leaf_vector"].integer ?? 1) <= 1
        else { throw wrong("its nodes are none, or have several values, which is not served") }
        guard parameters["num_feature"].integer.map({ $0 <= features }) ?? true,
            let left = tree["left_children"].integers, let right = tree["right_children"].integers,
            let split = tree["split_indices"].integers, left.count == nodes, right.count == nodes, split.count == nodes,
            tree["parents"].count == nodes
        else { throw wrong("its numbers of nodes do not agree") }
        for key in ["split_conditions", "base_weights", "loss_changes", "sum_hessian", "default_left"] {
            guard tree[key].count == nodes else { throw wrong("its \(key) are not one a node") }
        }
        for node in 0..<nodes {
            guard (-1..<nodes).contains(left[node]), (-1..<nodes).contains(right[node]),
                (left[node] == -1) == (right[node] == -1)
            else { throw wrong("a node's children are not there") }
            // Leaves, and nodes that were pruned, ask for nothing.
            guard left[node] == -1 || (0..<features).contains(split[node]) else {
                throw wrong("it asks for a feature that is not there")
            }
        }
        func child(_ number: Int) -> TreeShape.Child { number == -1 ? .leaf : .node(number) }
        guard TreeShape.isTree(nodes: nodes, children: { (child(left[$0]), child(right[$0])) }) else {
            throw wrong("its nodes are not a tree")
        }
        guard let parents = tree["parents"].integers,
            parents.allSatisfy({ $0 == Int(Int32.max) || (-1..<nodes).contains($0) })
        else { throw wrong("its parents") }
        try categoricalNodes(tree, nodes, wrong)
    }

    private static func categoricalNodes(
        _ tree: XGBoostNode, _ nodes: Int, _ wrong: (String) -> InferenceFault
    ) throws(InferenceFault) {
        guard let kinds = tree["split_type"].integers, kinds.count == nodes, kinds.allSatisfy({ $0 == 0 || $0 == 1 }),
            let places = tree["categories_nodes"].integers, let starts = tree["categories_segments"].integers,
            let sizes = tree["categories_sizes"].integers, let values = tree["categories"].integers,
            places.count == starts.count, places.count == sizes.count
        else { throw wrong("its categories do not agree") }
        guard zip(places, places.dropFirst()).allSatisfy({ $0 < $1 }),
            places == kinds.indices.filter({ kinds[$0] == 1 }), values.allSatisfy({ (0..<categoryLimit).contains($0) })
        else { throw wrong("its categories do not agree with its nodes") }
        for (start, size) in zip(starts, sizes) {
            guard start >= 0, size > 0, start <= values.count, size <= values.count - start else {
                throw wrong("its categories are not there")
            }
        }
    }
}
