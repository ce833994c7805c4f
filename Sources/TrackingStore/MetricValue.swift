// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
import TrackingModel

/// Values of metrics in the table `metrics`, where what is not a number is a value, too: PostgreSQL's NaN, and a text
/// in SQLite, which has none. Both are greater than all numbers.
enum MetricValue {
    static func notANumber(_ dialect: SQLDialect) -> SQLValue { dialect == .sqlite ? "NaN" : .real(.nan) }

    static func sql(_ value: Double, _ dialect: SQLDialect) -> SQLValue {
        value.isNaN ? notANumber(dialect) : .real(Metric.kept(value))
    }

    static func read(_ value: SQLValue) -> Double {
        switch value {
        case .real(let value): value
        case .integer(let value): Double(value)
        default: .nan
        }
    }
}
