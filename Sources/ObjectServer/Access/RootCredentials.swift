// SPDX-License-Identifier: Apache-2.0
import ApusCore
import DataFolders
import Foundation

/// The root key that is made at the first start and kept in the data folder.
package struct RootCredentials: Sendable {
    /// The key's public part.
    package let accessKey: String
    /// Its secret.
    package let secretKey: String
    /// Where it is kept.
    package let path: String
    /// Whether it was made just now.
    package let isNew: Bool

    /// The key in that folder, which is made when there is none.
    /// - Throws: ``AccessKeyError`` when the file cannot be read or written.
    package static func keep(in folder: String) throws(AccessKeyError) -> RootCredentials {
        let path = "\(folder)/credentials.json"
        if let data = FileManager.default.contents(atPath: path) {
            guard data.count <= 65_536, let document = try? JSONParser.parse([UInt8](data)),
                let access = document["accessKey"].string, let secret = document["secretKey"].string
            else {
                throw AccessKeyError(
                    "\(path) has no texts accessKey and secretKey: repair it, or remove it so that new ones are made")
            }
            return RootCredentials(accessKey: access, secretKey: secret, path: path, isNew: false)
        }
        guard !FileManager.default.fileExists(atPath: path) else {
            throw AccessKeyError("\(path) cannot be read: does it belong to another user?")
        }
        let made = RootCredentials(
            accessKey: "APUS" + random(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
            secretKey: random(40, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"), path: path,
            isNew: true)
        let text = JSONValue.object([
            "accessKey": .string(made.accessKey), "secretKey": .string(made.secretKey),
        ]).text
        do {
            try Folder.replace(path, with: Array((text + "\n").utf8))
        } catch {
            throw AccessKeyError(
                "the credentials cannot be kept (\(error)): give them with --access-key and APUS_SECRET_KEY, or another "
                    + "--data-dir")
        }
        return made
    }

    private static func random(_ length: Int, _ alphabet: String) -> String {
        var generator = SystemRandomNumberGenerator()
        let letters = Array(alphabet)
        return String((0..<length).compactMap { _ in letters.randomElement(using: &generator) })
    }
}
