// SPDX-License-Identifier: Apache-2.0

/// Walks rows in the order of a key's bytes and a number, rolls up what has the delimiter, and skips what is not to be
/// seen by seeking: a page costs as much as it has entries, however many keys lie behind a prefix.
struct KeyScan<Element> {
    /// What comes after the place is walked.
    struct Place {
        var key: [UInt8]
        var number: Int64

        /// Before all rows of a key.
        static func before(_ key: [UInt8]) -> Place { Place(key: key, number: .min) }
        /// After all rows of a key.
        static func after(_ key: [UInt8]) -> Place { Place(key: key, number: .max) }
    }

    /// After so many rows that are not shown of one key, the next key is sought.
    private static var stepsBeforeSeek: Int { 8 }

    private let prefix: [UInt8]
    private let delimiter: [UInt8]
    private let maximum: Int
    private(set) var elements: [Element] = []
    private(set) var prefixes: [String] = []
    /// There is more.
    private(set) var isTruncated = false
    /// The last entry is a prefix.
    private(set) var endsWithPrefix = false

    init(prefix: String, delimiter: String, maximum: Int) {
        self.prefix = Array(prefix.utf8)
        self.delimiter = Array(delimiter.utf8)
        self.maximum = maximum
    }

    /// The end of what a key is rolled up to; nil when it is not.
    private func rolledUp(_ key: UnsafeRawBufferPointer) -> Int? {
        guard !delimiter.isEmpty, key.count >= prefix.count + delimiter.count else { return nil }
        var index = prefix.count
        while index <= key.count - delimiter.count {
            if key[index] == delimiter[0], key[index..<(index + delimiter.count)].elementsEqual(delimiter) {
                return index + delimiter.count
            }
            index += 1
        }
        return nil
    }

    /// Where a page begins that continues after an entry: a key, all of what is rolled up to a prefix, or a row.
    func start(after key: String?, number: Int64? = nil) -> Place {
        guard let key else { return .before(prefix) }
        let bytes = Array(key.utf8)
        if bytes.lexicographicallyPrecedes(prefix) { return .before(prefix) }
        if bytes.starts(with: prefix), bytes.withUnsafeBytes({ rolledUp($0) }) == bytes.count {
            return .before(Self.successor(bytes))
        }
        return number.map { Place(key: bytes, number: $0) } ?? .after(bytes)
    }

    /// The first key after all that begin with some bytes; UTF-8 has no byte 255.
    private static func successor(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        if let last = bytes.popLast() { bytes.append(last == 255 ? last : last + 1) }
        return bytes
    }

    /// Walks until the page is full.
    ///
    /// - Parameters:
    ///   - statement: its rows are key, number and data, after those bound to its second and third parameter.
    ///   - bucket: bound to its first.
    ///   - start: where to begin.
    ///   - newestOnly: only the first row of each key is looked at.
    ///   - decode: a row as it is shown; nil where it is not.
    /// - Throws: what the database says, and what `decode` throws.
    mutating func run(
        _ statement: SQLStatement, bucket: Int64, from start: Place, newestOnly: Bool,
        decode: (UnsafeRawBufferPointer, Int64, UnsafeRawBufferPointer) throws -> Element?
    ) throws {
        guard maximum > 0 else { return }
        defer { statement.reset() }
        var place = start
        var current: [UInt8] = []
        var hasCurrent = false
        var steps = 0
        seek: while true {
            statement.reset()
            statement.bind(1, bucket).bind(2, place.key).bind(3, place.number)
            while try statement.step() {
                let key = statement.bytes(0)
                guard key.starts(with: prefix) else { return }
                if newestOnly {
                    if hasCurrent, key.elementsEqual(current) {
                        steps += 1
                        if steps < Self.stepsBeforeSeek { continue }
                        place = .after(current)
                        continue seek
                    }
                    current.removeAll(keepingCapacity: true)
                    current.append(contentsOf: key)
                    hasCurrent = true
                    steps = 0
                }
                guard let element = try decode(key, statement.integer(1), statement.bytes(2)) else { continue }
                guard elements.count + prefixes.count < maximum else {
                    isTruncated = true
                    return
                }
                guard let end = rolledUp(key) else {
                    elements.append(element)
                    endsWithPrefix = false
                    continue
                }
                let common = Array(key[..<end])
                prefixes.append(String(decoding: common, as: UTF8.self))
                endsWithPrefix = true
                place = .before(Self.successor(common))
                continue seek
            }
            return
        }
    }
}
