// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// An event of the audit log on its way to be a line: a JSON object, or a part of one.
///
/// Written member by member: events are made on the way of every request.
struct AuditLine: Sendable {
    private var writer: JSONWriter

    private var isFirst = true

    /// An object without members.
    init(capacity: Int) {
        writer = JSONWriter(capacity: capacity)
        writer.append(raw: "{")
    }

    /// The members that follow those of another line.
    init(following: AuditLine, capacity: Int) {
        writer = JSONWriter(capacity: capacity)
        isFirst = following.isFirst
    }

    /// What there is so far.
    var bytes: [UInt8] { writer.bytes }

    private mutating func begin(_ name: String) {
        writer.append(raw: isFirst ? "\"" : ",\"")
        isFirst = false
        writer.append(raw: name)
        writer.append(raw: "\":")
    }

    /// Adds a text; an empty one is left out.
    mutating func add(_ name: String, _ text: String) {
        guard !text.isEmpty else { return }
        begin(name)
        writer.append(string: text)
    }

    /// Adds a list of texts; an empty one is left out.
    mutating func add(_ name: String, _ texts: [String]) {
        guard !texts.isEmpty else { return }
        begin(name)
        writer.append(raw: "[")
        for (index, text) in texts.enumerated() {
            if index > 0 { writer.append(raw: ",") }
            writer.append(string: text)
        }
        writer.append(raw: "]")
    }

    /// Adds a value; null is left out.
    mutating func add(_ name: String, _ value: JSONValue) {
        guard !value.isNull else { return }
        begin(name)
        writer.append(value)
    }

    /// Adds what is JSON already; nothing is left out.
    mutating func add(_ name: String, raw: [UInt8]) {
        guard !raw.isEmpty else { return }
        begin(name)
        writer.append(raw: raw)
    }

    /// Adds an object.
    mutating func add(_ name: String, object fill: (inout AuditLine) -> Void) {
        begin(name)
        writer.append(raw: "{")
        isFirst = true
        fill(&self)
        isFirst = false
        writer.append(raw: "}")
    }

    /// Ends the object and the line.
    mutating func end() { writer.append(raw: "}\n") }
}
