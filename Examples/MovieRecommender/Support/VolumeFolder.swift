// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials

/// Finds a volume that a manifest mounts.
enum VolumeFolder {
    /// The folder of the volume mounted at `path`. Where pods are host processes nothing can be mounted, and the node
    /// agent gives the volume's folder in `APUS_VOLUME_<NAME>`; the manifests mount volume NAME at `/…/NAME`.
    static func resolve(_ path: String) -> String {
        let name = path.split(separator: "/").last ?? ""
        let variable = "APUS_VOLUME_" + name.uppercased().replacing("-", with: "_")
        return ProcessInfo.processInfo.environment[variable] ?? path
    }
}
