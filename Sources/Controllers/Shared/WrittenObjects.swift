// SPDX-License-Identifier: Apache-2.0
import KubeAPI
import Synchronization

/// The last states that a controller has written itself: its watch may be behind them.
///
/// Resource versions of this server and of upstream grow with each write, which this relies on.
final class WrittenObjects: Sendable {
    private let objects = Mutex<[ObjectKey: KubeObject]>([:])

    func note(_ object: KubeObject) { objects.withLock { $0[object.key] = object } }

    func forget(_ key: ObjectKey) { objects.withLock { _ = $0.removeValue(forKey: key) } }

    /// The newer of the copy and of what was written.
    func newest(_ copy: KubeObject) -> KubeObject {
        objects.withLock { objects in
            guard let known = objects[copy.key] else { return copy }
            if known.uid == copy.uid, let ours = UInt64(known.resourceVersion),
                let theirs = UInt64(copy.resourceVersion),
                ours > theirs
            {
                return known
            }
            objects[copy.key] = nil
            return copy
        }
    }
}
