// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What the process runtime runs for a container: the rules of DESIGN.md, "Running pods".
package enum ContainerCommand {
    /// Whether an image is Apus itself: the last part of its repository is `apus`.
    package static func isApus(image: String) -> Bool {
        let last = image.split(separator: "/").last ?? ""
        return last.prefix { $0 != ":" && $0 != "@" } == "apus"
    }

    /// The program and its arguments.
    /// - Throws: when the image is not Apus and no command is given.
    package static func resolve(
        _ container: JSONValue, apusPath: String, environment: [String: String]
    ) throws(ContainerConfigError) -> [String] {
        let image = container["image"].string ?? ""
        let command = container["command"].elements.compactMap(\.string)
        let arguments = container["args"].elements.compactMap(\.string)
        guard !command.isEmpty else {
            guard isApus(image: image) else {
                throw ContainerConfigError(
                    "image \"\(image)\" cannot be pulled by the process runtime: set command to a program on this host,"
                        + " or use the runc runtime")
            }
            return [apusPath] + arguments.map { VariableExpansion.expand($0, environment) }
        }
        return (command + arguments).map { VariableExpansion.expand($0, environment) }
    }
}
