// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing
import TrackingModel

/// Bodies of logBatch that are read in one pass are read as all others are.
struct LogBatchTests {
    /// What the table's reader has of a body; nil where it is no whole message.
    private static func expected(_ body: [UInt8]) -> LogBatch? {
        guard let json = try? JSONParser.parse(body) else { return nil }
        let (fields, isWhole) = MessageDecoder().decode(json, as: "LogBatch")
        guard isWhole else { return nil }
        var batch = LogBatch(plain: Array(#"{"run_id":"r"}"#.utf8))
        batch?.runID = fields["run_id"]?.string ?? ""
        batch?.metrics = fields["metrics", default: []].elements.map { metric in
            Metric(
                key: metric["key"].string ?? "", value: metric["value"].double ?? 0,
                timestamp: Int64(metric["timestamp"].int ?? 0), step: Int64(metric["step"].int ?? 0),
                modelID: metric["model_id"].string ?? "", datasetName: metric["dataset_name"].string ?? "",
                datasetDigest: metric["dataset_digest"].string ?? "")
        }
        batch?.params = fields["params", default: []].elements.map {
            Param($0["key"].string ?? "", $0["value"].string ?? "")
        }
        batch?.tags = fields["tags", default: []].elements.map { Tag($0["key"].string ?? "", $0["value"].string ?? "") }
        return batch
    }

    private static let plain = [
        #"{"run_id":"0123456789abcdef"}"#,
        #"{"run_id":"a","metrics":[],"params":[],"tags":[]}"#,
        #"""
        { "metrics" : [ {"key": "loss", "value": 0.25, "timestamp": 1700000000000, "step": 3},
        {"step":-4,"timestamp":-1,"value":-17,"key":"ünï/acc"}, {"key":"loss","value":1e-3,"timestamp":0},
        {"key":"l","value":0.8414709848078965,"timestamp":1,"model_id":"m-1","dataset_name":"d","dataset_digest":"x"} ],
        "run_id":"r", "params":[{"key":"p","value":"v"},{"value":"","key":"q"}], "tags":[{"key":"t","value":"ü 😀"}]}
        """#,
        #"{"run_id":"r","metrics":[{"key":"k","value":1.7976931348623157e308,"timestamp":999999999999999999,"step":0}]}"#,
        #"{"run_id":"r","metrics":[{"key":"k","value":123456789012345678.5,"timestamp":1},{"key":"k","value":-0.0,"timestamp":2}]}"#,
        #"{"run_id":"r","metrics":[{"key":"k","value":0.000000000000001,"timestamp":1},{"key":"k","value":4.9E-324,"timestamp":2}]}"#,
    ]

    @Test(arguments: plain) func plainBodies(text: String) throws {
        let body = Array(text.utf8)
        let batch = try #require(LogBatch(plain: body))
        #expect(batch == Self.expected(body))
    }

    @Test(arguments: [
        "", "{}", "[]", "null", #"{"run_id":""}"#, #"{"run_id":"r"} x"#, #"{"run_id":"r",}"#, #"{"run_id":"r""#,
        #"{"run_id":"r","run_id":"s"}"#, #"{"run_id":"r","more":1}"#, #"{"runId":"r"}"#, #"{"run_id":"r\n"}"#,
        #"{"run_id":"r","metrics":{}}"#, #"{"run_id":"r","metrics":[{"key":"k","value":1}]}"#,
        #"{"run_id":"r","metrics":[{"key":"","value":1,"timestamp":1}]}"#,
        #"{"run_id":"r","metrics":[{"key":"k","value":"NaN","timestamp":1}]}"#,
        #"{"run_id":"r","metrics":[{"key":"k","value":1e999,"timestamp":1}]}"#,
        #"{"run_id":"r","metrics":[{"key":"k","value":1,"timestamp":1.5}]}"#,
        #"{"run_id":"r","metrics":[{"key":"k","value":1,"timestamp":1e3}]}"#,
        #"{"run_id":"r","metrics":[{"key":"k","value":1,"timestamp":01}]}"#,
        #"{"run_id":"r","metrics":[{"key":"k","value":.5,"timestamp":1}]}"#,
        #"{"run_id":"r","metrics":[{"key":"k","value":1.,"timestamp":1}]}"#,
        #"{"run_id":"r","metrics":[{"key":"k","value":1,"timestamp":1,"step":null}]}"#,
        #"{"run_id":"r","metrics":[{"key":"k","value":1,"timestamp":12345678901234567890}]}"#,
        #"{"run_id":"r","metrics":[{"key":"k","key":"k","value":1,"timestamp":1}]}"#,
        #"{"run_id":"r","params":[{"key":"p"}]}"#, #"{"run_id":"r","tags":[{"key":"p","value":1}]}"#,
    ]) func whatIsUnusualIsLeftToTheOther(text: String) {
        #expect(LogBatch(plain: Array(text.utf8)) == nil)
    }

    @Test func damagedBodiesAreNeverReadOtherwise() {
        var random = SplitMix(seed: 7)
        let parts = Array(#"{}[]",:.-+eE0129\ ntk"#.utf8) + [0xC3, 0x80, 0]
        var read = 0
        for _ in 0..<20_000 {
            var body = Array(Self.plain[Int(random.next() % UInt64(Self.plain.count))].utf8)
            for _ in 0...(random.next() % 3) {
                let place = Int(random.next() % UInt64(body.count))
                switch random.next() % 3 {
                case 0: body.remove(at: place)
                case 1: body.insert(parts[Int(random.next() % UInt64(parts.count))], at: place)
                default: body[place] = parts[Int(random.next() % UInt64(parts.count))]
                }
            }
            guard let batch = LogBatch(plain: body) else { continue }
            read += 1
            if batch != Self.expected(body) { Issue.record("\(String(decoding: body, as: UTF8.self)): \(batch)") }
        }
        #expect(read > 1000)
    }

    @Test func numbersAreRoundedAsSwiftDoes() throws {
        var random = SplitMix(seed: 11)
        for _ in 0..<20_000 {
            let digits = String(random.next() % 1_000_000_000_000_000_000)
            let place = Int(random.next() % UInt64(digits.count + 1))
            let whole = place == 0 ? "0" : String(digits.prefix(place))
            let text = place == digits.count ? whole : whole + "." + digits.dropFirst(place)
            guard place < 2 || digits.first != "0" else { continue }
            let body = Array(#"{"run_id":"r","metrics":[{"key":"k","value":-\#(text),"timestamp":1}]}"#.utf8)
            #expect(LogBatch(plain: body)?.metrics.first?.value == Double("-" + text))
        }
    }
}

/// Random numbers from a seed (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
