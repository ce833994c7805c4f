// SPDX-License-Identifier: Apache-2.0
import InferenceProtocol
import Testing

@testable import ModelRuntimes

@Suite("Files of models")
struct ModelFileTests {
    /// One tree of three leaves over two features.
    static let lightGBM = """
        tree
        version=v4
        num_class=1
        num_tree_per_iteration=1
        label_index=0
        max_feature_idx=1
        objective=regression
        feature_names=a b
        feature_infos=[0:1] [0:1]
        tree_sizes=300

        Tree=0
        num_leaves=3
        num_cat=0
        split_feature=0 1
        split_gain=1 1
        threshold=0.5 0.25
        decision_type=2 2
        left_child=1 -1
        right_child=-3 -2
        leaf_value=1 2 3
        leaf_weight=1 1 1
        leaf_count=1 1 1
        internal_value=0 0
        internal_weight=2 1
        internal_count=3 2
        is_linear=0
        shrinkage=1


        end of trees

        """

    @Test("a text of LightGBM loses the sizes of its trees, and nothing else")
    func lightGBMText() throws {
        let checked = String(decoding: try LightGBMText.checked(Array(Self.lightGBM.utf8)), as: UTF8.self)
        #expect(checked == Self.lightGBM.replacing("tree_sizes=300\n", with: ""))
    }

    @Test(
        "a text of LightGBM that would lead astray is refused",
        arguments: [
            ("left_child=1 -1", "left_child=0 -1"), ("left_child=1 -1", "left_child=7 -1"),
            ("left_child=1 -1", "left_child=1 -9"), ("left_child=1 -1", "left_child=1"),
            ("right_child=-3 -2", "right_child=1 -2"), ("split_feature=0 1", "split_feature=0 2"),
            ("split_feature=0 1", "split_feature=-1 1"), ("num_leaves=3", "num_leaves=2147483647"),
            ("num_leaves=3", "num_leaves=0"), ("leaf_value=1 2 3", "leaf_value=1 2"), ("num_class=1", "num_class=2"),
            ("num_tree_per_iteration=1", "num_tree_per_iteration=3"), ("max_feature_idx=1", "max_feature_idx=0"),
            ("objective=regression", "objective=multiclass num_class:5"),
            ("objective=regression", "objective=multiclass"),
            ("decision_type=2 2", "decision_type=3 2"), ("num_cat=0", "num_cat=2"), ("is_linear=0", "is_linear=1"),
            ("end of trees", "end"), ("shrinkage=1\n\n\nend of trees\n", "shrinkage=1"), ("tree\n", "nothing\n"),
            ("split_gain=1 1", "split_gain"), ("leaf_value=1 2 3", "leaf_value=1 2 3\nleaf_value=1 2 3"),
        ])
    func lightGBMDamage(_ old: String, _ new: String) {
        let text = Self.lightGBM.replacing(old, with: new)
        #expect(text != Self.lightGBM)
        #expect(throws: InferenceFault.self) { try LightGBMText.checked(Array(text.utf8)) }
    }

    static let xgboost = """
        {"learner": {"attributes": {}, "feature_names": [], "feature_types": [], "gradient_booster": {"name": "gbtree", \
        "model": {"gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "1"}, "iteration_indptr": [0, 1], \
        "tree_info": [0], "trees": [{"base_weights": [0, 1, 2], "categories": [], "categories_nodes": [], \
        "categories_segments": [], "categories_sizes": [], "default_left": [0, 0, 0], "id": 0, \
        "left_children": [1, -1, -1], "loss_changes": [1, 0, 0], "parents": [2147483647, 0, 0], \
        "right_children": [2, -1, -1], "split_conditions": [0.5, 1, 2], "split_indices": [1, 0, 0], \
        "split_type": [0, 0, 0], "sum_hessian": [2, 1, 1], "tree_param": {"num_deleted": "0", "num_feature": "2", \
        "num_nodes": "3", "size_leaf_vector": "1"}}]}}, "learner_model_param": {"base_score": "[5E-1]", \
        "num_class": "0", "num_feature": "2", "num_target": "1"}, "objective": {"name": "reg:squarederror"}}, \
        "version": [3, 2, 0]}
        """

    @Test("a file of XGBoost in JSON is let through")
    func xgboostFile() throws { try XGBoostFile.check(Array(Self.xgboost.utf8)) }

