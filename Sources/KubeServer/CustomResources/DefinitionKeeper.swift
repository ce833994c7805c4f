// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CustomResources
import KubeAPI
import KubeStore
import Synchronization

/// What the server knows of the definitions in the store, by the revision that it was read at.
final class DefinitionKeeper: Sendable {
    /// One definition.
    struct Entry: Sendable {
        var stored: StoredObject
        var group: String
        var wanted: Definition.Names
        var accepted: Definition.Names
        var hasAcceptedNames: Bool
        var isEstablished: Bool
        var isTerminating: Bool
        /// Empty while the definition is not established, or cannot be read.
        var declarations: [ResourceDeclaration]

        /// The name under which the store keeps its objects.
        var storageName: String { "\(accepted.plural).\(group)" }
    }

    private struct State {
        var entries: [String: Entry] = [:]
        /// Resources whose objects have another meaning than when their watches began.
        var changed: Set<String> = []
    }

    private let state = Mutex(State())
    let gate = SerialGate()

    /// Reads the definitions; those that did not change since the last time are not read again.
    ///
    /// - Parameter objects: all that are stored.
    /// - Returns: the entries in the order of the objects.
    func update(_ objects: [StoredObject]) -> [Entry] {
        state.withLock { state in
            var next: [String: Entry] = [:]
            var list: [Entry] = []
            for object in objects {
                let known = state.entries[object.key.name]
                let isSame = known?.stored.revision == object.revision
                guard let entry = isSame ? known : Self.read(object) else { continue }
                next[object.key.name] = entry
                list.append(entry)
            }
            for (name, old) in state.entries where !old.declarations.isEmpty {
                let new = next[name]
                guard new?.stored.revision != old.stored.revision, Self.marks(new) != Self.marks(old) else { continue }
                state.changed.insert(old.storageName)
            }
            state.entries = next
            return list
        }
    }

    /// The resources whose watches have to end; each is told once.
    func takeChanged() -> Set<String> {
        state.withLock { state in
            defer { state.changed = [] }
            return state.changed
        }
    }

    private static func marks(_ entry: Entry?) -> [String] {
        entry?.declarations.map { "\($0.resource.version) \($0.storage?.mark ?? "")" } ?? []
    }

    /// Whether the definition of these objects is being deleted.
    func isTerminating(_ storageName: String) -> Bool {
        state.withLock { $0.entries[storageName]?.isTerminating ?? false }
    }

    private static func read(_ stored: StoredObject) -> Entry? {
        guard let json = try? JSONParser.parse(stored.bytes) else { return nil }
        let object = KubeObject(json)
        var entry = Entry(
            stored: stored, group: object.spec["group"].string ?? "",
            wanted: Definition.Names(json: object.spec["names"]),
            accepted: Definition.Names(json: object.status["acceptedNames"]),
            hasAcceptedNames: Conditions.isTrue("NamesAccepted", in: object.status),
            isEstablished: Conditions.isTrue("Established", in: object.status),
            isTerminating: object.isBeingDeleted, declarations: [])
        guard entry.isEstablished, let definition = try? Definition(object) else { return entry }
        entry.declarations =
            CustomDeclarations(
                definition: definition, names: entry.accepted, mark: mark(object.spec), source: stored
            ).all
        return entry
    }

    /// FNV-1a over everything that changes what stored objects mean.
    private static func mark(_ spec: JSONValue) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in spec["versions"].encoded {
            hash ^= UInt64(byte)
            hash = hash &* 0x100_0000_01b3
        }
        return String(hash, radix: 36)
    }
}

/// Lets one task after another through, in the order of their arrival.
actor SerialGate {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func enter() async {
        guard isTaken else {
            isTaken = true
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    func leave() {
        if waiting.isEmpty {
            isTaken = false
        } else {
            waiting.removeFirst().resume()
        }
    }
}
