// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ModelKit

@Suite struct CSVTests {
    private func records(_ text: String) throws -> [[String]] {
        var reader = CSVReader(Array(text.utf8))
        var records: [[String]] = []
        while try reader.next() { records.append(try reader.strings()) }
        return records
    }

    @Test(arguments: [
        ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]),
        ("a,b\r\n1,2", [["a", "b"], ["1", "2"]]),
        ("\u{FEFF}a\n\n\r\nb", [["a"], ["b"]]),
        ("1,\"x, \"\"y\"\"\",\n", [["1", "x, \"y\"", ""]]),
        ("\"two\nlines\",é", [["two\nlines", "é"]]),
        ("\"\"\"\"", [["\""]]),
        ("", []), (",", [["", ""]]),
    ])
    func reads(_ text: String, _ expected: [[String]]) throws {
        #expect(try records(text) == expected)
    }

    @Test(arguments: [
        ("a\n\"open", 2), ("\"a\"b", 1), ("a\"b", 1), ("a\rb", 1), ("x\n\"1\n2\"\n\"a\"b", 4),
    ])
    func refuses(_ text: String, line: Int) {
        let error = #expect(throws: CSVError.self) { try records(text) }
        #expect(error?.line == line)
    }

    @Test func isBounded() throws {
        var limits = CSVReader.Limits()
        limits.fields = 3
        var wide = CSVReader(Array("1,2,3,4".utf8), limits: limits)
        #expect(throws: CSVError.self) { try wide.next() }
        limits.recordBytes = 10
        var long = CSVReader(Array("\"12345678901234567890\"".utf8), limits: limits)
        #expect(throws: CSVError.self) { try long.next() }
    }

    @Test func notUTF8IsRefused() throws {
        var reader = CSVReader([0xFF, 0x2C, 0x31])
        #expect(try reader.next())
        #expect(throws: CSVError.self) { try reader.string(0) }
        #expect(try reader.string(1) == "1")
    }

    @Test(arguments: [("4", 4.0), ("3.5", 3.5), ("-0.25", -0.25), ("1e2", 100)])
    func readsNumbers(_ text: String, _ value: Double) throws {
        var reader = CSVReader(Array(text.utf8))
        #expect(try reader.next())
        #expect(try reader.number(0) == value)
    }

    @Test(arguments: ["", "x", "1.2.3", "nan", "inf", "4 "])
    func refusesWhatIsNoNumber(_ text: String) throws {
        var reader = CSVReader(Array("\(text),1".utf8))
        #expect(try reader.next())
        #expect(throws: CSVError.self) { try reader.number(0) }
        #expect(throws: CSVError.self) { try reader.integer(0) }
        #expect(throws: CSVError.self) { try reader.string(2) }
    }

    @Test(arguments: ["plain", "a,b", "say \"hi\"", "two\nlines", "", "Amélie"])
    func writtenFieldsReadBack(_ text: String) throws {
        #expect(try records("\(CSVWriter.field(text)),end") == [[text, "end"]])
    }

    @Test func interactionsReadBack() throws {
        let interactions = [
            Interaction(user: 1, item: 2, value: 3.5, timestamp: 4),
            Interaction(user: 9, item: 8, value: 1, timestamp: 0),
        ]
        #expect(try DatasetCSV.parse(DatasetCSV.encode(interactions)) == interactions)
        #expect(throws: CSVError.self) { try DatasetCSV.parse(Array("user,item\n1,2\n".utf8)) }
        #expect(throws: CSVError.self) {
            try DatasetCSV.parse(Array("userId,movieId,rating,timestamp\n1,2,9,0\n".utf8))
        }
    }
}
