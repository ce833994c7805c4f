// SPDX-License-Identifier: Apache-2.0
import InferenceProtocol
import Synchronization

/// The server's cache of answers.
final class SharedCache: Sendable {
    private let cache: Mutex<ResponseCache>

    init(maximumBytes: Int) { cache = Mutex(ResponseCache(maximumBytes: maximumBytes)) }

    func find(_ key: ResponseCache.Key) -> [Tensor]? { cache.withLock { $0.find(key) } }
    func insert(_ outputs: [Tensor], for key: ResponseCache.Key) { cache.withLock { $0.insert(outputs, for: key) } }
    func remove(model: UInt64) { cache.withLock { $0.remove(model: model) } }

    var use: (count: Int, bytes: Int) { cache.withLock { ($0.count, $0.bytes) } }
}
