// SPDX-License-Identifier: Apache-2.0

/// Lists of texts as Python writes them: the lists of IN are Python's, as MLflow's server reads them so.
enum PythonList {
    /// Why a text is no list of texts.
    enum Fault: Error { case empty, illFormed, otherKinds }

    /// The texts of a list in parentheses, with Python's quotes and escapes; texts side by side are one.
    /// - Throws: what is wrong with it.
    static func texts(_ written: String) throws(Fault) -> [String] {
        let scalars = Array(written.unicodeScalars)
        guard scalars.count >= 2, scalars.first == "(", scalars.last == ")" else { throw .illFormed }
        var texts: [String] = []
        var current: String?
        var index = 1
        let end = scalars.count - 1
        while index < end {
            let scalar = scalars[index]
            if scalar.properties.isWhitespace {
                index += 1
            } else if scalar == "," {
                guard let text = current else { throw .illFormed }
                texts.append(text)
                current = nil
                index += 1
            } else if scalar == "'" || scalar == "\"" {
                current = (current ?? "") + (try text(scalars, &index, end))
            } else {
                // Numbers and names are lists of Python too, and what is none is none: MLflow takes neither.
                let isPlain = scalar.properties.numericType != nil || scalar == "-" || scalar.properties.isAlphabetic
                throw isPlain ? .otherKinds : .illFormed
            }
        }
        if let current { texts.append(current) }
        guard !texts.isEmpty else { throw .empty }
        return texts
    }

    private static func text(
        _ scalars: [Unicode.Scalar], _ index: inout Int, _ end: Int
    ) throws(Fault) -> String {
        let quote = scalars[index]
        var view = String.UnicodeScalarView()
        index += 1
        while index < end {
            let scalar = scalars[index]
            index += 1
            if scalar == quote { return String(view) }
            if scalar == "\n" { throw .illFormed }
            guard scalar == "\\", index < end else {
                view.append(scalar)
                continue
            }
            let escape = scalars[index]
            index += 1
            switch escape {
            case "n": view.append("\n")
            case "t": view.append("\t")
            case "r": view.append("\r")
            case "\\", "'", "\"": view.append(escape)
            case "\n": break
            case "x", "u", "U":
                let count = escape == "x" ? 2 : escape == "u" ? 4 : 8
                guard index + count <= end else { throw .illFormed }
                var digits = String.UnicodeScalarView()
                digits.append(contentsOf: scalars[index..<index + count])
                guard let number = UInt32(String(digits), radix: 16), let named = Unicode.Scalar(number) else {
                    throw .illFormed
                }
                view.append(named)
                index += count
            default:
                view.append("\\")
                view.append(escape)
            }
        }
        throw .illFormed
    }
}
