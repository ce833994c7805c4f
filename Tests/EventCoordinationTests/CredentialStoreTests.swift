// SPDX-License-Identifier: Apache-2.0
import SASLMessages
import Testing

@testable import EventCoordination

@Suite struct CredentialStoreTests {
    private func upsert(
        _ user: String, _ mechanism: SASLMechanism = .scramSHA256, iterations: Int = 4096, bytes: Int = 32
    ) -> CredentialStore.Alteration {
        .upsert(
            user: user, mechanism, iterations: iterations, salt: [1, 2, 3],
            saltedPassword: Array(repeating: 7, count: bytes))
    }

    @Test func usersAreAltered() {
        var store = CredentialStore()
        let results = store.alter([upsert("b"), upsert("a"), upsert("a", .scramSHA512, iterations: 8192, bytes: 64)])
        #expect(results.map(\.user) == ["a", "b"])
        #expect(results.map(\.code) == [.ok, .ok])
        let all = store.describe(nil)
        #expect(all.map(\.user) == ["a", "b"])
        #expect(all[0].credentials.map(\.iterations) == [4096, 8192])
        #expect(store.describe(["b", "z", "a", "a"]).map(\.code) == [.duplicateResource, .ok, .resourceNotFound])
        let deleted = store.alter([.delete(user: "b", .scramSHA256)])
        #expect(deleted.map(\.code) == [.ok])
        #expect(store.describe(nil).map(\.user) == ["a"])
        #expect(store.credential(of: "a", .scramSHA512)?.iterations == 8192)
        #expect(store.credential(of: "a", .plain) == nil)
    }

    @Test func badAlterationsChangeNothing() {
        let cases: [([CredentialStore.Alteration], CoordinationCode)] = [
            ([upsert("a"), upsert("a")], .duplicateResource),
            ([upsert("a"), .delete(user: "a", .scramSHA256)], .duplicateResource),
            ([upsert("a"), .delete(user: "a", .scramSHA512)], .resourceNotFound),
            ([upsert("a", iterations: 4095)], .unacceptableCredential),
            ([upsert("a", iterations: 16385)], .unacceptableCredential),
            ([upsert("a", bytes: 31)], .unacceptableCredential),
            ([upsert("a", .plain, bytes: 0)], .unacceptableCredential),
            ([upsert("")], .unacceptableCredential),
        ]
        for (alterations, code) in cases {
            var store = CredentialStore()
            let results = store.alter(alterations)
            #expect(results.map(\.code) == [code])
            #expect(results[0].message != nil)
            #expect(store.isEmpty)
        }
    }

    @Test func credentialsAreStoredAsLines() throws {
        var store = CredentialStore()
        _ = store.alter([upsert("a"), upsert("ü", .scramSHA512, bytes: 64)])
        let copy = try CredentialStore(decoding: store.encoded)
        #expect(copy.encoded == store.encoded)
        #expect(copy.credential(of: "ü", .scramSHA512) == store.credential(of: "ü", .scramSHA512))
        let text = String(decoding: store.encoded, as: UTF8.self)
        for bad in ["x\n", "{}\n", text.replacing("SCRAM-SHA-256", with: "PLAIN"), text.replacing("4096", with: "1")] {
            #expect(throws: RecordFormatError.self) { try CredentialStore(decoding: Array(bad.utf8)) }
        }
    }
}
