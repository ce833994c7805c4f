// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A folder that is gone at the end of `body`.
func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    var name = Array("/tmp/apus-runtimes-XXXXXX".utf8CString)
    guard mkdtemp(&name) != nil else { throw TestFailure(description: "no folder") }
    let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { remove(path) }
    return try body(path)
}

struct TestFailure: Error { let description: String }

private func remove(_ path: String) {
    if let stream = opendir(path) {
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { remove(path + "/" + name) }
        }
        closedir(stream)
        rmdir(path)
    } else {
        unlink(path)
    }
}

func write(_ bytes: [UInt8], to path: String) throws {
    guard let file = fopen(path, "wb") else { throw TestFailure(description: path) }
    defer { fclose(file) }
    guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw TestFailure(description: path) }
}

func makeFolder(_ path: String) {
    var whole = ""
    for part in path.split(separator: "/") {
        whole += "/" + part
        mkdir(whole, 0o755)
    }
}
