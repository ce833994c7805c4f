// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// The actions of one version: a file of JSON lines.
package struct DeltaCommit: Sendable, Equatable {
    package var version: Int64
    package var actions: [DeltaAction]

    /// The largest commit that is read: 256 MiB.
    package static let maximumSize = 256 << 20
    /// The most actions of a commit.
    package static let maximumActions = 4_000_000

    package init(version: Int64, actions: [DeltaAction]) {
        self.version = version
        self.actions = actions
    }

    /// Reads the lines of a commit.
    /// - Throws: `corruptLog` with the line's number; `tooLarge`.
    package init(version: Int64, lines: [UInt8]) throws(DeltaError) {
        self.version = version
        let name = DeltaLogName.commit(version).name
        actions = try Self.actions(lines, of: name)
        var protocols = 0
        var metadatas = 0
        for action in actions {
            switch action {
            case .protocolVersions: protocols += 1
            case .metadata: metadatas += 1
            case .sidecar, .checkpointMetadata:
                throw DeltaError(.corruptLog, "\(name) has an action that only checkpoints may have")
            default: break
            }
        }
        guard protocols <= 1, metadatas <= 1 else {
            throw DeltaError(.corruptLog, "\(name) has more than one protocol or metaData action")
        }
    }

    /// Reads JSON lines as actions.
    package static func actions(_ lines: [UInt8], of name: String) throws(DeltaError) -> [DeltaAction] {
        guard lines.count <= maximumSize else {
            throw DeltaError(.tooLarge, "\(name) has \(lines.count) bytes, more than \(maximumSize)")
        }
        var actions: [DeltaAction] = []
        for (number, line) in lines.split(separator: UInt8(ascii: "\n")).enumerated() {
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { continue }
            guard actions.count < maximumActions else {
                throw DeltaError(.tooLarge, "\(name) has more than \(maximumActions) actions")
            }
            let place = "line \(number + 1) of \(name)"
            let json: JSONValue
            do throws(JSONError) {
                json = try JSONParser.parse(line)
            } catch {
                throw DeltaError(.corruptLog, "\(place): \(error)")
            }
            do throws(DeltaError) {
                actions.append(try DeltaAction(json: json))
            } catch {
                throw DeltaError(error.code, "\(place): \(error)")
            }
        }
        return actions
    }

    /// The commit's file. Actions that are not known are not written.
    package var encoded: [UInt8] { Self.encode(actions) }

    /// JSON lines of actions.
    package static func encode(_ actions: [DeltaAction]) -> [UInt8] {
        var writer = JSONWriter(capacity: actions.count * 400)
        for action in actions {
            guard let json = action.json else { continue }
            writer.append(json)
            writer.append(raw: "\n")
        }
        return writer.bytes
    }

    /// Who did what; the first of that kind.
    package var info: DeltaCommitInfo? {
        for case .commitInfo(let info) in actions { return info }
        return nil
    }
}
