// SPDX-License-Identifier: Apache-2.0
import Crypto
import Testing

@testable import S3Protocol

@Suite("Signature version 4: vectors")
struct SigV4VectorTests {
    /// Examples of the API reference, "Signature Calculations for the Authorization Header".
    @Test("The examples of S3's reference, in headers")
    func headers() throws {
        let get = Vectors.signed("GET", "/test.txt", [("range", "bytes=0-9")])
        #expect(Vectors.signature(get) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
        let body = Array(SHA256.hash(data: Array("Welcome to Amazon S3.".utf8)))
        let put = Vectors.signed(
            "PUT", "/test$file.text",
            [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            payload: .signed(sha256: body))
        #expect(Vectors.signature(put) == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
        #expect(
            put.headers["authorization"]?.contains("SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;") == true)
        let lifecycle = Vectors.signed("GET", "/?lifecycle")
        #expect(Vectors.signature(lifecycle) == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
        let list = Vectors.signed("GET", "/?max-keys=2&prefix=J")
        #expect(Vectors.signature(list) == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
        for head in [get, put, lifecycle, list] {
            let verifier = try SigV4.Verifier(head, now: Vectors.now)
            #expect(verifier.accessKey == "AKIAIOSFODNN7EXAMPLE")
            try verifier.check(secret: Vectors.secret, region: "us-east-1")
        }
    }

    /// "Authenticating Requests: Using Query Parameters".
    @Test("The example of S3's reference, in the query")
    func query() throws {
        let target = Vectors.signer.presign(Vectors.head("GET", "/test.txt"), expires: 86_400, now: Vectors.now)
        #expect(target.hasSuffix("X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"))
        let verifier = try SigV4.Verifier(Vectors.head("GET", target), now: Vectors.now + 86_400)
        #expect(verifier.isPresigned && verifier.payload == .unsigned && verifier.region == "us-east-1")
        try verifier.check(secret: Vectors.secret)
    }

    /// What botocore 1.43 signs for keys and queries that other services would encode twice or normalise.
    @Test(
        "Paths are encoded once and not normalised; queries are sorted after their encoding",
        arguments: [
            ("GET", "/test.txt", "df548e2ce037944d03f3e68682813b093763996d597cf890ca3d9037fd231eb4"),
            (
                "GET", "/a%20b%2Bc/../x//%C3%A9~%2A%27%28%29%21%24%26%3D%3A%2C%3B%40",
                "15d0d30fb5e3c4dc7fc2854c5d5463bd529c10212005d5cc0e347ea32877ff08"
            ),
            // The same, as a client sends it that encodes less.
            (
                "GET", "/a%20b+c/../x//%c3%a9~*'()!$&=:,;@",
                "15d0d30fb5e3c4dc7fc2854c5d5463bd529c10212005d5cc0e347ea32877ff08"
            ),
            ("GET", "/%252F%2525", "5bc039b800961e87d4f7b14c35e570c3ffd755d0e151a28dda567a38a5e7800d"),
            ("GET", "/./b/../c", "93ca34e1a2e5369d7c68c35ee92849727e3958d25c14c649a7ecab95fdeac6d5"),
            (
                "PUT", "/%E7%9B%AE%E5%BD%95/%D1%84%D0%B0%D0%B9%D0%BB%201",
                "bfb75ca01074d359f8a80fb8f4c767fce0bb4ed9c7eee7b4c6c17da95aadfab2"
            ),
            (
                "GET",
                "/?prefix=a%20b%2Bc%2F%25&delimiter=%2F&list-type=2&encoding-type=url&continuation-token=a%3D%3D",
                "7a661a3fc202a2c8b7ff13263d810e60bf65efefc967dc24404ec6ecbc2c4b2f"
            ),
            ("POST", "/key?uploads=", "81a56304aeaa03b831ecff4f40ddc7ee56aa833c240ec72794c9d1f7569842ea"),
            ("POST", "/key?uploads", "81a56304aeaa03b831ecff4f40ddc7ee56aa833c240ec72794c9d1f7569842ea"),
            ("GET", "/?versions&b=2&b=1&B=3", "980a4fb1ae2c6aed23c798488450bb96617abf5933ef812d4afbe4979876200d"),
        ])
    func quirks(method: String, target: String, signature: String) throws {
        let head = Vectors.signed(method, target)
        #expect(Vectors.signature(head) == signature)
        try SigV4.Verifier(head, now: Vectors.now).check(secret: Vectors.secret)
    }

