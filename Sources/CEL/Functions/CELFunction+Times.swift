// SPDX-License-Identifier: Apache-2.0

/// Parts of moments and durations.
extension CELFunction {
    static let times: [CELFunction] = [
        part("getFullYear") { $0.year }, part("getMonth") { $0.month - 1 }, part("getDate") { $0.day },
        part("getDayOfMonth") { $0.day - 1 }, part("getDayOfWeek") { $0.dayOfWeek },
        part("getDayOfYear") { $0.dayOfYear },
        part("getHours", of: 3_600_000_000_000) { $0.hour }, part("getMinutes", of: 60_000_000_000) { $0.minute },
        part("getSeconds", of: 1_000_000_000) { $0.second },
        CELFunction("getMilliseconds", [".timestamp -> int", ".timestamp, string -> int", ".duration -> int"]) {
            arguments, _ throws(CELError) in
            switch arguments[0] {
            case .timestamp(let moment): .int(moment.nanoseconds / 1_000_000)
            case .duration(let span): .int(span.nanoseconds / 1_000_000)
            default: throw .noSuchOverload
            }
        },
    ]

    /// - Parameters:
    ///   - name: of the function.
    ///   - unit: nanoseconds of the unit in which it counts a duration; nil where durations have no such part.
    ///   - read: reads the part of a moment.
    /// - Returns: the function.
    private static func part(
        _ name: String, of unit: Int64? = nil, _ read: @escaping @Sendable (CELCalendar) -> Int64
    ) -> CELFunction {
        let signatures = [".timestamp -> int", ".timestamp, string -> int"] + (unit == nil ? [] : [".duration -> int"])
        return CELFunction(name, signatures) { arguments, _ throws(CELError) in
            if case .duration(let span) = arguments[0], let unit { return .int(span.nanoseconds / unit) }
            guard case .timestamp(let moment) = arguments[0] else { throw .noSuchOverload }
            var offset: Int64 = 0
            if arguments.count > 1 {
                guard case .string(let zone) = arguments[1] else { throw .noSuchOverload }
                offset = try CELTimeZone.offset(zone, at: moment.seconds)
            }
            return .int(read(CELCalendar(seconds: moment.seconds + offset)))
        }
    }
}
