// SPDX-License-Identifier: Apache-2.0
// The package that finds SQLite for all modules; its own classes are not used here.
import GRDB
import GRDBSQLite
import LinearRegex

/// The function behind SQLite's `text REGEXP pattern`, which SQLite leaves to programs: expressions of RE2, which take
/// time linear in the text. What is no expression, no text or null matches nothing.
enum SQLiteRegexp {
    /// An expression that SQLite keeps for the rows of one statement.
    private final class Kept {
        let expression: LinearRegex

        init(_ expression: LinearRegex) { self.expression = expression }
    }

    /// Gives the function to a connection.
    static func add(to database: OpaquePointer) {
        // SQLite's REGEXP calls regexp(pattern, text).
        sqlite3_create_function_v2(
            database, "regexp", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nil,
            { context, _, values in
                guard let context, let values, let text = SQLiteRegexp.text(values[1]) else { return }
                guard let expression = SQLiteRegexp.expression(context, values[0]) else { return }
                sqlite3_result_int(context, expression.matches(text) ? 1 : 0)
            }, nil, nil, nil)
    }

    private static func expression(_ context: OpaquePointer, _ pattern: OpaquePointer?) -> LinearRegex? {
        if let kept = sqlite3_get_auxdata(context, 0) {
            return Unmanaged<Kept>.fromOpaque(kept).takeUnretainedValue().expression
        }
        guard let pattern = text(pattern), let expression = try? LinearRegex(pattern) else { return nil }
        // SQLite may let go of it at once, so it is not asked for again here.
        sqlite3_set_auxdata(context, 0, Unmanaged.passRetained(Kept(expression)).toOpaque()) { kept in
            if let kept { Unmanaged<Kept>.fromOpaque(kept).release() }
        }
        return expression
    }

    private static func text(_ value: OpaquePointer?) -> String? {
        guard let bytes = sqlite3_value_text(value) else { return nil }
        let count = Int(sqlite3_value_bytes(value))
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
}
