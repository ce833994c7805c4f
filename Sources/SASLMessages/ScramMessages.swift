// SPDX-License-Identifier: Apache-2.0
import ByteCodes

/// The messages of SCRAM (RFC 5802, section 7), as far as both sides read them.
package enum ScramMessages {
    /// `gs2-header` and `client-first-message-bare`.
    package struct ClientFirst: Hashable {
        /// Everything before the bare message: what the final message repeats.
        package var header: String
        /// The identity that the client wants to act as; empty for its own.
        package var authorizationID: String
        package var user: String
        package var nonce: String
        package var bare: String

        package init?(_ text: String) {
            let parts = text.split(separator: ",", maxSplits: 2, omittingEmptySubsequences: false)
            // Channel binding ("p=…") is not offered.
            guard parts.count == 3, parts[0] == "n" || parts[0] == "y" else { return nil }
            header = "\(parts[0]),\(parts[1]),"
            if parts[1].isEmpty {
                authorizationID = ""
            } else {
                guard parts[1].hasPrefix("a="), let name = unescape(parts[1].dropFirst(2)) else { return nil }
                authorizationID = name
            }
            bare = String(parts[2])
            let fields = bare.split(separator: ",", omittingEmptySubsequences: false)
            // A mandatory extension ("m=…") would stand first.
            guard fields.count >= 2, fields[0].hasPrefix("n="), let user = unescape(fields[0].dropFirst(2)),
                !user.isEmpty, let nonce = ScramMessages.nonce(fields[1])
            else { return nil }
            self.user = user
            self.nonce = nonce
        }
    }

    /// What the server answers to it.
    package struct ServerFirst: Hashable {
        package var nonce: String
        package var salt: [UInt8]
        package var iterations: Int

        package init?(_ text: String) {
            let fields = text.split(separator: ",", omittingEmptySubsequences: false)
            guard fields.count >= 3, let nonce = ScramMessages.nonce(fields[0]), fields[1].hasPrefix("s="),
                let salt = Base64Text.decode(fields[1].dropFirst(2)), !salt.isEmpty, fields[2].hasPrefix("i="),
                let iterations = Int(fields[2].dropFirst(2)), iterations > 0
            else { return nil }
            self.nonce = nonce
            self.salt = salt
            self.iterations = iterations
        }
    }

    /// What the client ends with.
    package struct ClientFinal: Hashable {
        package var binding: [UInt8]
        package var nonce: String
        package var proof: [UInt8]
        package var withoutProof: String

        package init?(_ text: String) {
            guard let last = text.range(of: ",p=", last: true) else { return nil }
            withoutProof = String(text[..<last.lowerBound])
            let fields = withoutProof.split(separator: ",", omittingEmptySubsequences: false)
            guard fields.count >= 2, fields[0].hasPrefix("c="), let binding = Base64Text.decode(fields[0].dropFirst(2)),
                let nonce = ScramMessages.nonce(fields[1]), let proof = Base64Text.decode(text[last.upperBound...])
            else { return nil }
            self.binding = binding
            self.nonce = nonce
            self.proof = proof
        }
    }

    /// `r=` and printable characters without commas.
    package static func nonce(_ field: Substring) -> String? {
        guard field.hasPrefix("r="), field.utf8.count > 2,
            field.utf8.dropFirst(2).allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x2C })
        else { return nil }
        return String(field.dropFirst(2))
    }

    /// A `saslname`: commas and equals signs stand as `=2C` and `=3D`.
    package static func escape(_ name: String) -> String {
        name.reduce(into: "") { text, character in
            switch character {
            case ",": text += "=2C"
            case "=": text += "=3D"
            default: text.append(character)
            }
        }
    }

    package static func unescape(_ name: Substring) -> String? {
        let parts = name.split(separator: "=", omittingEmptySubsequences: false)
        var text = parts.first.map(String.init) ?? ""
        for part in parts.dropFirst() {
            if part.hasPrefix("2C") {
                text += ","
            } else if part.hasPrefix("3D") {
                text += "="
            } else {
                return nil
            }
            text += part.dropFirst(2)
        }
        return text
    }
}

extension String {
    /// The last place of a text.
    fileprivate func range(of text: String, last: Bool) -> Range<String.Index>? {
        var found: Range<String.Index>?
        var rest = self[...]
        while let range = rest.firstRange(of: text) {
            found = range
            rest = rest[range.upperBound...]
        }
        return found
    }
}
