// SPDX-License-Identifier: Apache-2.0

/// The words of a statement that may be tables' names: those outside texts and comments, alone and with the word before
/// a dot. Which of them are names only the engine knows.
package struct SQLWords: Sendable {
    /// Each once, in no order; `schema` is empty where there is none.
    package let names: [(schema: String, name: String)]

    package init(_ text: String) {
        let bytes = Array(text.utf8)
        var place = 0
        var before = ""
        var isAfterDot = false
        var found: Set<[String]> = []
        func add(_ word: String) {
            found.insert(["", word])
            if isAfterDot, !before.isEmpty { found.insert([before, word]) }
            before = word
            isAfterDot = false
        }
        while place < bytes.count {
            let byte = bytes[place]
            if byte == UInt8(ascii: "\"") {
                let (word, end) = Self.quoted(bytes, place + 1)
                add(word)
                place = end
            } else if Self.isLetter(byte) {
                let start = place
                while place < bytes.count, Self.isLetter(bytes[place]) || (0x30...0x39).contains(bytes[place]) {
                    place += 1
                }
                add(String(decoding: bytes[start..<place], as: UTF8.self))
            } else if byte == UInt8(ascii: ".") {
                isAfterDot = true
                place += 1
            } else {
                let end = SQLStatements.end(ofPassage: bytes, place)
                if byte > 0x20 {
                    before = ""
                    isAfterDot = false
                }
                place = end
            }
        }
        names = found.map { ($0[0], $0[1]) }
    }

    /// A name in double quotes, of which two stand for one, and the place after it.
    private static func quoted(_ bytes: [UInt8], _ start: Int) -> (String, Int) {
        var word: [UInt8] = []
        var place = start
        while place < bytes.count {
            if bytes[place] == UInt8(ascii: "\"") {
                guard place + 1 < bytes.count, bytes[place + 1] == UInt8(ascii: "\"") else { break }
                place += 1
            }
            word.append(bytes[place])
            place += 1
        }
        return (String(decoding: word, as: UTF8.self), min(place + 1, bytes.count))
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == UInt8(ascii: "_") || byte >= 0x80
    }
}
