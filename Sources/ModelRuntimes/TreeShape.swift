// SPDX-License-Identifier: Apache-2.0

/// Whether the nodes of a decision tree are a tree: libraries follow children without a look at where they lead, so that a
/// file that is damaged, or made to, would have them read elsewhere or never end.
enum TreeShape {
    /// The deepest that is taken; trained trees are far below.
    static let depthLimit = 4096

    /// What a node's child is.
    enum Child {
        case node(Int)
        case leaf
        case wrong
    }

    /// Follows all nodes from the root (0), each of which may be reached once.
    /// - Returns: whether all is well.
    static func isTree(nodes: Int, children: (Int) -> (Child, Child)) -> Bool {
        guard nodes > 0 else { return true }
        var seen = [Bool](repeating: false, count: nodes)
        var open: [(node: Int, depth: Int)] = [(0, 0)]
        seen[0] = true
        while let (node, depth) = open.popLast() {
            guard depth < depthLimit else { return false }
            let (left, right) = children(node)
            for child in [left, right] {
                switch child {
                case .leaf: continue
                case .wrong: return false
                case .node(let next):
                    guard next > 0, next < nodes, !seen[next] else { return false }
                    seen[next] = true
                    open.append((next, depth + 1))
                }
            }
        }
        return true
    }
}
