// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import KubeServer

@Suite struct DiscoveryCacheTests {
    @Test func whatIsMadeOfAReplacedRegistryIsNotKept() {
        let cache = DiscoveryCache()
        #expect(cache.document("a") { [1] } == [1])
        #expect(cache.document("a") { [2] } == [1])
        let late = cache.document("b") {
            cache.reset(keeping: { $0 == "a" })
            return [1]
        }
        #expect(late == [1])
        #expect(cache.document("b") { [2] } == [2])
        #expect(cache.document("a") { [3] } == [1])
        cache.reset()
        #expect(cache.document("a") { [3] } == [3])
    }
}
