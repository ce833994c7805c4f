// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import Crypto
import Foundation
import S3Protocol
import Synchronization

/// Loads a server of S3's protocol. Requests are signed before the clock starts, and each client is a thread with a
/// socket, so that the processors are the server's as far as can be.
struct ObjectsBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "objects", abstract: "Load a server of objects.",
        discussion: "Secret key in APUS_SECRET_KEY. Keys are PREFIX/000000000 and on; get and list need what put made.")

    enum Operation: String, ExpressibleByArgument { case bucket, put, get, list }

    @Option(help: "Port of the server, on 127.0.0.1.") var port: Int
    @Option(help: "Access key.") var accessKey = "bench"
    @Option(help: "Bucket.") var bucket = "bench"
    @Option(help: "What to do: bucket, put, get, list.") var operation: Operation
    @Option(help: "What keys begin with.") var prefix = "o"
    @Option(help: "Bytes of an object.") var size: Int64 = 4096
    @Option(help: "Clients at a time.") var clients = 1
    @Option(help: "Seconds to go on for, unless there is a count.") var seconds = 2.0
    @Option(help: "Requests in all: put writes that many keys, each once.") var count: Int?
    @Option(help: "Different keys; beyond them it starts again.") var keys = 40_000
    @Flag(help: "Bodies are not part of what is signed.") var unsigned = false
    @Flag(help: "Any bytes are right, for apus-bench respond.") var anything = false

    /// What one client saw.
    private struct Seen {
        var latencies: [Duration] = []
        var failure: String?
    }

    func run() throws {
        let secret = ProcessInfo.processInfo.environment["APUS_SECRET_KEY"] ?? "bench-secret"
        let signer = SigV4.Signer(.init(accessKey: accessKey, secret: secret), region: "us-east-1")
        switch operation {
        case .bucket:
            let connection = try RawConnection(port: port)
            try connection.send(
                head(signer, "PUT", "/\(bucket)", .signed(sha256: Array(SHA256.hash(data: [UInt8]()))), 0),
                block: UnsafeRawBufferPointer(start: nil, count: 0), count: 0)
            let answer = try connection.answer()
            guard answer.status == 200 else { throw Self.refused(answer) }
        case .list: print(try list(signer).text)
        case .put, .get: print(try load(signer).text)
        }
    }

    private static func refused(_ answer: RawConnection.Answer) -> BenchError {
        BenchError("the server answered \(answer.status): \(String(decoding: answer.beginning, as: UTF8.self))")
    }

    /// A signed head as it goes over the wire.
    private func head(
        _ signer: SigV4.Signer, _ method: String, _ target: String, _ payload: SigV4.PayloadKind, _ length: Int64
    ) -> [UInt8] {
        var head = S3RequestHead(
            method: method, target: target, headers: S3Headers([("host", "127.0.0.1:\(port)")]))
        signer.sign(&head, payload: payload, now: Int64(Date().timeIntervalSince1970))
        var text = "\(method) \(target) HTTP/1.1\r\n"
        for (name, value) in head.headers { text += "\(name): \(value)\r\n" }
        if method == "PUT" { text += "content-length: \(length)\r\n" }
        return Array((text + "\r\n").utf8)
    }

    private func key(_ number: Int) -> String {
        let digits = String(number)
        return prefix + "/" + String(repeating: "0", count: max(0, 9 - digits.count)) + digits
    }

    // MARK: put, get

    private func load(_ signer: SigV4.Signer) throws -> JSONValue {
        var generator = SystemRandomNumberGenerator()
        // Bytes that do not compress; the same in every run, so that what is read can be recognised.
        var state: UInt64 = 88_172_645_463_325_252
        let block: [UInt8] = (0..<Int(min(size, 1 << 20))).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state >> 24)
        }
        let payload: SigV4.PayloadKind
        if operation == .get || unsigned {
            payload = .unsigned
        } else {
            var hash = SHA256()
            var left = size
            while left > 0 {
                hash.update(data: block.prefix(Int(min(left, Int64(block.count)))))
                left -= Int64(block.count)
            }
            payload = .signed(sha256: Array(hash.finalize()))
        }
        let distinct = max(clients, operation == .put ? count ?? keys : keys)
        let method = operation == .put ? "PUT" : "GET"
        let heads = (0..<distinct).map { head(signer, method, "/\(bucket)/\(key($0))", payload, size) }
        let connections = try (0..<clients).map { _ in try RawConnection(port: port) }
        let results = Mutex<[Seen]>([])
        let group = DispatchGroup()
        let clock = ContinuousClock()
        let processors = Self.processorSeconds
        let begin = clock.now
        for client in 0..<clients {
            nonisolated(unsafe) let connection = connections[client]
            let first = operation == .get ? Int.random(in: 0..<distinct, using: &generator) : client
            group.enter()
            Thread.detachNewThread { [self] in
                var seen = Seen()
                do {
                    seen.latencies = try work(connection, client, first, heads, block, clock, begin)
                } catch {
                    seen.failure = "\(error)"
                }
                results.withLock { $0.append(seen) }
                group.leave()
            }
        }
        group.wait()
        let elapsed = clock.now - begin
        let all = results.withLock { $0 }
        if let failure = all.lazy.compactMap(\.failure).first { throw BenchError(failure) }
        let measurement = Measurement(latencies: all.flatMap(\.latencies).sorted(), elapsed: elapsed)
        var result = measurement.json
        let rate = Double(measurement.latencies.count) / elapsed.inSeconds
        result["mibPerSecond"] = JSONValue((rate * Double(size) / 1_048_576 * 10).rounded() / 10)
        result["seconds"] = JSONValue(elapsed.inSeconds)
        result["clientProcessorSeconds"] = JSONValue(Self.processorSeconds - processors)
        return result
    }

    /// One client's requests, one after the other.
    private func work(
        _ connection: RawConnection, _ client: Int, _ first: Int, _ heads: [[UInt8]], _ block: [UInt8],
        _ clock: ContinuousClock, _ begin: ContinuousClock.Instant
    ) throws -> [Duration] {
        var latencies: [Duration] = []
        latencies.reserveCapacity(65_536)
        var number = first
        let share = count.map { ($0 - client + clients - 1) / clients }
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        while share.map({ latencies.count < $0 }) ?? (clock.now - begin < .seconds(seconds)) {
            let start = clock.now
            try block.withUnsafeBytes { block in
                try connection.send(
                    heads[number % heads.count], block: operation == .put ? block : nothing,
                    count: operation == .put ? size : 0)
            }
            let answer = try connection.answer()
            latencies.append(clock.now - start)
            guard answer.status == 200 else { throw Self.refused(answer) }
            if operation == .get {
                guard answer.length == size, anything || answer.beginning.elementsEqual(block.prefix(256)) else {
                    throw BenchError("an answer has \(answer.length) bytes instead of \(size), or others")
                }
            }
            // Neighbours in the store are not neighbours in time.
            number += operation == .get ? 7919 : clients
        }
        return latencies
    }

    private static var processorSeconds: Double {
        var usage = rusage()
        getrusage(CInt(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    // MARK: list

    /// All keys of the prefix, a thousand at a time.
    private func list(_ signer: SigV4.Signer) throws -> JSONValue {
        let connection = try RawConnection(port: port)
        let empty = SigV4.PayloadKind.signed(sha256: Array(SHA256.hash(data: [UInt8]())))
        let clock = ContinuousClock()
        let begin = clock.now
        var latencies: [Duration] = []
        var keys = 0
        var bytes: Int64 = 0
        var token: String?
        repeat {
            // In the order of signing, which is that of the names.
            var target = "/\(bucket)?"
            if let token { target += "continuation-token=\(URIEncoding.encode(token))&" }
            target += "list-type=2&max-keys=1000&prefix=\(URIEncoding.encode(prefix))"
            let head = head(signer, "GET", target, empty, 0)
            var page = Data()
            let start = clock.now
            try connection.send(head, block: UnsafeRawBufferPointer(start: nil, count: 0), count: 0)
            let answer = try connection.answer { page.append(contentsOf: $0) }
            latencies.append(clock.now - start)
            guard answer.status == 200 else { throw Self.refused(answer) }
            bytes += answer.length
            keys += Self.occurrences(of: "<Key>", in: page)
            token = Self.text(of: "NextContinuationToken", in: page)
        } while token != nil
        let elapsed = clock.now - begin
        var result = Measurement(latencies: latencies.sorted(), elapsed: elapsed).json
        result["keys"] = JSONValue(keys)
        result["keysPerSecond"] = JSONValue((Double(keys) / elapsed.inSeconds).rounded())
        result["bytes"] = JSONValue(Int(bytes))
        result["seconds"] = JSONValue(elapsed.inSeconds)
        return result
    }

    private static func occurrences(of text: String, in page: Data) -> Int {
        var count = 0
        var from = page.startIndex
        let needle = Data(text.utf8)
        while let range = page.range(of: needle, in: from..<page.endIndex) {
            count += 1
            from = range.upperBound
        }
        return count
    }

    private static func text(of element: String, in page: Data) -> String? {
        guard let start = page.range(of: Data("<\(element)>".utf8)),
            let end = page.range(of: Data("</\(element)>".utf8), in: start.upperBound..<page.endIndex)
        else { return nil }
        return String(decoding: page[start.upperBound..<end.lowerBound], as: UTF8.self)
    }
}