    @Test(
        "a file of XGBoost that would lead astray is refused",
        arguments: [
            ("\"left_children\": [1,", "\"left_children\": [0,"), ("\"left_children\": [1,", "\"left_children\": [3,"),
            ("\"left_children\": [1,", "\"left_children\": [-1,"), ("\"left_children\": [1,", "\"left_children\": [2,"),
            ("\"right_children\": [2, -1, -1]", "\"right_children\": [2, -1]"),
            ("\"split_indices\": [1,", "\"split_indices\": [2,"), ("\"split_indices\": [1,", "\"split_indices\": [-1,"),
            ("\"num_nodes\": \"3\"", "\"num_nodes\": \"4\""), ("\"num_trees\": \"1\"", "\"num_trees\": \"2147483647\""),
            ("\"tree_info\": [0]", "\"tree_info\": [1]"), ("\"tree_info\": [0]", "\"tree_info\": []"),
            ("[0, 1], \"tree_info\"", "[0, 2], \"tree_info\""), ("\"split_type\": [0,", "\"split_type\": [1,"),
            ("\"split_conditions\": [0.5, 1, 2]", "\"split_conditions\": [0.5]"), ("[5E-1]", "[5E-1,1]"),
            ("\"num_feature\": \"2\", \"num_target\"", "\"num_feature\": \"0\", \"num_target\""),
            ("\"num_class\": \"0\"", "\"num_class\": \"-1\""), ("\"num_class\": \"0\"", "\"num_class\": \"x\""),
            ("gbtree\", \"model", "gbx\", \"model"), ("\"size_leaf_vector\": \"1\"", "\"size_leaf_vector\": \"3\""),
            ("\"feature_names\": []", "\"feature_names\": [\"a\"]"), ("\"name\": \"reg:squarederror\"", "\"n\": 1"),
            ("\"parents\": [2147483647", "\"parents\": [77"), ("{\"learner\"", "[\"learner\""),
            ("3, 2, 0]}", "3, 2, 0]"),
        ])
    func xgboostDamage(_ old: String, _ new: String) {
        let text = Self.xgboost.replacing(old, with: new)
        #expect(text != Self.xgboost)
        #expect(throws: InferenceFault.self) { try XGBoostFile.check(Array(text.utf8)) }
    }

    @Test("UBJSON: numbers of all widths, lists of three kinds, nothing beyond the end")
    func ubjson() throws {
        func text(_ value: String) -> [UInt8] { [0x69, UInt8(value.utf8.count)] + Array(value.utf8) }
        var bytes: [UInt8] = Array("{".utf8)
        bytes +=
            text("a") + Array("[$l#".utf8) + [0x4C, 0, 0, 0, 0, 0, 0, 0, 2] + [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 1, 0]
        bytes += text("b") + Array("[#".utf8) + [0x69, 2, 0x69, 0x80, 0x55, 0x80]
        bytes += text("c") + Array("[".utf8) + [0x49, 0x80, 0, 0x4C, 0, 0, 0, 1, 0, 0, 0, 0] + Array("]".utf8)
        bytes += text("d") + Array("[$d#".utf8) + [0x69, 1, 0, 0, 0, 0] + text("e") + Array("S".utf8) + text("12")
        bytes += Array("}".utf8)
        let node = try XGBoostNode.parse(bytes)
        #expect(node["a"].integers == [-1, 256])
        #expect(node["b"].integers == [-128, 128])
        #expect(node["c"].integers == [-32768, 1 << 32])
        #expect(node["d"].count == 1 && node["d"].integers == nil)
        #expect(node["e"].integer == 12)
        for count in 0..<bytes.count {
            #expect(throws: InferenceFault.self) { try XGBoostNode.parse(Array(bytes.prefix(count))) }
        }
        var random = SystemSeed(state: 7)
        for _ in 0..<3000 {
            var mutant = bytes
            for _ in 0..<random.next(4) + 1 { mutant[random.next(mutant.count)] = UInt8(random.next(256)) }
            _ = try? XGBoostNode.parse(mutant)
        }
    }

    @Test("deep chains and cycles are no trees")
    func shapes() {
        #expect(TreeShape.isTree(nodes: 3) { $0 == 0 ? (.node(1), .node(2)) : (.leaf, .leaf) })
        #expect(!TreeShape.isTree(nodes: 3) { $0 == 0 ? (.node(1), .node(1)) : (.leaf, .leaf) })
        #expect(!TreeShape.isTree(nodes: 2) { $0 == 0 ? (.node(1), .leaf) : (.node(0), .leaf) })
        #expect(!TreeShape.isTree(nodes: 10_000) { $0 < 9_999 ? (.node($0 + 1), .leaf) : (.leaf, .leaf) })
        #expect(!TreeShape.isTree(nodes: 1) { _ in (.wrong, .leaf) })
    }
}

/// Numbers that are the same in every run.
struct SystemSeed {
    var state: UInt64

    mutating func next(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }
}
