// SPDX-License-Identifier: Apache-2.0
package import KubeAPI

/// What the labels of a namespace ask of its pods.
///
/// Source: Kubernetes "Pod Security Admission", "Pod Security Standards".
package struct PodSecurityPolicy: Hashable, Sendable {
    /// How much is allowed, from everything to little.
    package enum Level: String, Comparable, Sendable, CaseIterable {
        case privileged
        case baseline
        case restricted

        private var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
        package static func < (left: Level, right: Level) -> Bool { left.order < right.order }
    }

    /// A level as of a version of Kubernetes.
    package struct Standard: Hashable, Sendable, CustomStringConvertible {
        package var level: Level
        /// The minor version of Kubernetes 1; nil is the latest.
        package var minor: Int?

        package init(_ level: Level, minor: Int? = nil) {
            self.level = level
            self.minor = minor
        }

        package var description: String { "\(level.rawValue):\(minor.map { "v1.\($0)" } ?? "latest")" }
    }

    /// What is done about a violation.
    package enum Mode: String, CaseIterable, Sendable {
        case enforce
        case audit
        case warn
    }

    package static let labelPrefix = "pod-security.kubernetes.io/"

    package var enforce = Standard(.privileged)
    package var audit = Standard(.privileged)
    package var warn = Standard(.privileged)

    package static let privileged = PodSecurityPolicy()

    /// Whether it asks for nothing.
    package var isPrivileged: Bool {
        enforce.level == .privileged && audit.level == .privileged && warn.level == .privileged
    }

    package init() {}

    /// Reads the labels of a namespace; what is wrong with them is added to `faults`. A level to enforce that cannot be
    /// read is taken as the strictest one, a version as the latest.
    package init(labels: [String: String], faults: inout [StatusCause]) {
        // Nearly all namespaces have no such label.
        var isLabelled = false
        for mode in Mode.allCases {
            if labels[Self.labelPrefix + mode.rawValue] != nil { isLabelled = true }
            if labels["\(Self.labelPrefix)\(mode.rawValue)-version"] != nil { isLabelled = true }
        }
        guard isLabelled else { return }
        enforce = Self.standard(.enforce, labels, &faults)
        audit = Self.standard(.audit, labels, &faults)
        warn = Self.standard(.warn, labels, &faults)
        // What is enforced is also warned of where the labels name no level to warn of: workloads' templates are never
        // refused, only their pods.
        let isEnforcing = labels[Self.labelPrefix + "enforce"].flatMap(Level.init(rawValue:)) != nil
        if labels[Self.labelPrefix + "warn"] == nil, isEnforcing, enforce.level > warn.level {
            warn.level = enforce.level
            if labels[Self.labelPrefix + "warn-version"] == nil { warn.minor = enforce.minor }
        }
    }

    private static func standard(
        _ mode: Mode, _ labels: [String: String], _ faults: inout [StatusCause]
    ) -> Standard {
        var standard = Standard(.privileged)
        let key = labelPrefix + mode.rawValue
        if let text = labels[key] {
            if let level = Level(rawValue: text) {
                standard.level = level
            } else {
                // A typing error must not open what was meant to be closed.
                if mode == .enforce { standard.level = .restricted }
                faults.append(
                    invalid(key, text, "must be one of \(Level.allCases.map(\.rawValue).joined(separator: ", "))"))
            }
        }
        if let text = labels["\(key)-version"], text != "latest" {
            if let minor = minor(text) {
                standard.minor = minor
            } else {
                faults.append(
                    invalid("\(key)-version", text, "must be \"latest\" or \"v1.x\""))
            }
        }
        return standard
    }

    private static func minor(_ text: String) -> Int? {
        guard text.hasPrefix("v1."), text.utf8.count <= 6 else { return nil }
        let digits = text.dropFirst(3)
        guard digits.utf8.allSatisfy({ (48...57).contains($0) }), digits.first != "0" || digits == "0" else {
            return nil
        }
        return Int(digits)
    }

    private static func invalid(_ key: String, _ value: String, _ why: String) -> StatusCause {
        StatusCause(
            reason: "FieldValueInvalid", field: "metadata.labels[\(key)]",
            message: "Invalid value: \"\(value.prefix(64))\": \(why)")
    }
}
