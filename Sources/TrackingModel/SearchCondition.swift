// SPDX-License-Identifier: Apache-2.0

/// What a search finds.
package enum SearchKind: String, Sendable, Hashable, CaseIterable {
    case runs, experiments, registeredModels, modelVersions, loggedModels, traces
}

/// What a condition or an order looks at.
package enum SearchEntity: String, Sendable, Hashable {
    /// A column of the found thing itself.
    case attribute
    case metric
    case param = "parameter"
    case tag
    /// A dataset that a run was given.
    case dataset
    /// Of traces.
    case metadata = "request_metadata"
    case span, feedback, expectation, issue
}

/// How a condition compares. LIKE heeds case, ILIKE does not; RLIKE is a regular expression.
package enum SearchComparator: String, Sendable, Hashable {
    case equal = "="
    case notEqual = "!="
    case less = "<"
    case atMost = "<="
    case greater = ">"
    case atLeast = ">="
    case like = "LIKE"
    case ilike = "ILIKE"
    case rlike = "RLIKE"
    case `in` = "IN"
    case notIn = "NOT IN"
    case isNull = "IS NULL"
    case isNotNull = "IS NOT NULL"
}

package enum SearchValue: Sendable, Hashable {
    /// Of IS NULL and IS NOT NULL.
    case none
    case integer(Int64)
    case real(Double)
    case text(String)
    /// Of IN and NOT IN; never empty.
    case texts([String])
    case integers([Int64])

    /// How many values there are.
    var count: Int {
        switch self {
        case .none: 0
        case .integer, .real, .text: 1
        case .texts(let texts): texts.count
        case .integers(let numbers): numbers.count
        }
    }
}

/// One condition of a filter. All of a filter's have to hold.
///
/// Keys are in their one spelling: runs' `created` is `start_time`, a trace's `timestamp` is `timestamp_ms`, its `name`
/// the tag `mlflow.traceName`, its `run_id` the metadata `mlflow.sourceRun`, its `prompt` the tag
/// `mlflow.linkedPrompts`, its `text` the span's `content`; a logged model's `creation_time` is
/// `creation_timestamp_ms`.
package struct SearchCondition: Sendable, Hashable {
    package let entity: SearchEntity
    package let key: String
    package let comparator: SearchComparator
    package let value: SearchValue

    package init(_ entity: SearchEntity, _ key: String, _ comparator: SearchComparator, _ value: SearchValue) {
        self.entity = entity
        self.key = key
        self.comparator = comparator
        self.value = value
    }
}
