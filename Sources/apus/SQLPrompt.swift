// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import LakeEngine

/// The prompt of `apus sql`: lines are collected until a statement ends with a semicolon; history is kept in
/// ~/.apus/sql-history (0600).
struct SQLPrompt {
    private let connection: LakeConnection
    private let output: SQLOutput
    private let path = "\(HomeFolder.path)/.apus/sql-history"

    init(_ connection: LakeConnection, _ output: SQLOutput) {
        self.connection = connection
        self.output = output
    }

    func run() async {
        var editor = LineEditor(history: loadHistory())
        var pending = ""
        Self.say("SQL ends with a semicolon; Ctrl-C cancels a statement, Ctrl-D or \\q leaves.\n")
        while let line = editor.read(pending.isEmpty ? "sql> " : "  -> ") {
            if pending.isEmpty, ["\\q", "exit", "quit"].contains(line) { break }
            pending += (pending.isEmpty ? "" : "\n") + line
            let statements = SQLStatements(pending)
            guard statements.isComplete else { continue }
            if !statements.all.isEmpty {
                editor.remember(pending.split(separator: "\n").joined(separator: " "))
                saveHistory(editor.history)
            }
            pending = ""
            for statement in statements.all {
                do throws(LakeError) { try await output.run(statement, connection) } catch {
                    Self.say("\(error)\n")
                    break
                }
            }
        }
    }

    private static func say(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

    private func loadHistory() -> [String] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [] }
        return text.split(separator: "\n").suffix(1000).map(String.init)
    }

    private func saveHistory(_ lines: [String]) {
        let folder = (path as NSString).deletingLastPathComponent
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        _ = FileManager.default.createFile(
            atPath: path, contents: Data((lines.suffix(1000).joined(separator: "\n") + "\n").utf8),
            attributes: [.posixPermissions: 0o600])
    }
}

/// A line on a terminal, with the keys that one expects: arrows, Home and End, Backspace and Delete, Ctrl-A, -E, -U,
/// -K, -C, -D.
struct LineEditor {
    private(set) var history: [String]

    init(history: [String]) { self.history = history }

    mutating func remember(_ line: String) {
        if history.last != line { history.append(line) }
    }

    /// Nil at the end of input.
    mutating func read(_ prompt: String) -> String? {
        var saved = termios()
        guard tcgetattr(0, &saved) == 0 else { return readLine() }
        var raw = saved
        cfmakeraw(&raw)
        tcsetattr(0, TCSADRAIN, &raw)
        defer { tcsetattr(0, TCSADRAIN, &saved) }

        var line: [Character] = []
        var cursor = 0
        var place = history.count
        var kept: [Character] = []
        func show() {
            let text = prompt + String(line)
            let back = line.count - cursor
            Self.put("\r\u{1B}[K" + text + (back > 0 ? "\u{1B}[\(back)D" : ""))
        }
        func recall(_ step: Int) {
            guard (0...history.count).contains(place + step) else { return }
            if place == history.count { kept = line }
            place += step
            line = place == history.count ? kept : Array(history[place])
            cursor = line.count
        }
        show()
        while let key = Self.key() {
            switch key {
            case "\r", "\n":
                Self.put("\r\n")
                return String(line)
            case "\u{03}":
                Self.put("^C\r\n")
                (line, cursor) = ([], 0)
            case "\u{04}":
                if line.isEmpty {
                    Self.put("\r\n")
                    return nil
                }
                if cursor < line.count { line.remove(at: cursor) }
            case "\u{7F}", "\u{08}":
                if cursor > 0 {
                    cursor -= 1
                    line.remove(at: cursor)
                }
            case "\u{01}", "\u{1B}[H", "\u{1B}[1~": cursor = 0
            case "\u{05}", "\u{1B}[F", "\u{1B}[4~": cursor = line.count
            case "\u{15}":
                line.removeFirst(cursor)
                cursor = 0
            case "\u{0B}": line.removeSubrange(cursor...)
            case "\u{1B}[A": recall(-1)
            case "\u{1B}[B": recall(1)
            case "\u{1B}[C": cursor = min(cursor + 1, line.count)
            case "\u{1B}[D": cursor = max(cursor - 1, 0)
            case "\u{1B}[3~": if cursor < line.count { line.remove(at: cursor) }
            default:
                guard let scalar = key.unicodeScalars.first, scalar.value >= 0x20 else { break }
                line.insert(contentsOf: Array(key), at: cursor)
                cursor += key.count
            }
            show()
        }
        return nil
    }

    private static func put(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

    private static func byte() -> UInt8? {
        var byte: UInt8 = 0
        return Glibc.read(0, &byte, 1) == 1 ? byte : nil
    }

    /// A character of UTF-8, or an escape sequence as one text; nil at the end of input.
    private static func key() -> String? {
        guard let first = byte() else { return nil }
        var bytes = [first]
        if first == 0x1B {
            guard let second = byte() else { return nil }
            bytes.append(second)
            guard second == UInt8(ascii: "[") || second == UInt8(ascii: "O") else { return "\u{1B}" }
            bytes[1] = UInt8(ascii: "[")
            while bytes.count < 8, let next = byte() {
                bytes.append(next)
                if (0x40...0x7E).contains(next) { break }
            }
        } else {
            let rest = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0
            for _ in 0..<rest { if let next = byte() { bytes.append(next) } }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