    /// AWS's test suite for signature version 4 (of a service that is not S3): what does not touch the path.
    @Test("Headers are trimmed, folded and joined as AWS's test suite has it")
    func suite() {
        func signature(
            _ method: String, _ target: String, _ headers: [(name: String, value: String)], _ body: String = ""
        ) -> String {
            let fields =
                headers + [
                    (name: "host", value: "example.amazonaws.com"), (name: "x-amz-date", value: "20150830T123600Z"),
                ]
            let head = S3RequestHead(method: method, target: target, headers: fields)
            var names: [String] = []
            for field in fields where !names.contains(field.name) { names.append(field.name) }
            let canonical = CanonicalRequest.bytes(
                head, signedHeaders: names.sorted(), payload: Hex.text(SHA256.hash(data: Array(body.utf8))),
                leavesSignatureOut: false)
            let scope = SigV4.Scope(date: "20150830", region: "us-east-1", service: "service")
            let key = SigV4.SigningKey(secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", scope: scope)
            return Hex.text(
                key.signature(
                    SigV4.stringToSign(timestamp: "20150830T123600Z", scope: scope.text, canonicalRequest: canonical)))
        }
        #expect(signature("GET", "/", []) == "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")
        #expect(
            signature("GET", "/?Param2=value2&Param1=value1", [])
                == "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500")
        #expect(
            signature(
                "GET",
                "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                    + "=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", [])
                == "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197")
        #expect(signature("GET", "/ሴ", []) == "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85")
        #expect(
            signature("GET", "/", [("my-header1", " value1"), ("my-header2", " \"a   b   c\"")])
                == "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736")
        #expect(
            signature("GET", "/", [("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")])
                == "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea")
        #expect(signature("POST", "/", []) == "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")
        #expect(
            signature("POST", "/", [("content-type", "application/x-www-form-urlencoded")], "Param1=value1")
                == "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a")
    }
}

@Suite("Signature version 4: what is refused")
struct SigV4RefusalTests {
    private func code(_ head: S3RequestHead, now: Int64 = Vectors.now, secret: String = Vectors.secret) -> S3ErrorCode?
    {
        do throws(S3Error) {
            try SigV4.Verifier(head, now: now).check(secret: secret, region: "us-east-1", keys: SigV4.SigningKeys())
            return nil
        } catch {
            return error.code
        }
    }

    @Test("A changed request, another secret, another region")
    func changed() {
        let head = Vectors.signed("PUT", "/key?a=b", [("content-type", "text/plain")])
        #expect(code(head) == nil)
        #expect(code(head, secret: "other") == .signatureDoesNotMatch)
        var other = head
        other.method = "DELETE"
        #expect(code(other) == .signatureDoesNotMatch)
        other = head
        other.target = "/key?a=c"
        #expect(code(other) == .signatureDoesNotMatch)
        other = head
        other.target = "/kez?a=b"
        #expect(code(other) == .signatureDoesNotMatch)
        other = head
        other.headers.set("content-type", "text/html")
        #expect(code(other) == .signatureDoesNotMatch)
        other = head
        other.headers.add("x-amz-acl", "public-read")
        #expect(code(other) == .accessDenied)
        other = head
        let elsewhere = SigV4.Signer(Vectors.credentials, region: "eu-west-1")
        elsewhere.sign(&other, payload: .unsigned, now: Vectors.now)
        #expect(code(other) == .authorizationHeaderMalformed)
        #expect(code(Vectors.head("GET", "/key")) == .accessDenied)
    }

    @Test("A clock that is more than 15 minutes off")
    func skew() {
        let head = Vectors.signed("GET", "/key")
        #expect(code(head, now: Vectors.now + 900) == nil)
        #expect(code(head, now: Vectors.now - 900) == nil)
        #expect(code(head, now: Vectors.now + 901) == .requestTimeTooSkewed)
        #expect(code(head, now: Vectors.now - 901) == .requestTimeTooSkewed)
    }

