// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// The files in Captures/: `API-NAME.hex`, a line a request, its fields separated by spaces; `#` begins a comment.
enum CaptureFiles {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Captures")

    /// The fields of all lines of a folder within it, each with its API.
    static func lines(in name: String = "") throws -> [(key: Int16, fields: [Substring])] {
        let folder = name.isEmpty ? folder : folder.appendingPathComponent(name)
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        var lines: [(Int16, [Substring])] = []
        for file in files where file.pathExtension == "hex" {
            let key = try #require(Int16(file.lastPathComponent.prefix { $0 != "-" }))
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") where !line.hasPrefix("#")
            {
                lines.append((key, line.split(separator: " ")))
            }
        }
        return lines
    }

    static func bytes(_ hex: Substring) throws -> [UInt8] {
        let digits = Array(hex)
        return try stride(from: 0, to: digits.count - 1, by: 2).map {
            try #require(UInt8(String(digits[$0...$0 + 1]), radix: 16))
        }
    }
}
