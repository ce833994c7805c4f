// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPTypes
import ServiceHTTP
import Testing

/// A file that goes with the test.
private func withFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
    let path = NSTemporaryDirectory() + "apus-tokens-\(UUID().uuidString)"
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

struct AccessTokensTests {
    @Test func namesAreTold() throws {
        let text = "# people\n\n0123456789abcdef ann\nfedcba9876543210\n"
        try withFile(text) { path in
            let tokens = try AccessTokens(file: path)
            #expect(try tokens.caller([.authorization: "Bearer 0123456789abcdef"]) == "ann")
            #expect(try tokens.caller([.authorization: "bearer fedcba9876543210"]) == "token-4")
        }
    }

    @Test(arguments: [
        nil, "", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Basic 0123456789abcdef", "0123456789abcdef",
    ])
    func othersAreRefused(header: String?) throws {
        try withFile("0123456789abcdef ann\n") { path in
            let tokens = try AccessTokens(file: path)
            var headers = HTTPFields()
            headers[.authorization] = header
            let error = #expect(throws: ServiceError.self) { try tokens.caller(headers) }
            #expect(error?.status == .unauthorized)
        }
    }

    @Test(arguments: ["", "# nothing\n", "short ann\n", "0123456789abcdef ann lee\n"])
    func wrongFilesAreRefused(text: String) throws {
        try withFile(text) { path in
            let error = #expect(throws: AccessTokens.Refusal.self) { try AccessTokens(file: path) }
            #expect(error?.description.contains(path) == true)
        }
    }

    @Test func withoutTokensOnlyThisMachineIsServed() throws {
        for host in ["127.0.0.1", "127.80.0.1", "::1", "localhost"] {
            #expect(try AccessTokens(openOn: host).caller(HTTPFields()) == nil)
        }
        for host in ["0.0.0.0", "::", "10.0.0.1", "example.org", "", "127.0.0.1.example.org"] {
            #expect(throws: AccessTokens.Refusal.self) { try AccessTokens(openOn: host) }
        }
    }
}
