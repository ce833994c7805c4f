// SPDX-License-Identifier: Apache-2.0

/// The short text that lists show for a trace's request or response.
package enum TracePreview {
    /// Characters; more are cut.
    private static let maximum = 1000

    /// - Parameters:
    ///   - text: the root's inputs or outputs, as JSON.
    ///   - role: whose message is shown where they are a conversation.
    /// - Returns: at most 1000 characters.
    package static func of(_ text: String, role: String) -> String {
        var content = text
        if let value = AttributeValue(text: text), let messages = messages(value), !messages.isEmpty {
            let message = messages.last { $0["role"]?.string == role } ?? messages[messages.count - 1]
            if let said = said(message), !said.isEmpty { content = said }
        }
        guard content.unicodeScalars.count > maximum else { return content }
        var cut = String.UnicodeScalarView()
        cut.append(contentsOf: content.unicodeScalars.prefix(maximum - 3))
        return String(cut) + "..."
    }

    /// Messages as chats and responses carry them.
    private static func messages(_ value: AttributeValue, depth: Int = 0) -> [AttributeValue]? {
        guard value.members != nil, depth < 8 else { return nil }
        func isMessage(_ value: AttributeValue) -> Bool { value["role"] != nil && value["content"] != nil }
        if let list = value["messages"]?.elements, !list.isEmpty { return list.filter(isMessage) }
        if let message = value["choices"]?.elements?.first?["message"], isMessage(message) { return [message] }
        for key in ["input", "output"] {
            if let list = value[key]?.elements, !list.isEmpty { return list.filter(isMessage) }
        }
        return value["request"].flatMap { messages($0, depth: depth + 1) }
    }

    private static func said(_ message: AttributeValue) -> String? {
        switch message["content"] {
        case .string(let text)?: return text
        case .array(let parts)?:
            for part in parts {
                if let text = part.string { return text }
                if ["text", "output_text"].contains(part["type"]?.string) { return part["text"]?.string }
            }
            return nil
        default: return nil
        }
    }
}
