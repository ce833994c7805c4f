// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import ModelKit

@Suite struct DatasetTests {
    @Test func latestOfRepeatedPairsCounts() {
        let users = IDIndex([5, 3]), items = IDIndex([10, 20])
        let matrix = SparseMatrix(
            [
                Interaction(user: 5, item: 20, value: 1, timestamp: 9),
                Interaction(user: 5, item: 10, value: 2, timestamp: 1),
                Interaction(user: 5, item: 20, value: 3, timestamp: 2),
                Interaction(user: 5, item: 10, value: 4, timestamp: 1),
                Interaction(user: 99, item: 10, value: 5, timestamp: 1),
            ], users: users, items: items)
        #expect(users.ids == [3, 5])
        #expect(matrix.offsets == [0, 0, 2])
        #expect(matrix.columns == [0, 1])
        #expect(matrix.values == [4, 1])
        #expect(matrix.transposed().transposed() == matrix)
    }

    @Test func malformedMatricesAreRefused() {
        func make(_ offsets: [Int], _ columns: [Int32]) -> SparseMatrix? {
            SparseMatrix(
                rowCount: 2, columnCount: 3, offsets: offsets, columns: columns, values: columns.map { _ in 1 })
        }
        #expect(make([0, 1, 3], [2, 0, 1]) != nil)
        #expect(make([0, 1], [2]) == nil)
        #expect(make([0, 3, 2], [0, 1]) == nil)
        #expect(make([0, 0, 2], [1, 1]) == nil)
        #expect(make([0, 0, 1], [3]) == nil)
        #expect(make([0, 0, 1], [-1]) == nil)
    }

    @Test func eventsReadBack() {
        let event = UserEvent(kind: .rating, user: 1, movie: 50, rating: 4.5, timestamp: 99, sequence: 3)
        #expect(UserEvent(line: event.json.encoded) == event)
        #expect(UserEvent(line: Array("{}".utf8)) == nil)
        #expect(UserEvent(line: Array("nonsense".utf8)) == nil)
    }

    @Test func decodesOneEventOrMany() throws {
        let one = try EventDecoder.decode(#"{"user":1,"movie":2,"rating":4.5}"#.utf8, kind: .rating, now: 77)
        #expect(one == [UserEvent(kind: .rating, user: 1, movie: 2, rating: 4.5, timestamp: 77)])
        let many = try EventDecoder.decode(
            #"[{"user":1,"movie":2},{"user":3,"movie":4,"timestamp":5}]"#.utf8, kind: .view, now: 77)
        #expect(many.map(\.timestamp) == [77, 5])
    }

    @Test(arguments: [
        "", "{", "5", "[]", "[5]", #"{"user":1,"movie":2}"#, #"{"user":0,"movie":2,"rating":4}"#,
        #"{"user":1.5,"movie":2,"rating":4}"#, #"{"user":"1","movie":2,"rating":4}"#,
        #"{"user":9007199254740993,"movie":2,"rating":4}"#, #"{"user":1,"movie":2,"rating":0}"#,
        #"{"user":1,"movie":2,"rating":5.5}"#, #"{"user":1,"movie":2,"rating":4.25}"#,
        #"{"user":1,"movie":2,"rating":4,"extra":1}"#, #"{"user":1,"movie":2,"rating":4,"timestamp":-1}"#,
        #"{"user":1,"movie":2,"rating":4,"timestamp":999999999}"#,
        #"[{"user":1,"movie":2,"rating":4},{"user":1,"movie":2,"rating":9}]"#,
    ])
    func refusesBadEvents(_ body: String) {
        #expect(throws: EventError.self) { try EventDecoder.decode(body.utf8, kind: .rating, now: 77) }
    }

    @Test func refusesTooManyEvents() {
        let body = "[" + Array(repeating: #"{"user":1,"movie":2}"#, count: 1001).joined(separator: ",") + "]"
        let error = #expect(throws: EventError.self) {
            try EventDecoder.decode(body.utf8, kind: .view, now: 0)
        }
        #expect(error?.description.contains("1001") == true)
    }
}
