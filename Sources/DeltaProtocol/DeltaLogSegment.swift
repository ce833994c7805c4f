// SPDX-License-Identifier: Apache-2.0

/// A file of the log as a listing has it.
package struct DeltaLogFile: Sendable, Equatable {
    package var name: DeltaLogName
    package var size: Int64
    /// Milliseconds since 1970.
    package var modified: Int64

    package init(_ name: DeltaLogName, size: Int64 = 0, modified: Int64 = 0) {
        self.name = name
        self.size = size
        self.modified = modified
    }
}

/// The files that make up one version: a checkpoint, if there is one, and every commit after it.
package struct DeltaLogSegment: Sendable, Equatable {
    package var version: Int64
    /// One file, or all parts in order; empty when the commits start at 0.
    package var checkpoint: [DeltaLogFile]
    /// Ascending, without a gap.
    package var commits: [DeltaLogFile]

    /// The version of the checkpoint.
    package var checkpointVersion: Int64? { checkpoint.first?.name.version }

    /// Chooses from a listing of the log from some version on, in any order; without a version wanted, the latest.
    ///
    /// - Throws: `notATable`, `noSuchVersion`, `logGap`.
    package init(choosing files: [DeltaLogFile], version wanted: Int64? = nil) throws(DeltaError) {
        var commits: [Int64: DeltaLogFile] = [:]
        var whole: [Int64: DeltaLogFile] = [:]
        var parts: [Int64: [Int: [Int: DeltaLogFile]]] = [:]
        for file in files {
            switch file.name {
            case .commit(let version): commits[version] = file
            case .checkpoint(let version): whole[version] = file
            case .checkpointV2(let version, _, _): if whole[version] == nil { whole[version] = file }
            case .checkpointPart(let version, let part, let count):
                parts[version, default: [:]][count, default: [:]][part] = file
            default: break
            }
        }
        var checkpoints = whole.mapValues { [$0] }
        for (version, counts) in parts where checkpoints[version] == nil {
            // Only a checkpoint with all of its parts is one.
            guard let complete = counts.sorted(by: { $0.key < $1.key }).first(where: { $0.value.count == $0.key })
            else {
                continue
            }
            checkpoints[version] = complete.value.sorted { $0.key < $1.key }.map(\.value)
        }
        guard let latest = (Array(commits.keys) + Array(checkpoints.keys)).max() else {
            throw DeltaError(.notATable, "there is no Delta table: \(DeltaLogName.folder) has no commit")
        }
        let end = wanted ?? latest
        guard end <= latest, end >= 0 else {
            throw DeltaError(.noSuchVersion, "there is no version \(end): the latest is \(latest)")
        }
        let start = checkpoints.keys.filter { $0 <= end }.max()
        checkpoint = start.flatMap { checkpoints[$0] } ?? []
        self.commits = []
        version = end
        if let start, start == end { return }
        for number in (start.map { $0 + 1 } ?? 0)...end {
            guard let file = commits[number] else {
                if start == nil, let first = commits.keys.min(), first > 0, number == 0 {
                    throw DeltaError(
                        wanted == nil ? .logGap : .noSuchVersion,
                        "version \(end) cannot be built: commits start at \(first) and no checkpoint stands before")
                }
                throw DeltaError(
                    .logGap, "version \(end) cannot be built: the commit \(DeltaLogName.commit(number).name) is missing"
                )
            }
            self.commits.append(file)
        }
    }

    private init(version: Int64, checkpoint: [DeltaLogFile], commits: [DeltaLogFile]) {
        self.version = version
        self.checkpoint = checkpoint
        self.commits = commits
    }

    /// The commits after a version that is known already.
    /// - Throws: `logGap`.
    package static func commits(after version: Int64, in files: [DeltaLogFile]) throws(DeltaError) -> [DeltaLogFile] {
        var commits = files.filter { file in
            if case .commit(let number) = file.name { number > version } else { false }
        }
        commits.sort { ($0.name.version ?? 0) < ($1.name.version ?? 0) }
        var next = version + 1
        for commit in commits {
            guard commit.name.version == next else {
                throw DeltaError(.logGap, "the commit \(DeltaLogName.commit(next).name) is missing")
            }
            next += 1
        }
        return commits
    }

    /// When each commit was made, ascending by version, in milliseconds since 1970: what `inCommit` says of it by its
    /// version, else its file's time. Files' times are made to rise with versions, as some stores and copies do not
    /// keep them so.
    package static func times(
        of files: [DeltaLogFile], inCommit: [Int64: Int64] = [:]
    ) -> [(version: Int64, time: Int64)] {
        var clock = Int64.min
        var modified: [(version: Int64, time: Int64)] = []
        for file in files {
            guard case .commit(let version) = file.name else { continue }
            modified.append((version, file.modified))
        }
        return modified.sorted { $0.version < $1.version }.map { version, time in
            clock = clock == .min ? time : max(clock + 1, time)
            return (version, inCommit[version] ?? clock)
        }
    }

    /// The latest version that was there at a time, by ``times(of:inCommit:)``.
    /// `time` is in milliseconds since 1970.
    ///
    /// - Throws: `noSuchVersion` when the table is younger.
    package static func version(
        at time: Int64, in files: [DeltaLogFile], inCommit: [Int64: Int64] = [:]
    ) throws(DeltaError) -> Int64 {
        guard let found = times(of: files, inCommit: inCommit).last(where: { $0.time <= time }) else {
            throw DeltaError(.noSuchVersion, "the log has no commit that is as old as the time asked for")
        }
        return found.version
    }
}
