// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ServiceHTTP

@Suite struct HistogramTests {
    @Test func valuesFallUnderTheirBounds() {
        var histogram = Histogram(bounds: [1, 2, 4])
        for value in [0.5, 1, 1.5, 4, 100] { histogram.add(value) }
        #expect(histogram.buckets == [2, 1, 1, 1] && histogram.sum == 107)
        histogram.add(.milliseconds(1500))
        #expect(histogram.buckets == [2, 2, 1, 1])
        var text = MetricsText()
        text.histogram("h", [("a", "b\\\"c")], histogram)
        let lines = text.text.split(separator: "\n")
        #expect(lines.first == #"h_bucket{a="b\\\"c",le="1.0"} 2"#)
        #expect(lines.suffix(3).map { $0.split(separator: " ").last } == ["6", "108.5", "6"])
    }
}
