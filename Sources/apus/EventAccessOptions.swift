// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import EventBroker
import Foundation

/// Who may use `apus serve events`.
struct EventAccessOptions: ParsableArguments {
    @Flag(help: "Clients have to log in, and may do what rules (ACLs) allow.")
    var sasl = false
    @Option(help: "The first user: may do everything. Needs --admin-password-file, or APUS_ADMIN_PASSWORD.")
    var adminUser: String?
    @Option(help: "File with the first user's password in its first line.")
    var adminPasswordFile: String?
    @Option(help: "More who may do everything: User:NAME, several separated by ';'.")
    var superUsers: String?
    @Option(
        help: """
            PEM file of authorities: clients have to show a certificate of theirs. Without --sasl its subject is who \
            they are (User:CN=…), and they may do what rules allow.
            """)
    var tlsClientCa: String?

    /// Nil where everybody may do everything.
    func resolved(_ settings: Settings) throws -> AccessConfiguration? {
        let usesSASL = try flag("sasl", sasl, settings)
        let usesCertificates = settings.value("tls-client-ca", tlsClientCa) != nil
        let namesAdministrator = settings.value("admin-user", adminUser) != nil
        guard usesSASL || usesCertificates else {
            guard !namesAdministrator, settings.value("super-users", superUsers) == nil else {
                throw ValidationError(
                    "--admin-user and --super-users need --sasl: without it everybody may do everything")
            }
            return nil
        }
        guard usesSASL || !namesAdministrator else {
            throw ValidationError(
                "--admin-user needs --sasl: name who may do everything with --super-users 'User:CN=…'")
        }
        var configuration = AccessConfiguration()
        configuration.usesSASL = usesSASL
        configuration.administrator = try administrator(settings)
        for name in (settings.value("super-users", superUsers) ?? "").split(separator: ";") {
            let name = name.trimmingCharacters(in: .whitespaces)
            guard name.hasPrefix("User:"), name.utf8.count > 5 else {
                throw ValidationError("--super-users must be User:NAME, several separated by ';', not '\(name)'")
            }
            configuration.superUsers.insert(name)
        }
        return configuration
    }

    private func flag(_ name: String, _ given: Bool, _ settings: Settings) throws -> Bool {
        let text = settings.value(name, given ? "true" : nil) ?? "false"
        guard let value = Bool(text) else { throw ValidationError("--\(name) must be true or false, not '\(text)'") }
        return value
    }

    private func administrator(_ settings: Settings) throws -> AccessConfiguration.Administrator? {
        let file = settings.value("admin-password-file", adminPasswordFile).map(absolute)
        guard let name = settings.value("admin-user", adminUser) else {
            guard file == nil else {
                throw ValidationError("--admin-password-file needs --admin-user: whose password is it?")
            }
            return nil
        }
        guard !name.isEmpty, name.utf8.count <= 256 else {
            throw ValidationError("--admin-user must have 1 to 256 bytes, not \(name.utf8.count)")
        }
        let password = try file.map(Self.firstLine) ?? ProcessInfo.processInfo.environment["APUS_ADMIN_PASSWORD"]
        guard let password, !password.isEmpty else {
            throw ValidationError(
                "--admin-user needs a password: in the first line of --admin-password-file, or in APUS_ADMIN_PASSWORD")
        }
        return .init(name: name, password: password)
    }

    private static func firstLine(of path: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path), data.count <= 65_536,
            let text = String(validating: data, as: UTF8.self)
        else { throw ValidationError("the password file \(path) cannot be read: is it there, and a text?") }
        return String(text.prefix { !$0.isNewline })
    }
}
