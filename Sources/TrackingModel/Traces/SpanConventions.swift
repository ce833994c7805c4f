// SPDX-License-Identifier: Apache-2.0

/// Attributes that other producers write by their own conventions, as MLflow names them: the type of a span, inputs and
/// outputs, tokens, the model. What a span says in MLflow's names already stays.
///
/// Sources: OpenTelemetry's semantic conventions for generative AI, OpenInference, Traceloop (OpenLLMetry).
package struct SpanConventions: Sendable {
    private let kind: String
    private let kinds: [String: String]
    private let inputTokens: String
    private let outputTokens: String
    private var totalTokens: String?
    private var cacheRead: String?
    private var cacheWrite: [String] = []
    private let inputs: [String]
    private let outputs: [String]
    private var models: [String] = []
    private let provider: String
    private var tools: [String] = []

    private static let all = [
        SpanConventions(
            kind: "openinference.span.kind",
            kinds: [
                "TOOL": "TOOL", "CHAIN": "CHAIN", "LLM": "LLM", "RETRIEVER": "RETRIEVER", "EMBEDDING": "EMBEDDING",
                "AGENT": "AGENT", "RERANKER": "RERANKER", "UNKNOWN": "UNKNOWN", "GUARDRAIL": "GUARDRAIL",
                "EVALUATOR": "EVALUATOR",
            ], inputTokens: "llm.token_count.prompt", outputTokens: "llm.token_count.completion",
            totalTokens: "llm.token_count.total", cacheRead: "llm.token_count.prompt_details.cache_read",
            cacheWrite: ["llm.token_count.prompt_details.cache_write"], inputs: ["input.value"],
            outputs: ["output.value"],
            models: [
                "llm.response.model_name", "llm.model_name", "llm.request.model_name", "embedding.model_name",
            ], provider: "llm.provider"),
        SpanConventions(
            kind: "gen_ai.operation.name",
            kinds: [
                "chat": "CHAT_MODEL", "create_agent": "AGENT", "embeddings": "EMBEDDING", "execute_tool": "TOOL",
                "generate_content": "LLM", "invoke_agent": "AGENT", "text_completion": "LLM", "response": "LLM",
            ], inputTokens: "gen_ai.usage.input_tokens", outputTokens: "gen_ai.usage.output_tokens",
            cacheRead: "gen_ai.usage.cache_read.input_tokens",
            cacheWrite: ["gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens"],
            inputs: ["gen_ai.input.messages", "gen_ai.tool.call.arguments"],
            outputs: ["gen_ai.output.messages", "gen_ai.tool.call.result"],
            models: ["gen_ai.response.model", "gen_ai.request.model"], provider: "gen_ai.provider.name",
            tools: ["gen_ai.tool.definitions"]),
        SpanConventions(
            kind: "traceloop.span.kind",
            kinds: ["workflow": "WORKFLOW", "task": "TASK", "agent": "AGENT", "tool": "TOOL", "unknown": "UNKNOWN"],
            inputTokens: "gen_ai.usage.prompt_tokens", outputTokens: "gen_ai.usage.completion_tokens",
            totalTokens: "llm.usage.total_tokens", inputs: ["traceloop.entity.input", "gen_ai.prompt.0.content"],
            outputs: ["traceloop.entity.output", "gen_ai.completion.0.content"], provider: "gen_ai.system"),
    ]

    /// Adds MLflow's names to attributes whose values are JSON texts.
    package static func translate(_ attributes: inout [(key: String, text: String)]) {
        let texts = Dictionary(attributes.map { ($0.key, $0.text) }) { $1 }
        func value(_ key: String) -> AttributeValue? { texts[key].flatMap { AttributeValue(text: $0) } }
        func first(_ keys: (SpanConventions) -> [String]) -> String? {
            for convention in all {
                for key in keys(convention) {
                    if let found = value(key), !found.isFalse { return texts[key] }
                }
            }
            return nil
        }
        func add(_ key: String, _ text: String?) {
            if let text, texts[key] == nil { attributes.append((key, text)) }
        }
        let type = all.lazy.compactMap { convention in
            value(convention.kind)?.string.flatMap { convention.kinds[$0] }
        }.first
        if let type {
            let text = AttributeText.of(type)
            if let place = attributes.firstIndex(where: { $0.key == "mlflow.spanType" }) {
                if [nil, "UNKNOWN"].contains(AttributeValue(text: attributes[place].text)?.string) {
                    attributes[place].text = text
                }
            } else {
                attributes.append(("mlflow.spanType", text))
            }
        }
        add("mlflow.spanInputs", first(\.inputs))
        add("mlflow.spanOutputs", first(\.outputs))
        add("mlflow.chat.tokenUsage", usage(value).map { AttributeText.of(.map($0)) })
        add("mlflow.chat.tools", first(\.tools))
        let model = first(\.models) ?? model(in: attributes)
        add("mlflow.llm.model", model)
        add("mlflow.llm.provider", first { [$0.provider] })
    }

    private static func usage(_ value: (String) -> AttributeValue?) -> [Attribute]? {
        func count(_ key: String?) -> Int64? {
            switch key.flatMap(value) {
            case .int(let count)?: count
            case .string(let text)?: Int64(text)
            default: nil
            }
        }
        for convention in all {
            let input = count(convention.inputTokens)
            let output = count(convention.outputTokens)
            var total = count(convention.totalTokens)
            if total == nil, let input, let output { total = input.addingReportingOverflow(output).partialValue }
            if input == nil, output == nil, total == nil { continue }
            let found = [
                ("input_tokens", input), ("output_tokens", output), ("total_tokens", total),
                ("cache_read_input_tokens", count(convention.cacheRead)),
                ("cache_creation_input_tokens", convention.cacheWrite.compactMap { count($0) }.first),
            ]
            return found.compactMap { key, count in count.map { Attribute(key, .int($0)) } }
        }
        return nil
    }

    /// A model that the inputs or outputs name.
    private static func model(in attributes: [(key: String, text: String)]) -> String? {
        for key in ["mlflow.spanInputs", "mlflow.spanOutputs"] {
            guard let text = attributes.first(where: { $0.key == key })?.text,
                let model = AttributeValue(text: text)?["model"], let name = model.string, !name.isEmpty
            else { continue }
            return AttributeText.of(name)
        }
        return nil
    }
}
