// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension S3Documents {
    /// When objects of a bucket go by themselves (user guide, "Managing the lifecycle of objects").
    package struct LifecycleConfiguration: Sendable, Hashable {
        /// When a current version goes.
        package enum Expiration: Sendable, Hashable {
            /// Days from when it was made.
            case days(Int64)
            /// From a midnight on: milliseconds since 1970.
            case date(Int64)
            /// A delete marker that no version is left behind.
            case deleteMarker
        }

        package struct Rule: Sendable, Hashable {
            package var id: String
            package var isEnabled: Bool
            package var prefix: String
            package var tags: [Tag]
            /// Bytes; objects that are larger.
            package var largerThan: Int64?
            /// Bytes; objects that are smaller.
            package var smallerThan: Int64?
            package var expiration: Expiration?
            /// Days from when a version became noncurrent.
            package var noncurrentDays: Int64?
            /// Noncurrent versions that stay whatever their age.
            package var noncurrentKept: Int64?
            /// Days from when an upload began.
            package var abortUploadsAfter: Int64?
            /// The filter was the element Prefix outside of a Filter.
            package var isOldForm = false

            /// Whether the rule is about an object.
            package func matches(key: String, size: Int64, tags objectTags: [Tag]) -> Bool {
                isEnabled && key.utf8.starts(with: prefix.utf8) && tags.allSatisfy(objectTags.contains)
                    && (largerThan.map { size > $0 } ?? true) && (smallerThan.map { size < $0 } ?? true)
            }

            /// When an object that was made then goes: milliseconds since 1970; nil for never.
            package func expiry(made: Int64) -> Int64? {
                switch expiration {
                case .days(let days): LifecycleConfiguration.midnight(after: made, days: days)
                case .date(let date): date
                case .deleteMarker, nil: nil
                }
            }

            /// When a version that became noncurrent then goes.
            package func noncurrentExpiry(since: Int64) -> Int64? {
                noncurrentDays.map { LifecycleConfiguration.midnight(after: since, days: $0) }
            }
        }

        /// Rules of a bucket, at most.
        package static let maximumRules = 1000
        private static let dayMilliseconds: Int64 = 86_400_000

        package var rules: [Rule]

        /// The midnight (UTC) that follows the moment that many days later: S3 rounds up.
        package static func midnight(after moment: Int64, days: Int64) -> Int64 {
            let due = moment + days * dayMilliseconds
            return (CivilDate.floor(due - 1, dayMilliseconds) + 1) * dayMilliseconds
        }

        /// The rule that ends an object first, and when; for `x-amz-expiration`.
        package func expiry(
            key: String, size: Int64, tags: [Tag], made: Int64
        ) -> (time: Int64, ruleID: String)? {
            var first: (time: Int64, ruleID: String)?
            for rule in rules where rule.matches(key: key, size: size, tags: tags) {
                guard let time = rule.expiry(made: made) else { continue }
                if let known = first, known.time <= time { continue }
                first = (time, rule.id)
            }
            return first
        }

        package init(xml: [UInt8]) throws(S3Error) {
            let root = try S3Documents.root(
                xml, "LifecycleConfiguration", limits: .init(bytes: 1 << 20, elements: 20_000))
            try root.allow(["Rule"])
            guard !root.children.isEmpty, root.children.count <= Self.maximumRules else {
                throw .malformedXML("a configuration has 1 to \(Self.maximumRules) rules, not \(root.children.count)")
            }
            rules = []
            var names: Set<String> = []
            for (index, element) in root.children.enumerated() {
                let rule = try Self.rule(element, index: index)
                guard names.insert(rule.id).inserted else {
                    throw S3Error(
                        .invalidArgument, "Rule ID must be unique. Found same ID for more than one rule: \(rule.id)")
                }
                rules.append(rule)
            }
        }

        private static func rule(_ element: XMLElement, index: Int) throws(S3Error) -> Rule {
            for name in ["Transition", "NoncurrentVersionTransition"] where element.child(name) != nil {
                throw S3Error(
                    .notImplemented,
                    "A header you provided implies functionality that is not implemented: \(name); there is one "
                        + "storage class.")
            }
            try element.allow([
                "ID", "Status", "Prefix", "Filter", "Expiration", "NoncurrentVersionExpiration",
                "AbortIncompleteMultipartUpload",
            ])
            var rule = Rule(
                id: element["ID"].flatMap { $0.isEmpty ? nil : $0 } ?? "rule-\(index + 1)", isEnabled: false,
                prefix: "",
                tags: [])
            guard rule.id.utf8.count <= 255 else {
                throw S3Error(.invalidArgument, "ID length should not exceed allowed limit of 255")
            }
            switch try element.required("Status") {
            case "Enabled": rule.isEnabled = true
            case "Disabled": rule.isEnabled = false
            default: throw .malformedXML("<Status> is neither Enabled nor Disabled")
            }
            if let filter = element.child("Filter") {
                guard element.child("Prefix") == nil else {
                    throw .malformedXML("a rule has one of <Filter> and <Prefix>")
                }
                try read(filter, into: &rule)
            } else if let prefix = element["Prefix"] {
                rule.prefix = prefix
                rule.isOldForm = true
            } else {
                throw .malformedXML("a rule has a <Filter>")
            }
            if let expiration = element.child("Expiration") { rule.expiration = try Self.expiration(expiration) }
            if let noncurrent = element.child("NoncurrentVersionExpiration") {
                try noncurrent.allow(["NoncurrentDays", "NewerNoncurrentVersions"])
                rule.noncurrentDays = try noncurrent.integer("NoncurrentDays", 1...Int64(Int32.max))
                rule.noncurrentKept = try noncurrent.integer("NewerNoncurrentVersions", 1...100)
                guard rule.noncurrentDays != nil else {
                    throw .malformedXML("<NoncurrentVersionExpiration> has no <NoncurrentDays>")
                }
            }
            if let abort = element.child("AbortIncompleteMultipartUpload") {
                rule.abortUploadsAfter = try abort.integer("DaysAfterInitiation", 1...Int64(Int32.max))
                guard rule.abortUploadsAfter != nil else {
                    throw .malformedXML("<AbortIncompleteMultipartUpload> has no <DaysAfterInitiation>")
                }
                guard rule.tags.isEmpty else {
                    throw S3Error(.invalidRequest, "AbortIncompleteMultipartUpload cannot be specified with Tags.")
                }
            }
            guard rule.expiration != nil || rule.noncurrentDays != nil || rule.abortUploadsAfter != nil else {
                throw S3Error(.invalidRequest, "At least one action needs to be specified in a rule.")
            }
            return rule
        }

        private static func read(_ filter: XMLElement, into rule: inout Rule) throws(S3Error) {
            try filter.allow(["Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan", "And"])
            guard filter.children.count <= 1 else {
                throw .malformedXML("<Filter> has one element; several go into <And>")
            }
            let source = filter.child("And") ?? filter
            try source.allow(["Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"])
            rule.prefix = source["Prefix"] ?? ""
            for tag in source.children("Tag") {
                rule.tags.append(Tag(key: try tag.required("Key"), value: try tag.required("Value")))
            }
            rule.largerThan = try source.integer("ObjectSizeGreaterThan", 0...Int64.max)
            rule.smallerThan = try source.integer("ObjectSizeLessThan", 1...Int64.max)
        }

        private static func expiration(_ element: XMLElement) throws(S3Error) -> Expiration {
            try element.allow(["Days", "Date", "ExpiredObjectDeleteMarker"])
            guard element.children.count == 1 else {
                throw .malformedXML("<Expiration> has one of <Days>, <Date> and <ExpiredObjectDeleteMarker>")
            }
            if let days = element["Days"] {
                guard let days = Int64(days), (1...Int64(Int32.max)).contains(days) else {
                    throw S3Error(.invalidArgument, "'Days' for Expiration action must be a positive integer")
                }
                return .days(days)
            }
            if let text = element["Date"] {
                guard let date = S3Time.parse(iso: text), date % dayMilliseconds == 0 else {
                    throw S3Error(.invalidArgument, "'Date' must be at midnight GMT")
                }
                return .date(date)
            }
            guard try element.flag("ExpiredObjectDeleteMarker") == true else {
                throw .malformedXML("<ExpiredObjectDeleteMarker> is not true")
            }
            return .deleteMarker
        }

        package func xml() -> [UInt8] {
            var writer = XMLWriter()
            writer.element("LifecycleConfiguration", namespace: XMLWriter.namespace) { writer in
                for rule in rules { writer.element("Rule") { Self.write(rule, &$0) } }
            }
            return writer.bytes
        }

        private static func write(_ rule: Rule, _ writer: inout XMLWriter) {
            writer.text("ID", rule.id)
            writer.text("Status", rule.isEnabled ? "Enabled" : "Disabled")
            let conditions =
                rule.tags.count + (rule.largerThan == nil ? 0 : 1) + (rule.smallerThan == nil ? 0 : 1)
                + (rule.prefix.isEmpty ? 0 : 1)
            func writeConditions(_ writer: inout XMLWriter) {
                if !rule.prefix.isEmpty || conditions == 0 { writer.text("Prefix", rule.prefix) }
                for tag in rule.tags {
                    writer.element("Tag") { writer in
                        writer.text("Key", tag.key)
                        writer.text("Value", tag.value)
                    }
                }
                if let size = rule.largerThan { writer.number("ObjectSizeGreaterThan", size) }
                if let size = rule.smallerThan { writer.number("ObjectSizeLessThan", size) }
            }
            if rule.isOldForm {
                writer.text("Prefix", rule.prefix)
            } else {
                writer.element("Filter") { writer in
                    if conditions > 1 { writer.element("And", writeConditions) } else { writeConditions(&writer) }
                }
            }
            if let expiration = rule.expiration {
                writer.element("Expiration") { writer in
                    switch expiration {
                    case .days(let days): writer.number("Days", days)
                    case .date(let date): writer.time("Date", date)
                    case .deleteMarker: writer.flag("ExpiredObjectDeleteMarker", true)
                    }
                }
            }
            if let days = rule.noncurrentDays {
                writer.element("NoncurrentVersionExpiration") { writer in
                    writer.number("NoncurrentDays", days)
                    if let kept = rule.noncurrentKept { writer.number("NewerNoncurrentVersions", kept) }
                }
            }
            if let days = rule.abortUploadsAfter {
                writer.element("AbortIncompleteMultipartUpload") { $0.number("DaysAfterInitiation", days) }
            }
        }
    }
}
