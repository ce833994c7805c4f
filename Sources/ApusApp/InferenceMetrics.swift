// SPDX-License-Identifier: Apache-2.0
import InferenceEngine
import InferenceProtocol
import InferenceServer
import PayloadSinks
import ServiceHTTP

/// A model server's metrics in Prometheus' text format: Triton's names where it has one, so that its dashboards and
/// scalers work.
enum InferenceMetrics {
    static func text(
        _ repository: ModelRepository, rest: RESTMetrics, payloads: PayloadLogger.Counts?
    ) -> String {
        let models = repository.answering.map {
            (labels: [("model", $0.name), ("version", $0.version)], $0.statistics)
        }
        var text = MetricsText()
        func counter(
            _ name: String, _ help: String, _ value: (ModelStatistics) -> UInt64
        ) {
            text.family(name, .counter, help)
            for (labels, statistics) in models { text.sample(name, labels, value(statistics)) }
        }
        counter("nv_inference_request_success", "Requests that were answered.") { $0.success.count }
        counter("nv_inference_request_failure", "Requests that had no answer.") { $0.fail.count }
        counter("nv_inference_count", "Rows that were answered, without those from the cache.") { $0.inferences }
        counter("nv_inference_exec_count", "Runs of the model, of one request or several.") { $0.executions }
        counter("nv_inference_request_duration_us", "Microseconds of requests, waiting included.") {
            ($0.success.nanoseconds &+ $0.fail.nanoseconds) / 1000
        }
        counter("nv_inference_queue_duration_us", "Microseconds that requests waited.") { $0.queue.nanoseconds / 1000 }
        counter("nv_inference_compute_input_duration_us", "Microseconds of putting inputs together.") {
            $0.computeInput.nanoseconds / 1000
        }
        counter("nv_inference_compute_infer_duration_us", "Microseconds that models ran.") {
            $0.computeInference.nanoseconds / 1000
        }
        counter("nv_inference_compute_output_duration_us", "Microseconds of taking outputs apart.") {
            $0.computeOutput.nanoseconds / 1000
        }
        counter("nv_cache_num_hits_per_model", "Requests that were answered from the cache.") { $0.cacheHit.count }
        counter("nv_cache_num_misses_per_model", "Requests that the cache did not know.") { $0.cacheMiss.count }
        text.family("nv_inference_pending_request_count", .gauge, "Requests that wait or run now.")
        for model in repository.answering {
            guard let served = model as? ServedModel else { continue }
            text.sample(
                "nv_inference_pending_request_count", [("model", served.name), ("version", served.version)],
                served.pending)
        }
        text.family("apus_inference_model_memory_bytes", .gauge, "Bytes that a model takes, as well as that is known.")
        for model in repository.answering {
            guard let served = model as? ServedModel else { continue }
            text.sample(
                "apus_inference_model_memory_bytes", [("model", served.name), ("version", served.version)],
                served.memory)
        }
        text.family("apus_inference_models_memory_bytes", .gauge, "Bytes that all models take.")
        text.sample("apus_inference_models_memory_bytes", [], repository.memory.used)
        if repository.memory.limit != Int.max {
            text.family("apus_inference_models_memory_limit_bytes", .gauge, "Bytes that all models may take.")
            text.sample("apus_inference_models_memory_limit_bytes", [], repository.memory.limit)
        }
        if let cache = repository.cacheUse {
            text.family("nv_cache_num_entries", .gauge, "Answers that are kept.")
            text.sample("nv_cache_num_entries", [], cache.count)
            text.family("apus_inference_cache_bytes", .gauge, "Bytes of answers that are kept.")
            text.sample("apus_inference_cache_bytes", [], cache.bytes)
        }
        if let payloads {
            text.family(
                "apus_inference_payloads_total", .counter, "Requests and answers that were to be sent as CloudEvents.")
            for (result, count) in [
                ("sent", payloads.sent), ("failed", payloads.failed), ("dropped", payloads.dropped),
            ] {
                text.sample("apus_inference_payloads_total", [("result", result)], count)
            }
        }
        rest.write(to: &text)
        return text.text
    }
}
