// SPDX-License-Identifier: Apache-2.0
import Crypto
import DataFolders
import Foundation
import Synchronization
import TrackingModel

/// Encrypts the secrets of webhooks (AES-256-GCM), so that the database alone does not tell them.
final class WebhookSecrets: Sendable {
    private static let keyBytes = 32
    private let passphrase: String?
    private let file: String?
    private let key = Mutex<SymmetricKey?>(nil)
    /// One thread: the file is made once.
    private let thread = WorkPool(label: "apus.webhooks.key", threads: 1)

    init(_ settings: WebhookSettings) {
        passphrase = settings.passphrase
        file = settings.keyFile
    }

    /// - Throws: INTERNAL_ERROR where there is no key.
    func seal(_ secret: String) async throws(TrackingError) -> String {
        let key = try await currentKey()
        guard let sealed = try? AES.GCM.seal(Array(secret.utf8), using: key).combined else {
            throw Self.failed("the secret of the webhook cannot be encrypted")
        }
        return sealed.base64EncodedString()
    }

    /// - Throws: INTERNAL_ERROR where it was encrypted with another key.
    func open(_ text: String) async throws(TrackingError) -> String {
        let key = try await currentKey()
        guard let sealed = Data(base64Encoded: text), let box = try? AES.GCM.SealedBox(combined: sealed),
            let secret = try? AES.GCM.open(box, using: key)
        else {
            throw Self.failed("the webhook's secret was encrypted with another key: give it again, or restore the key")
        }
        return String(decoding: secret, as: UTF8.self)
    }

    private func currentKey() async throws(TrackingError) -> SymmetricKey {
        if let key = key.withLock({ $0 }) { return key }
        do {
            return try await thread.run { [self] in
                if let key = key.withLock({ $0 }) { return key }
                let made = try makeKey()
                key.withLock { $0 = made }
                return made
            }
        } catch {
            throw (error as? TrackingError) ?? Self.failed("the key of webhooks' secrets cannot be used: \(error)")
        }
    }

    /// Blocks.
    private func makeKey() throws -> SymmetricKey {
        if let passphrase {
            return HKDF<SHA256>.deriveKey(
                inputKeyMaterial: SymmetricKey(data: Array(passphrase.utf8)), info: Array("apus webhooks".utf8),
                outputByteCount: Self.keyBytes)
        }
        guard let file else { return SymmetricKey(size: .bits256) }
        if let bytes = try Folder.read(file, atMost: 1 << 10) {
            guard bytes.count == Self.keyBytes else {
                throw Self.failed(
                    "\(file) is no key of webhooks' secrets: restore it, or remove it and give them again")
            }
            return SymmetricKey(data: bytes)
        }
        let new = SymmetricKey(size: .bits256)
        try Folder.replace(file, with: new.withUnsafeBytes { Array($0) })
        return new
    }

    private static func failed(_ message: String) -> TrackingError { TrackingError(.internalError, message) }
}