    @Test("Presigned requests outside of their time, or with bounds that S3 does not know")
    func expiry() {
        func presigned(_ expires: Int64) -> S3RequestHead {
            Vectors.head("GET", Vectors.signer.presign(Vectors.head("GET", "/key"), expires: expires, now: Vectors.now))
        }
        #expect(code(presigned(60), now: Vectors.now + 60) == nil)
        #expect(code(presigned(60), now: Vectors.now + 61) == .accessDenied)
        #expect(code(presigned(60), now: Vectors.now - 901) == .accessDenied)
        #expect(code(presigned(604_800)) == nil)
        #expect(code(presigned(604_801)) == .authorizationQueryParametersError)
        #expect(code(presigned(0)) == .authorizationQueryParametersError)
        #expect(code(presigned(-1)) == .authorizationQueryParametersError)
        var head = presigned(60)
        head.headers.add("x-amz-acl", "public-read")
        #expect(code(head) == .accessDenied)
        head = presigned(60)
        head.target += "&X-Amz-Expires=100"
        #expect(code(head) == .authorizationQueryParametersError)
        head = presigned(60)
        head.target += "&a=b"
        #expect(code(head) == .signatureDoesNotMatch)
        head = presigned(60)
        head.target = head.target.replacing("X-Amz-Date=", with: "X-Amz-Dat=")
        #expect(code(head) == .authorizationQueryParametersError)
    }

    private static let zeros = String(repeating: "0", count: 64)
    private static let noSignatures: [(String, S3ErrorCode)] = [
        ("AWS AKIA:c2lnbmF0dXJl", S3ErrorCode.invalidRequest),
        ("Bearer token", .invalidRequest), ("", .invalidRequest),
        ("AWS4-HMAC-SHA256", .invalidRequest), ("AWS4-HMAC-SHA256 x", .authorizationHeaderMalformed),
        ("AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request", .authorizationHeaderMalformed),
        (
            "AWS4-HMAC-SHA256 Credential=a/2013/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=00",
            .authorizationHeaderMalformed
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20130524/r/iam/aws4_request,SignedHeaders=host,Signature=\(zeros)",
            .authorizationHeaderMalformed
        ),
        (
            "AWS4-HMAC-SHA256 Credential=/20130524/r/s3/aws4_request,SignedHeaders=host,Signature=\(zeros)",
            .authorizationHeaderMalformed
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20130525/r/s3/aws4_request,SignedHeaders=host,Signature=\(zeros)",
            .authorizationHeaderMalformed
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20130524/r/s3/aws4_request,SignedHeaders=range,Signature=\(zeros)",
            .accessDenied
        ),
    ]

    @Test("Headers that are no signatures", arguments: noSignatures)
    func malformed(authorization: String, expected: S3ErrorCode) {
        var head = Vectors.signed("GET", "/key")
        head.headers.set("authorization", authorization)
        #expect(code(head) == expected)
    }

    @Test("Hashes of bodies that are none")
    func payload() {
        var head = Vectors.signed("GET", "/key")
        head.headers.set("x-amz-content-sha256", "abc")
        #expect(code(head) == .invalidArgument)
        head.headers.set("x-amz-content-sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")
        #expect(code(head) == .notImplemented)
        var bare = Vectors.head("GET", "/key", [("authorization", head.headers["authorization"] ?? "")])
        bare.headers.add("x-amz-date", "20130524T000000Z")
        #expect(code(bare) == .invalidRequest)
    }

    @Test("No text of an Authorization header or a query brings it down")
    func fuzz() {
        var dice = Dice(state: 7)
        let head = Vectors.signed("GET", "/key?a=b%20c", [("range", "bytes=0-9")])
        let presigned = Vectors.signer.presign(Vectors.head("GET", "/key"), expires: 60, now: Vectors.now)
        var accepted = 0
        for _ in 0..<400 {
            var changed = head
            let isHeader = Bool.random(using: &dice)
            var bytes = Array((isHeader ? head.headers["authorization"] ?? "" : presigned).utf8)
            for _ in 0..<Int.random(in: 1...3, using: &dice) {
                let index = Int.random(in: 0..<bytes.count, using: &dice)
                bytes[index] = UInt8.random(in: 1...126, using: &dice)
            }
            let text = String(decoding: bytes, as: UTF8.self)
            if isHeader { changed.headers.set("authorization", text) } else { changed = Vectors.head("GET", text) }
            if code(changed) == nil { accepted += 1 }
        }
        // What is left is white space and upper case of digits: nothing that changes what was signed.
        #expect(accepted < 12)
    }
}
