// SPDX-License-Identifier: Apache-2.0
package import NIOCore

/// Rows of numbers as lines of text/csv, for a model with one input.
package enum CSVRows {
    /// Reads a request.
    /// - Parameters:
    ///   - bytes: lines of numbers with commas between them, without a line of names.
    ///   - model: of the path.
    ///   - signature: says name and type of the input.
    ///   - limits: of one request.
    /// - Returns: the request.
    /// - Throws: `invalid`, `tooLarge`.
    package static func request(
        _ bytes: UnsafeRawBufferPointer, model: String, signature: ModelSignature, limits: RequestLimits
    ) throws(InferenceFault) -> InferenceRequest {
        // The same rows as JSON, so that they are checked as those are.
        var json: [UInt8] = Array("{\"instances\":[".utf8)
        json.reserveCapacity(bytes.count + bytes.count / 8 + 32)
        var isFirst = true
        for line in bytes.split(separator: 0x0A) {
            var line = line
            if line.last == 0x0D { line.removeLast() }
            guard !line.isEmpty else { continue }
            for byte in line where !isNumberText(byte) {
                throw InferenceFault(
                    .invalid, "a line of text/csv has to be numbers with commas between them, without names or quotes")
            }
            json.append(contentsOf: isFirst ? "[".utf8 : ",[".utf8)
            isFirst = false
            json.append(contentsOf: line)
            json.append(UInt8(ascii: "]"))
        }
        json.append(contentsOf: "]}".utf8)
        return try json.withUnsafeBytes { json -> Result<InferenceRequest, InferenceFault> in
            do throws(InferenceFault) {
                return .success(try PredictJSON.request(json, model: model, signature: signature, limits: limits))
            } catch {
                return .failure(error)
            }
        }.get()
    }

    private static func isNumberText(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: ","), UInt8(ascii: " "), UInt8(ascii: "\t"):
            true
        default: false
        }
    }

    /// Writes the outputs' rows as lines, the columns of all outputs one behind the other.
    /// - Throws: `invalid` for texts that are no UTF-8, or outputs with different numbers of rows.
    package static func write(_ response: InferenceResponse, into buffer: inout ByteBuffer) throws(InferenceFault) {
        let rows = response.outputs.first?.shape.first ?? 0
        guard response.outputs.allSatisfy({ $0.shape.first == rows }) else {
            throw InferenceFault(
                .invalid, "the outputs do not have as many rows as each other: accept application/json")
        }
        var text = JSONText(buffer)
        buffer = ByteBuffer()
        defer { buffer = text.buffer }
        for row in 0..<rows {
            for index in response.outputs.indices {
                if index > 0 { text.raw(",") }
                let size = response.outputs[index].shape.dropFirst().reduce(1, *)
                try text.elements(response.outputs[index], row * size..<(row + 1) * size)
            }
            text.raw("\n")
        }
    }
}

extension InferJSON {
    /// Whether a body is one of the Open Inference Protocol: its `inputs` are objects with a datatype. Anything that is no
    /// JSON is not.
    package static func isRequest(_ bytes: UnsafeRawBufferPointer, limits: RequestLimits) -> Bool {
        var isRequest = false
        do throws(InferenceFault) {
            var scanner = try JSONScanner(bytes, limits: limits)
            try scanner.members("the request") { scanner, key throws(InferenceFault) in
                guard scanner.equals(key, "inputs"), scanner.peek() == UInt8(ascii: "[") else {
                    return try scanner.skip()
                }
                let start = scanner.index
                scanner.index += 1
                if scanner.peek() == UInt8(ascii: "{") {
                    try scanner.members("an input") { scanner, key throws(InferenceFault) in
                        if scanner.equals(key, "datatype") { isRequest = true }
                        try scanner.skip()
                    }
                }
                scanner.index = start
                try scanner.skip()
            }
        } catch {
            return isRequest
        }
        return isRequest
    }
}
