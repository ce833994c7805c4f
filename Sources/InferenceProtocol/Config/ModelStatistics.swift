// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// How often something was, and how long it took in all.
package struct CountedTime: Sendable, Hashable {
    package var count: UInt64 = 0
    package var nanoseconds: UInt64 = 0

    package init() {}

    package mutating func add(_ duration: Int, count: Int = 1) {
        self.count &+= UInt64(max(count, 0))
        nanoseconds &+= UInt64(max(duration, 0))
    }

    package var json: JSONValue {
        ["count": .int(Int64(clamping: count)), "ns": .int(Int64(clamping: nanoseconds))]
    }
}

/// Where the time of one request went, in nanoseconds.
package struct RequestTiming: Sendable {
    package var queue = 0
    package var input = 0
    package var inference = 0
    package var output = 0
    package var isCached = false

    package init() {}

    package var total: Int { queue + input + inference + output }
}

/// What a version of a model did, as Triton's statistics extension counts it.
package struct ModelStatistics: Sendable {
    /// One run of so many rows.
    package struct Batch: Sendable, Hashable {
        package var input = CountedTime()
        package var inference = CountedTime()
        package var output = CountedTime()

        package init() {}
    }

    /// Milliseconds since 1970; 0: never.
    package var lastInference: UInt64 = 0
    /// Rows.
    package var inferences: UInt64 = 0
    /// Runs of the model.
    package var executions: UInt64 = 0
    package var success = CountedTime()
    package var fail = CountedTime()
    package var queue = CountedTime()
    package var computeInput = CountedTime()
    package var computeInference = CountedTime()
    package var computeOutput = CountedTime()
    package var cacheHit = CountedTime()
    package var cacheMiss = CountedTime()
    /// By rows of a run.
    package var batches: [Int: Batch] = [:]

    package init() {}

    /// Counts one request.
    /// - Parameters:
    ///   - timing: where its time went.
    ///   - rows: of the request.
    ///   - isFailure: whether it had no answer.
    ///   - now: milliseconds since 1970.
    package mutating func add(_ timing: RequestTiming, rows: Int, isFailure: Bool, now: UInt64) {
        guard !isFailure else { return fail.add(timing.total) }
        success.add(timing.total)
        lastInference = now
        guard !timing.isCached else { return cacheHit.add(timing.total) }
        inferences &+= UInt64(max(rows, 0))
        queue.add(timing.queue)
        computeInput.add(timing.input)
        computeInference.add(timing.inference)
        computeOutput.add(timing.output)
    }

    /// Counts one run of the model, of one request or several.
    package mutating func addRun(_ timing: RequestTiming, rows: Int) {
        executions &+= 1
        batches[rows, default: Batch()].input.add(timing.input)
        batches[rows, default: Batch()].inference.add(timing.inference)
        batches[rows, default: Batch()].output.add(timing.output)
    }

    /// One element of `model_stats`.
    package func json(name: String, version: String) -> JSONValue {
        let stats: JSONValue = [
            "success": success.json, "fail": fail.json, "queue": queue.json, "compute_input": computeInput.json,
            "compute_infer": computeInference.json, "compute_output": computeOutput.json,
            "cache_hit": cacheHit.json, "cache_miss": cacheMiss.json,
        ]
        let runs = batches.sorted { $0.key < $1.key }.map { rows, batch -> JSONValue in
            [
                "batch_size": JSONValue(rows), "compute_input": batch.input.json,
                "compute_infer": batch.inference.json, "compute_output": batch.output.json,
            ]
        }
        return [
            "name": .string(name), "version": .string(version),
            "last_inference": .int(Int64(clamping: lastInference)),
            "inference_count": .int(Int64(clamping: inferences)),
            "execution_count": .int(Int64(clamping: executions)), "inference_stats": stats,
            "response_stats": .object([:]),
            "batch_stats": .array(runs), "memory_usage": .array([]),
        ]
    }
}
