// SPDX-License-Identifier: Apache-2.0
import SeededRandom
import Testing

@testable import Gateway

/// Heads that two programs could read in two ways are refused: those of request smuggling first of all.
struct HeadReaderTests {
    private func request(_ text: String) throws(MessageFault) -> RequestHead {
        let bytes = Array(text.utf8)
        var search = HeadSearch()
        var result: Result<RequestHead, MessageFault> = .failure(.bad("incomplete"))
        bytes.withUnsafeBytes { bytes in
            do throws(MessageFault) {
                guard let end = try search.end(in: bytes) else { return }
                result = .success(try HeadReader.request(UnsafeRawBufferPointer(rebasing: bytes[..<end])))
            } catch {
                result = .failure(error)
            }
        }
        return try result.get()
    }

    private func response(_ text: String, to method: String = "GET") throws(MessageFault) -> ResponseHead {
        let bytes = Array(text.utf8)
        var result: Result<ResponseHead, MessageFault> = .failure(.bad("incomplete"))
        bytes.withUnsafeBytes { bytes in
            do throws(MessageFault) {
                result = .success(try HeadReader.response(bytes, to: method))
            } catch {
                result = .failure(error)
            }
        }
        return try result.get()
    }

    @Test(arguments: [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\n Content-Length: 5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{0b}chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 501),
        ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer\u{00}-Encoding: chunked\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: \r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: a\n\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{00}\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n", 400),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
        ("GET /\r\nHost: a\r\n\r\n", 400),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /é HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\n", 417),
    ])
    func refusedRequests(text: String, status: Int) {
        #expect { try request(text) } throws: { ($0 as? MessageFault)?.status == status }
    }

    @Test func goodRequests() throws {
        let get = try request("GET /a?b=c HTTP/1.1\r\nhost: A.example:8080\r\nX-Y:  z \t\r\nEmpty:\r\n\r\n")
        #expect(get.method == "GET" && get.target == "/a?b=c" && get.authority == "A.example:8080")
        #expect(Authority.host(get.authority) == "a.example")
        #expect(get.fields.first("x-y") == "z" && get.fields.first("empty")?.isEmpty == true)
        #expect(get.body == .none && get.keepsAlive && !get.isOld)
        #expect(!get.fields.contains(.host))

        let absolute = try request("GET http://b.example/x HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(absolute.authority == "b.example" && absolute.target == "/x")
        #expect(try request("GET http://b.example?q HTTP/1.1\r\nHost: a\r\n\r\n").target == "/?q")
        #expect(try request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").target == "*")
        #expect(try request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n").body == .chunked)
        #expect(try request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n").body == .length(12))
        #expect(try request("POST / HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 0\r\n\r\n").body == .length(0))
        let old = try request("GET / HTTP/1.0\r\n\r\n")
        #expect(old.isOld && !old.keepsAlive)
        #expect(try !request("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n").keepsAlive)
        let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"
        #expect(try request(upgrade).upgrade == "websocket")
        #expect(try request("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n").upgrade == nil)
        // It would take the requests after it past the routes.
        #expect(try request("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n").upgrade == nil)
    }

    @Test func hopByHopFieldsGoNoFurther() throws {
        var head = try request(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Secret, Authorization\r\nX-Secret: s\r\nTE: trailers\r\n"
                + "Keep-Alive: 5\r\nAuthorization: t\r\nProxy-Authorization: p\r\nX-Kept: k\r\n\r\n")
        head.fields.removeHopByHop()
        #expect(head.fields.fields.map(head.fields.name) == ["Authorization", "X-Kept"])
    }

    @Test func longHeadsAreRefused() {
        let long = "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "a", count: HeadLimits.bytes) + "\r\n\r\n"
        #expect { try request(long) } throws: { ($0 as? MessageFault)?.status == 431 }
        let many = (0...HeadLimits.fields).map { "X\($0): y\r\n" }.joined()
        #expect { try request("GET / HTTP/1.1\r\nHost: a\r\n\(many)\r\n") } throws: {
            ($0 as? MessageFault)?.status == 431
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "ICY 200 OK\r\n\r\n", "HTTP/1.1 099 No\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
    ])
    func refusedAnswers(text: String) {
        #expect(throws: MessageFault.self) { try response(text) }
    }

    @Test func goodAnswers() throws {
        #expect(try response("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n").body == .length(3))
        #expect(try response("HTTP/1.1 200\r\n\r\n").body == .untilClose)
        #expect(try response("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", to: "HEAD").body == .none)
        #expect(try response("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n").body == .none)
        #expect(try response("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n").keepsAlive == false)
    }

    /// Bytes changed at random: an answer or a fault, never a crash, and never both kinds of length.
    @Test func fuzz() {
        let seeds = [
            "POST /a/b?c=d HTTP/1.1\r\nHost: example.com\r\nContent-Length: 12\r\nX-Y: z\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        ]
        var random = SplitMix(state: 11)
        for round in 0..<4000 {
            var bytes = Array(seeds[round % 2].utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert(contentsOf: [13, 10, 32].shuffled(using: &random).prefix(1), at: place)
                }
            }
            guard let head = try? request(String(decoding: bytes, as: UTF8.self)) else { continue }
            let lengths = head.fields.fields.count { $0.name == .contentLength || $0.name == .transferEncoding }
            #expect(lengths <= 1)
        }
    }
}
