// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A bar that shows how much of a long work is done. A value; ``Console`` draws it.
package struct ProgressBar: Sendable {
    package let title: String
    package let total: Int
    package var done = 0
    /// What stands after the numbers.
    package var note = ""

    package init(_ title: String, total: Int) {
        self.title = title
        self.total = total
    }

    /// `title [#####     ] 1/2 note`, the bar `width` characters wide.
    package func text(width: Int = 30) -> String {
        let filled = total > 0 ? min(width, done * width / total) : width
        let bar = String(repeating: "#", count: filled) + String(repeating: " ", count: width - filled)
        return "\(title) [\(bar)] \(done)/\(total)\(note.isEmpty ? "" : " \(note)")"
    }
}

/// Standard output for people: lines, and bars that are redrawn in place on a terminal.
package struct Console: Sendable {
    private let isTerminal = isatty(STDOUT_FILENO) == 1

    package init() {}

    /// Prints a line.
    package func say(_ line: String) {
        print(line)
        fflush(nil)
    }

    /// Draws a bar over the last one; off a terminal each state is a line.
    package func draw(_ bar: ProgressBar) {
        print(isTerminal ? "\r\u{1B}[K\(bar.text())" : bar.text(), terminator: isTerminal ? "" : "\n")
        fflush(nil)
    }

    /// Ends the line of a bar.
    package func endLine() { if isTerminal { say("") } }
}
