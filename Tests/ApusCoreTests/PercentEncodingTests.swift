// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

struct PercentEncodingTests {
    @Test(arguments: [("a-Z0._~", "a-Z0._~"), ("a b+c", "a%20b%2Bc"), ("é/%\n", "%C3%A9%2F%25%0A"), ("", "")])
    func encodesAllButUnreserved(text: String, encoded: String) {
        #expect(PercentEncoding.encode(text) == encoded)
        #expect(PercentEncoding.decode(encoded) == text)
    }

    @Test(arguments: ["%", "%4", "%zz", "%+1", "%FF", "a%C3"])
    func refusesMalformed(text: String) { #expect(PercentEncoding.decode(text) == nil) }

    @Test func readsQueries() {
        let query = PercentEncoding.query("a=1+2&b=%3D=&c&&d=%zz&a=+")
        #expect(query.map(\.name) == ["a", "b", "c", "d", "a"])
        #expect(query.map(\.value) == ["1 2", "==", "", "%zz", " "])
    }
}
