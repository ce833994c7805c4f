// SPDX-License-Identifier: Apache-2.0
import ServiceHTTP

extension MetricsText {
    mutating func histogram(_ name: String, _ labels: [(String, String)], _ histogram: BrokerMetrics.Histogram) {
        var count: UInt64 = 0
        for (bound, bucket) in zip(BrokerMetrics.Histogram.bounds, histogram.buckets) {
            count += bucket
            sample(name + "_bucket", labels + [("le", "\(bound)")], count)
        }
        count += histogram.buckets.last ?? 0
        sample(name + "_bucket", labels + [("le", "+Inf")], count)
        sample(name + "_sum", labels, histogram.sum)
        sample(name + "_count", labels, count)
    }
}
