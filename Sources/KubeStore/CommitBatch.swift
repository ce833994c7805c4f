// SPDX-License-Identifier: Apache-2.0

/// The mutations of one transaction, evaluated in order against the committed state and each other. Pure.
struct CommitBatch {
    /// The changes, in order of revision.
    private(set) var events: [StoreEvent] = []
    /// What the transaction writes: the last state by create revision, nil to remove the row.
    private(set) var rows: [Int64: StoredObject?] = [:]
    /// The newest revision, the committed one while no mutation was accepted.
    private(set) var revision: Int64
    /// The bytes of all new states.
    private(set) var bytes = 0
    private var overlay: [StoreKey: StoredObject?] = [:]
    private let maximumObjectBytes: Int

    init(after revision: Int64, maximumObjectBytes: Int = .max) {
        self.revision = revision
        self.maximumObjectBytes = maximumObjectBytes
    }

    /// Accepts or refuses a mutation; `committed` looks up the state before the batch.
    mutating func apply(
        _ mutation: StoreMutation, committed: (StoreKey) -> StoredObject?
    ) -> Result<StoredObject, StoreError> {
        if let problem = mutation.key.problem {
            return .failure(StoreError(.invalidKey, "\(mutation.key) cannot be stored: \(problem)"))
        }
        let current = overlay[mutation.key] ?? committed(mutation.key)
        switch mutation {
        case .create(let key, let value):
            if let current {
                return .failure(
                    StoreError(.alreadyExists, "\(key) already exists", currentRevision: current.revision))
            }
            return accept(.added, key, value, previous: nil)
        case .update(let key, let expected, let value):
            switch Self.check(key, current, expected) {
            case .success(let previous): return accept(.modified, previous.key, value, previous: previous)
            case .failure(let error): return .failure(error)
            }
        case .delete(let key, let expected, let value):
            switch Self.check(key, current, expected) {
            case .success(let previous): return accept(.deleted, previous.key, value, previous: previous)
            case .failure(let error): return .failure(error)
            }
        }
    }

    private static func check(
        _ key: StoreKey, _ current: StoredObject?, _ expected: Int64
    ) -> Result<StoredObject, StoreError> {
        guard let current else { return .failure(StoreError(.notFound, "\(key) is not there")) }
        guard current.revision == expected else {
            return .failure(
                StoreError(
                    .conflict, "\(key) is at revision \(current.revision), the change was made from \(expected)",
                    currentRevision: current.revision))
        }
        return .success(current)
    }

    private mutating func accept(
        _ kind: StoreEvent.Kind, _ key: StoreKey, _ value: StoreValue, previous: StoredObject?
    ) -> Result<StoredObject, StoreError> {
        let next = revision + 1
        let encoded = value.encode(next)
        guard encoded.count <= maximumObjectBytes else {
            return .failure(
                StoreError(
                    .objectTooLarge,
                    "\(key) has \(encoded.count) bytes, at most \(maximumObjectBytes) are stored"))
        }
        let object = StoredObject(
            key: key, bytes: encoded, revision: next, createRevision: previous?.createRevision ?? next,
            labels: value.labels, fields: value.fields)
        revision = next
        bytes += encoded.count
        events.append(StoreEvent(kind: kind, object: object, previous: previous))
        let state = kind == .deleted ? nil : object
        overlay[key] = .some(state)
        rows[object.createRevision] = .some(state)
        return .success(object)
    }
}
