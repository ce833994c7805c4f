// SPDX-License-Identifier: Apache-2.0
package import InferenceProtocol

/// Answers of models that allow it, kept by their inputs; those not used longest go first. Pure.
package struct ResponseCache: Sendable {
    /// What an answer is kept by: two hashes of the inputs under the process's random seed, so that nobody can make two
    /// requests that meet, and chance does not.
    package struct Key: Sendable, Hashable {
        /// Of a loaded version; another load of the same has another.
        package let model: UInt64
        fileprivate let low: Int
        fileprivate let high: Int

        package init(model: UInt64, inputs: [Tensor], outputs: [String]) {
            self.model = model
            var hashers = (Hasher(), Hasher())
            hashers.1.combine(0x6170_7573)
            func add(_ value: some Hashable) {
                hashers.0.combine(value)
                hashers.1.combine(value)
            }
            for input in inputs {
                add(input.name)
                add(input.type)
                add(input.shape)
                switch input.content {
                case .memory(let storage, let range):
                    let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(storage.bytes)[range])
                    hashers.0.combine(bytes: bytes)
                    hashers.1.combine(bytes: bytes)
                case .strings(let strings):
                    add(strings.ends)
                    let bytes = UnsafeRawBufferPointer(strings.storage.bytes)
                    hashers.0.combine(bytes: bytes)
                    hashers.1.combine(bytes: bytes)
                }
            }
            add(outputs)
            low = hashers.0.finalize()
            high = hashers.1.finalize()
        }
    }

    private struct Entry {
        var outputs: [Tensor]
        var bytes: Int
        var use: UInt64
    }

    /// Bytes of outputs that may be kept.
    package let maximumBytes: Int
    package private(set) var bytes = 0
    private var entries: [Key: Entry] = [:]
    /// Uses in their order; those that are no longer an entry's last are skipped.
    private var uses: [(key: Key, use: UInt64)] = []
    private var firstUse = 0
    private var clock: UInt64 = 0

    package init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    package var count: Int { entries.count }

    /// The kept outputs.
    package mutating func find(_ key: Key) -> [Tensor]? {
        guard let outputs = entries[key]?.outputs else { return nil }
        use(key)
        return outputs
    }

    /// Keeps outputs, unless they alone are more than an eighth of what may be kept.
    package mutating func insert(_ outputs: [Tensor], for key: Key) {
        let size = outputs.reduce(128) { $0 + $1.memory }
        guard size <= maximumBytes / 8 else { return }
        if let old = entries[key] { bytes -= old.bytes }
        entries[key] = Entry(outputs: outputs, bytes: size, use: 0)
        bytes += size
        use(key)
        while bytes > maximumBytes, firstUse < uses.count {
            let oldest = uses[firstUse]
            firstUse += 1
            guard let entry = entries[oldest.key], entry.use == oldest.use else { continue }
            entries[oldest.key] = nil
            bytes -= entry.bytes
        }
        compact()
    }

    /// Forgets the answers of a loaded version.
    package mutating func remove(model: UInt64) {
        for (key, entry) in entries where key.model == model {
            entries[key] = nil
            bytes -= entry.bytes
        }
    }

    private mutating func use(_ key: Key) {
        clock += 1
        entries[key]?.use = clock
        uses.append((key, clock))
        compact()
    }

    /// Uses that are not an entry's last go when they are more than half.
    private mutating func compact() {
        guard uses.count > 64, uses.count > 2 * entries.count + 64 else { return }
        uses = uses[firstUse...].filter { entries[$0.key]?.use == $0.use }
        firstUse = 0
    }
}

extension Tensor {
    /// Bytes of its elements.
    var memory: Int {
        switch content {
        case .memory(_, let range): range.count
        case .strings(let strings): strings.storage.byteCount + strings.ends.count * 8
        }
    }
}
