// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol
import Testing

struct PrimitiveTests {
    @Test(
        arguments: [
            (0, [0x00]), (1, [0x01]), (127, [0x7F]), (128, [0x80, 0x01]), (300, [0xAC, 0x02]),
            (UInt32.max, [0xFF, 0xFF, 0xFF, 0xFF, 0x0F]),
        ] as [(UInt32, [UInt8])])
    func varints(value: UInt32, bytes: [UInt8]) throws {
        var writer = KafkaWriter()
        writer.unsignedVarint(value)
        #expect(writer.bytes == bytes)
        var reader = KafkaReader(bytes[...])
        #expect(try reader.unsignedVarint() == value)
        #expect(reader.remaining == 0)
    }

    @Test(arguments: [[0xFF, 0xFF, 0xFF, 0xFF, 0x1F], [0x80, 0x80, 0x80, 0x80, 0x80], [0x80]] as [[UInt8]])
    func malformedVarintsAreRefused(bytes: [UInt8]) {
        var reader = KafkaReader(bytes[...])
        #expect(throws: KafkaProtocolError.self) { try reader.unsignedVarint() }
    }

    @Test func textsOfBothForms() throws {
        var writer = KafkaWriter()
        writer.string("é", false)
        writer.string("é", true)
        writer.nullableString(nil, false, nullable: true)
        writer.nullableString(nil, true, nullable: true)
        writer.nullableString(nil, true, nullable: false)
        #expect(writer.bytes == [0, 2, 0xC3, 0xA9, 3, 0xC3, 0xA9, 0xFF, 0xFF, 0, 1])
        var reader = KafkaReader(writer.bytes[...])
        #expect(try reader.string(false) == "é")
        #expect(try reader.string(true) == "é")
        #expect(try reader.nullableString(false, nullable: true) == nil)
        #expect(try reader.nullableString(true, nullable: true) == nil)
        #expect(try reader.nullableString(true, nullable: false) == "")
    }

    /// What a frame says about lengths is compared with what there is before memory is set aside.
    @Test func announcedLengthsAreNotBelieved() {
        var list = KafkaReader([0x7F, 0xFF, 0xFF, 0xFF, 1, 2][...])
        #expect(throws: KafkaProtocolError.self) {
            try list.array(false) { (reader: inout KafkaReader) throws(KafkaProtocolError) in try reader.int8() }
        }
        var negative = KafkaReader([0xFF, 0xFE][...])
        let error = #expect(throws: KafkaProtocolError.self) { try negative.string(false) }
        #expect(error?.description == "the length -2 is negative at byte 2 of 2")
        var text = KafkaReader([0x7F, 0xFF, 65][...])
        #expect(throws: KafkaProtocolError.self) { try text.string(false) }
        var invalid = KafkaReader([0, 1, 0xFF][...])
        #expect(throws: KafkaProtocolError.self) { try invalid.string(false) }
        let many = [UInt8](repeating: 0, count: KafkaReader.maximumElements + 8)
        var writer = KafkaWriter()
        writer.int32(Int32(KafkaReader.maximumElements + 1))
        var elements = KafkaReader((writer.bytes + many)[...])
        #expect(throws: KafkaProtocolError.self) {
            try elements.array(false) { (reader: inout KafkaReader) throws(KafkaProtocolError) in try reader.int8() }
        }
    }

    @Test(
        arguments: [
            ("AAAAAAAAAAAAAAAAAAAAAA", 0, 0), ("AAAAAAAAAAAAAAAAAAAAAQ", 0, 1),
            ("_____________________w", UInt64.max, UInt64.max),
            // Of the UUID 3e9f7ba1-7f53-4b8c-9f3a-0c5c6a1d2e4f, by Python's base64.
            ("Pp97oX9TS4yfOgxcah0uTw", 0x3E9F_7BA1_7F53_4B8C, 0x9F3A_0C5C_6A1D_2E4F),
        ] as [(String, UInt64, UInt64)])
    func identities(text: String, high: UInt64, low: UInt64) {
        #expect(KafkaUUID(high: high, low: low).description == text)
        #expect(KafkaUUID(text) == KafkaUUID(high: high, low: low))
    }

    @Test(arguments: ["", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAA+"])
    func otherTextsAreNoIdentities(text: String) { #expect(KafkaUUID(text) == nil) }

    @Test func freshIdentitiesDiffer() {
        let ids = (0..<200).map { _ in KafkaUUID.random() }
        #expect(Set(ids).count == 200)
        #expect(!ids.contains { $0.description.hasPrefix("-") })
        #expect(ids.allSatisfy { KafkaUUID($0.description) == $0 })
    }
}
