// SPDX-License-Identifier: Apache-2.0
import ArrowFormat
import Testing

@testable import LakeEngine

/// Texts and frames from outside, damaged at random places: an error or a value, never a crash.
struct FuzzTests {
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 33
        }
    }

    private func damaged(_ original: [UInt8], _ generator: inout Generator) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.remove(at: place)
            default: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &generator)], at: place)
            }
        }
        return bytes
    }

    @Test(arguments: 1..<5) func manifestsAndStatements(seed: UInt64) {
        var generator = Generator(state: seed)
        let manifest = Array(
            "manifest_version = 1\n[Driver]\nentrypoint = \"In\\u00e6it\" # x\n[Driver.shared]\nlinux_amd64 = '/a.so'\nx = { a.b = [1, 2.5, true] }\n"
                .utf8)
        let sql = Array("SELECT 'a;''b', \"c;\" -- d;\n FROM t /* e; */; SELECT $x$ ; $x$;".utf8)
        var outcomes = (read: 0, refused: 0)
        for _ in 0..<500 {
            let text = String(decoding: damaged(manifest, &generator), as: UTF8.self)
            do {
                _ = try DriverManifest(TOMLDocument(text), path: "/x.toml")
                outcomes.read += 1
            } catch { outcomes.refused += 1 }
            let statements = SQLStatements(String(decoding: damaged(sql, &generator), as: UTF8.self))
            #expect(!statements.all.contains(""))
        }
        #expect(outcomes.read > 0 && outcomes.refused > 0)
    }

    @Test(arguments: 1..<5) func framesOfStatements(seed: UInt64) throws {
        var generator = Generator(state: seed)
        let batch = try ArrowBatch([(ArrowField("a", .utf8), [.string("x"), .null])])
        let frame = try WorkerMessage.execute(
            LakeStatement(ingest: .init(table: "t", mode: .append, schema: batch.schema, batches: [batch])))
        var outcomes = (read: 0, refused: 0)
        for _ in 0..<300 {
            do {
                _ = try WorkerMessage.execute(damaged(frame, &generator)) as LakeStatement
                outcomes.read += 1
            } catch { outcomes.refused += 1 }
        }
        #expect(outcomes.read > 0 && outcomes.refused > 0)
    }
}
