// SPDX-License-Identifier: Apache-2.0

/// Writes small ONNX files (onnx.ai, "Open Neural Network Exchange Intermediate Representation"), as protobuf messages.
struct ONNXBytes {
    private(set) var bytes: [UInt8] = []

    private mutating func varint(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    mutating func number(_ field: Int, _ value: Int) {
        varint(UInt64(field << 3))
        varint(UInt64(bitPattern: Int64(value)))
    }

    mutating func text(_ field: Int, _ value: String) { block(field, Array(value.utf8)) }

    mutating func block(_ field: Int, _ content: [UInt8]) {
        varint(UInt64(field << 3 | 2))
        varint(UInt64(content.count))
        bytes += content
    }

    static func message(_ body: (inout ONNXBytes) -> Void) -> [UInt8] {
        var message = ONNXBytes()
        body(&message)
        return message.bytes
    }

    /// ValueInfoProto of a tensor; nil axes are free.
    static func value(_ name: String, _ element: Int, _ shape: [Int?]) -> [UInt8] {
        message { value in
            value.text(1, name)
            value.block(
                2,
                message { type in
                    type.block(
                        1,
                        message { tensor in
                            tensor.number(1, element)
                            tensor.block(
                                2,
                                message { axes in
                                    for (index, axis) in shape.enumerated() {
                                        axes.block(
                                            1,
                                            message {
                                                if let axis { $0.number(1, axis) } else { $0.text(2, "n\(index)") }
                                            })
                                    }
                                })
                        })
                })
        }
    }

    static func node(_ kind: String, _ inputs: [String], _ outputs: [String], _ attributes: [[UInt8]] = []) -> [UInt8] {
        message { node in
            for name in inputs { node.text(1, name) }
            for name in outputs { node.text(2, name) }
            node.text(4, kind)
            for attribute in attributes { node.block(5, attribute) }
        }
    }

    /// An attribute that is a graph (type 5).
    static func attribute(_ name: String, graph: [UInt8]) -> [UInt8] {
        message {
            $0.text(1, name)
            $0.block(6, graph)
            $0.number(20, 5)
        }
    }

    static func graph(_ nodes: [[UInt8]], inputs: [[UInt8]], outputs: [[UInt8]], constants: [[UInt8]] = []) -> [UInt8] {
        message { graph in
            for node in nodes { graph.block(1, node) }
            graph.text(2, "g")
            for constant in constants { graph.block(5, constant) }
            for input in inputs { graph.block(11, input) }
            for output in outputs { graph.block(12, output) }
        }
    }

    /// A boolean that is a constant.
    static func boolean(_ name: String, _ value: Bool) -> [UInt8] {
        message {
            $0.number(2, 9)
            $0.block(9, [value ? 1 : 0])
            $0.text(8, name)
        }
    }

    static func model(_ graph: [UInt8]) -> [UInt8] {
        message { model in
            model.number(1, 8)
            model.block(7, graph)
            model.block(8, message { $0.number(2, 17) })
        }
    }
}
