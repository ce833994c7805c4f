// SPDX-License-Identifier: Apache-2.0

/// What one request of `logBatch` logs.
package struct LogBatch: Sendable, Hashable {
    package var runID = ""
    package var metrics: [Metric] = []
    package var params: [Param] = []
    package var tags: [Tag] = []

    /// Reads a body as clients send it, in one pass, without a value for each member: batches are what a server of
    /// training runs has most to read.
    ///
    /// Nil where there is anything unusual: another member, another type, a text with escapes, something that is missing
    /// or given twice, what is no JSON. ``RequestFields`` reads that, and says what is wrong with it.
    package init?(plain body: [UInt8]) {
        let read = body.withUnsafeBufferPointer { bytes -> LogBatch? in
            var reader = PlainReader(bytes)
            return reader.batch()
        }
        guard let read else { return nil }
        self = read
    }

    init() {}
}

/// Reads JSON without escapes whose members are known; nil for all else.
private struct PlainReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var index = 0
    /// Keys of metrics that were seen: batches have few, often in turn.
    private var keys: [(bytes: Range<Int>, text: String)] = []
    private var nextKey = 0

    /// Keys that are compared with at most.
    private static let maximumKeys = 32

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    mutating func batch() -> LogBatch? {
        var batch = LogBatch()
        var seen: UInt8 = 0
        let isObject = object { reader, name in
            let bit: UInt8
            switch name.count {
            case 6 where reader.equals(name, "run_id"):
                bit = 1
                guard let text = reader.text(), !text.isEmpty else { return false }
                batch.runID = text
            case 7 where reader.equals(name, "metrics"):
                bit = 2
                guard reader.array({ $0.metric().map { batch.metrics.append($0) } != nil }) else { return false }
            case 6 where reader.equals(name, "params"):
                bit = 4
                guard reader.array({ $0.pair().map { batch.params.append(Param($0.key, $0.value)) } != nil })
                else { return false }
            case 4 where reader.equals(name, "tags"):
                bit = 8
                guard reader.array({ $0.pair().map { batch.tags.append(Tag($0.key, $0.value)) } != nil })
                else { return false }
            default: return false
            }
            defer { seen |= bit }
            return seen & bit == 0
        }
        skipSpace()
        return isObject && index == bytes.count && seen & 1 != 0 ? batch : nil
    }

    private mutating func metric() -> Metric? {
        var metric = Metric(key: "", value: 0, timestamp: 0)
        var seen: UInt8 = 0
        let isObject = object { reader, name in
            let bit: UInt8
            switch name.count {
            case 3 where reader.equals(name, "key"):
                bit = 1
                guard let key = reader.key() else { return false }
                metric.key = key
            case 5 where reader.equals(name, "value"):
                bit = 2
                guard let value = reader.number() else { return false }
                metric.value = value
            case 9 where reader.equals(name, "timestamp"):
                bit = 4
                guard let value = reader.integer() else { return false }
                metric.timestamp = value
            case 4 where reader.equals(name, "step"):
                bit = 8
                guard let value = reader.integer() else { return false }
                metric.step = value
            case 8 where reader.equals(name, "model_id"):
                bit = 16
                guard let text = reader.text() else { return false }
                metric.modelID = text
            case 12 where reader.equals(name, "dataset_name"):
                bit = 32
                guard let text = reader.text() else { return false }
                metric.datasetName = text
            case 14 where reader.equals(name, "dataset_digest"):
                bit = 64
                guard let text = reader.text() else { return false }
                metric.datasetDigest = text
            default: return false
            }
            defer { seen |= bit }
            return seen & bit == 0
        }
        return isObject && seen & 7 == 7 ? metric : nil
    }

    /// A param or a tag.
    private mutating func pair() -> (key: String, value: String)? {
        var (key, value): (String?, String?)
        let isObject = object { reader, name in
            if key == nil, reader.equals(name, "key") {
                key = reader.text()
                return key?.isEmpty == false
            }
            guard value == nil, reader.equals(name, "value") else { return false }
            value = reader.text()
            return value != nil
        }
        guard isObject, let key, let value else { return nil }
        return (key, value)
    }

    // MARK: JSON

    private mutating func skipSpace() {
        while index < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[index]) { index += 1 }
    }

    /// Passes over white space and, where it comes next, a character.
    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func object(_ member: (inout Self, _ name: Range<Int>) -> Bool) -> Bool {
        guard take("{") else { return false }
        if take("}") { return true }
        repeat {
            guard let name = quoted(), take(":"), member(&self, name) else { return false }
        } while take(",")
        return take("}")
    }

    private mutating func array(_ element: (inout Self) -> Bool) -> Bool {
        guard take("[") else { return false }
        if take("]") { return true }
        repeat {
            guard element(&self) else { return false }
        } while take(",")
        return take("]")
    }

    /// Where the text between the quotes is.
    private mutating func quoted() -> Range<Int>? {
        guard take("\"") else { return nil }
        let start = index
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") {
                defer { index += 1 }
                return start..<index
            }
            guard byte >= 0x20, byte != UInt8(ascii: "\\") else { return nil }
            index += 1
        }
        return nil
    }

    private func equals(_ range: Range<Int>, _ name: StaticString) -> Bool {
        guard range.count == name.utf8CodeUnitCount else { return false }
        for offset in 0..<range.count where bytes[range.lowerBound + offset] != name.utf8Start[offset] { return false }
        return true
    }

    private mutating func text() -> String? {
        quoted().flatMap { String(validating: UnsafeBufferPointer(rebasing: bytes[$0]), as: UTF8.self) }
    }

    /// A metric's key: mostly one that was there before, then the one after that.
    private mutating func key() -> String? {
        guard let range = quoted(), !range.isEmpty else { return nil }
        for offset in 0..<keys.count {
            let place = (nextKey + offset) % keys.count
            guard isEqual(keys[place].bytes, range) else { continue }
            nextKey = (place + 1) % keys.count
            return keys[place].text
        }
        guard let text = String(validating: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self) else {
            return nil
        }
        if keys.count < Self.maximumKeys {
            keys.append((range, text))
            nextKey = 0
        }
        return text
    }

    private func isEqual(_ one: Range<Int>, _ other: Range<Int>) -> Bool {
        guard one.count == other.count else { return false }
        for offset in 0..<one.count where bytes[one.lowerBound + offset] != bytes[other.lowerBound + offset] {
            return false
        }
        return true
    }

    /// The digits that come next, as a number; nil where there are none, or too many for it to be exact.
    private mutating func digits() -> (value: UInt64, count: Int)? {
        let start = index
        var value: UInt64 = 0
        while index < bytes.count {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { break }
            value = value &* 10 &+ UInt64(digit)
            index += 1
        }
        let count = index - start
        // Ten to the power of 18 fits; JSON has no zeros in front.
        guard (1...18).contains(count), count == 1 || bytes[start] != UInt8(ascii: "0") else { return nil }
        return (value, count)
    }

    private mutating func integer() -> Int64? {
        skipSpace()
        let isNegative = index < bytes.count && bytes[index] == UInt8(ascii: "-")
        if isNegative { index += 1 }
        guard let (value, _) = digits(), !isInNumber else { return nil }
        return isNegative ? -Int64(value) : Int64(value)
    }

    /// Whether the byte that comes next goes on with a number.
    private var isInNumber: Bool {
        index < bytes.count
            && [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(bytes[index])
    }

    /// A number, rounded correctly.
    private mutating func number() -> Double? {
        skipSpace()
        let start = index
        let isNegative = index < bytes.count && bytes[index] == UInt8(ascii: "-")
        if isNegative { index += 1 }
        guard let (whole, wholeCount) = digits() else { return nil }
        var (mantissa, fraction) = (whole, 0)
        var isExact = wholeCount <= 15
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            index += 1
            while index < bytes.count {
                let digit = bytes[index] &- UInt8(ascii: "0")
                guard digit <= 9 else { break }
                mantissa = mantissa &* 10 &+ UInt64(digit)
                fraction += 1
                index += 1
            }
            guard fraction > 0 else { return nil }
            isExact = wholeCount + fraction <= 15
        }
        // Both are exact as floating-point numbers, so that their quotient is rounded once.
        if isExact, !isInNumber {
            let value = Double(mantissa) / Self.powers[fraction]
            return isNegative ? -value : value
        }
        return longNumber(from: start)
    }

    private static let powers: [Double] = (0...15).reduce(into: []) { powers, _ in
        powers.append((powers.last ?? 0.1) * 10)
    }

    /// A number with an exponent, or with more digits than are exact.
    private mutating func longNumber(from start: Int) -> Double? {
        if index < bytes.count, bytes[index] == UInt8(ascii: "e") || bytes[index] == UInt8(ascii: "E") {
            index += 1
            if index < bytes.count, bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "+") {
                index += 1
            }
            let digitsStart = index
            while index < bytes.count, bytes[index] &- UInt8(ascii: "0") <= 9 { index += 1 }
            guard index > digitsStart else { return nil }
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        guard let value = Double(text), value.isFinite else { return nil }
        return value
    }
}
