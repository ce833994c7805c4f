// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ByteCodes
import InferenceProtocol
import NIOCore
import Testing

/// Writes the bytes of messages that a test needs.
struct MessageBytes {
    var bytes: [UInt8] = []

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func field(_ number: Int, _ payload: [UInt8]) {
        varint(UInt64(number) << 3 | 2)
        varint(UInt64(payload.count))
        bytes += payload
    }

    mutating func field(_ number: Int, _ text: String) { field(number, Array(text.utf8)) }

    static func made(_ body: (inout MessageBytes) -> Void) -> [UInt8] {
        var message = MessageBytes()
        body(&message)
        return message.bytes
    }

    static func input(_ name: String, _ type: String, _ shape: [Int64], contents: [UInt8]? = nil) -> [UInt8] {
        made { message in
            message.field(1, name)
            message.field(2, type)
            message.field(3, made { for axis in shape { $0.varint(UInt64(bitPattern: axis)) } })
            if let contents { message.field(5, contents) }
        }
    }

    static func request(_ inputs: [[UInt8]], raw: [[UInt8]] = []) -> [UInt8] {
        made { message in
            message.field(1, "m")
            for input in inputs { message.field(5, input) }
            for bytes in raw { message.field(7, bytes) }
        }
    }
}

@Suite struct InferMessagesTests {
    private func parse(
        _ bytes: [UInt8], _ limits: RequestLimits = RequestLimits()
    ) throws(InferenceFault) -> InferenceRequest {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(InferenceFault) in try InferMessages.modelInferRequest(bytes, limits: limits) }
        }
        return try result.get()
    }

    private func bytes(_ tensor: Tensor) -> [UInt8] {
        switch tensor.content {
        case .memory(let storage, let range): Array(storage.bytes[range])
        case .strings(let strings): (0..<strings.count).flatMap { Array(strings[$0]) + [0] }
        }
    }

    @Test func readsWhatTritonsClientWrites() throws {
        let request = try parse(try #require(Base64Text.decode(ClientMessages.triton)))
        #expect(request.model == "m")
        #expect(request.version == "2")
        #expect(request.id == "id7")
        #expect(request.priority == 5)
        #expect(request.timeout == .seconds(1))
        #expect(request.parameters == ["p": .bool(true), "d": .double(1.5)])
        #expect(request.outputs.map(\.name) == ["Y"])
        #expect(request.outputs[0].classes == 3)
        #expect(request.inputs.map(\.name) == ["X", "S"])
        #expect(request.inputs[0].shape == [2, 2])
        #expect(bytes(request.inputs[0]) == [0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 64])
        #expect(bytes(request.inputs[1]) == Array("a\0é\0".utf8))
        guard case .rawMessages = request.form else {
            Issue.record("the request is raw")
            return
        }
    }

    @Test func readsWhatKServesClientWrites() throws {
        let request = try parse(try #require(Base64Text.decode(ClientMessages.kserve)))
        #expect(request.id == "k1")
        #expect(request.parameters == ["n": .int(3)])
        #expect(request.inputs.map(\.type) == [.fp32, .int8, .bytes, .bool])
        #expect(bytes(request.inputs[0]) == [0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 64])
        #expect(bytes(request.inputs[1]) == [255, 0, 127])
        #expect(bytes(request.inputs[2]) == Array("a\0é\0".utf8))
        #expect(bytes(request.inputs[3]) == [1, 0])
        guard case .typedMessages = request.form else {
            Issue.record("the request has contents")
            return
        }
    }

    @Test func numbersMayBeUnpacked() throws {
        let contents = MessageBytes.made { message in
            for value in [1, 300] as [UInt64] {
                message.varint(3 << 3)
                message.varint(value)
            }
        }
        let request = try parse(MessageBytes.request([MessageBytes.input("X", "INT64", [2], contents: contents)]))
        #expect(bytes(request.inputs[0]) == [1, 0, 0, 0, 0, 0, 0, 0, 44, 1, 0, 0, 0, 0, 0, 0])
    }

    @Test func anEmptyBatchIsOne() throws {
        let request = try parse(MessageBytes.request([MessageBytes.input("X", "FP32", [0, 4])], raw: [[]]))
        #expect(request.inputs[0].shape == [0, 4])
        #expect(bytes(request.inputs[0]).isEmpty)
        let typed = try parse(MessageBytes.request([MessageBytes.input("X", "FP32", [0, 4])]))
        #expect(bytes(typed.inputs[0]).isEmpty)
    }

    static let wrong: [(String, [UInt8], InferenceFault.Code)] = [
        ("short raw", MessageBytes.request([MessageBytes.input("X", "FP32", [2])], raw: [[1, 2, 3, 4]]), .invalid),
        ("long raw", MessageBytes.request([MessageBytes.input("X", "UINT8", [1])], raw: [[1, 2]]), .invalid),
        ("raw of two", MessageBytes.request([MessageBytes.input("X", "UINT8", [1])], raw: [[1], [2]]), .invalid),
        ("no values", MessageBytes.request([MessageBytes.input("X", "FP32", [2])]), .invalid),
        ("type", MessageBytes.request([MessageBytes.input("X", "FP99", [1])], raw: [[1]]), .invalid),
        ("negative", MessageBytes.request([MessageBytes.input("X", "UINT8", [-1])], raw: [[1]]), .invalid),
        ("FP16", MessageBytes.request([MessageBytes.input("X", "FP16", [1])]), .invalid),
        (
            "huge", MessageBytes.request([MessageBytes.input("X", "FP32", [1 << 40, 1 << 40])], raw: [[1]]), .tooLarge
        ),
        ("axes", MessageBytes.request([MessageBytes.input("X", "UINT8", .init(repeating: 1, count: 99))]), .invalid),
        (
            "range",
            MessageBytes.request([MessageBytes.input("X", "INT8", [1], contents: [0x12, 2, 0xC8, 0x01])]), .invalid
        ),
        (
            "field", MessageBytes.request([MessageBytes.input("X", "FP32", [1], contents: [0x12, 1, 1])]), .invalid
        ),
        (
            "both",
            MessageBytes.request(
                [MessageBytes.input("X", "INT32", [1], contents: [0x12, 1, 1])], raw: [[1, 0, 0, 0]]),
            .invalid
        ),
        (
            "string length",
            MessageBytes.request([MessageBytes.input("S", "BYTES", [1])], raw: [[255, 255, 255, 255]]),
            .invalid
        ),
        (
            "string rest", MessageBytes.request([MessageBytes.input("S", "BYTES", [1])], raw: [[1, 0, 0, 0, 65, 66]]),
            .invalid
        ),
        (
            "string count", MessageBytes.request([MessageBytes.input("S", "BYTES", [1 << 20])], raw: [[0, 0, 0, 0]]),
            .invalid
        ),
        ("no UTF-8", MessageBytes.made { $0.field(1, [0xFF]) }, .invalid),
        ("length of 2⁶³", [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], .invalid),
        ("length of 4 GiB", [0x3A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], .invalid),
        ("endless varint", .init(repeating: 0xFF, count: 64), .invalid),
        ("group", [0x0B], .invalid),
        ("many inputs", MessageBytes.request(.init(repeating: [], count: 257)), .invalid),
    ]

    @Test(arguments: wrong) func wrongRequestsAreRefused(
        _ name: String, _ bytes: [UInt8], _ code: InferenceFault.Code
    ) throws {
        let fault = try #require(throws: InferenceFault.self) { try parse(bytes) }
        #expect(fault.code == code, "\(name): \(fault)")
    }

    @Test func sharedMemoryIsRefusedAsSuch() throws {
        let parameter = MessageBytes.made { message in
            message.field(1, "shared_memory_region")
            message.field(2, MessageBytes.made { $0.field(3, "region") })
        }
        var input = MessageBytes(bytes: MessageBytes.input("X", "UINT8", [1]))
        input.field(4, parameter)
        let bytes = MessageBytes.request([input.bytes])
        let fault = try #require(throws: InferenceFault.self) { try parse(bytes) }
        #expect(fault.code == .unsupported)
    }

    @Test func tensorsOfARequestShareABudget() throws {
        var limits = RequestLimits()
        limits.decompressedBytes = 100
        let input = MessageBytes.input("X", "UINT8", [60])
        let raw = [UInt8](repeating: 1, count: 60)
        _ = try parse(MessageBytes.request([input], raw: [raw]), limits)
        let both = MessageBytes.request([input, input], raw: [raw, raw])
        let fault = try #require(throws: InferenceFault.self) { try parse(both, limits) }
        #expect(fault.code == .tooLarge)
    }

    /// Any bytes are a request or a fault: nothing else happens.
    @Test func damagedMessagesDoNoHarm() throws {
        var random = Random(state: 7)
        let seeds = [ClientMessages.triton, ClientMessages.kserve].compactMap { Base64Text.decode($0) }
        #expect(seeds.count == 2)
        var read = 0
        for turn in 0..<6000 {
            var bytes = seeds[turn % 2]
            for _ in 0...Int(random.next() % 4) {
                let place = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 4 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
                case 2 where bytes.count > 1: bytes.remove(at: place)
                default: bytes.removeSubrange(place...)
                }
                if bytes.isEmpty { bytes = [0] }
            }
            do {
                let request = try parse(bytes)
                for tensor in request.inputs { _ = self.bytes(tensor) }
                read += 1
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
        // Some damage does not matter, most does.
        #expect(read > 0 && read < 6000)
    }
}

/// Numbers that are the same each time (xorshift).
struct Random {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
