// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceEngine
import InferenceProtocol
import NIOCore
import NIOHTTP1

/// In which protocol a model is asked, and how its answer is written.
struct InferenceForm: Sendable {
    enum Kind: Sendable {
        case infer
        case predict
        /// SageMaker's: by the content's type.
        case invocation(Invocation)
    }

    let kind: Kind
    let model: String
    let version: String?
    /// `Inference-Header-Content-Length`.
    var headerLength: Int?
    /// What was wrong with a header.
    var fault: InferenceFault?

    /// Nil for routes that ask no model.
    init?(_ route: RESTRoute, _ call: RESTCall, _ catalog: any ModelCatalog) {
        var number: String?
        switch route {
        case .infer(let name, let version):
            kind = .infer
            model = name
            number = version
        case .predict(let name):
            kind = .predict
            model = name
        case .invocations, .endpoint:
            var endpoint: String?
            if case .endpoint(let name) = route { endpoint = name }
            let invocation = Invocation(call, isRuntime: endpoint != nil)
            kind = .invocation(invocation)
            if let name = invocation.target ?? endpoint {
                model = name
            } else {
                let names = Set(catalog.index(readyOnly: true).map(\.name))
                model = names.first ?? ""
                if names.count != 1 {
                    fault = InferenceFault(
                        names.isEmpty ? .notReady : .invalid,
                        "the server has \(names.count) models: name one in X-Amzn-SageMaker-Target-Model")
                }
            }
        default: return nil
        }
        version = number
        guard let text = call.header("inference-header-content-length") else { return }
        headerLength = Int(text)
        if headerLength == nil {
            fault = InferenceFault(
                .invalid, "Inference-Header-Content-Length has to be a number of bytes, got \"\(text.prefix(64))\"")
        }
    }

    func request(
        _ bytes: UnsafeRawBufferPointer, _ signature: ModelSignature, _ limits: RequestLimits
    ) throws(InferenceFault) -> InferenceRequest {
        switch kind {
        case .infer: return try infer(bytes, headerLength, signature, limits)
        case .predict:
            return try PredictJSON.request(bytes, model: model, signature: signature, limits: limits)
        case .invocation(let invocation):
            switch invocation.content {
            case .csv: return try CSVRows.request(bytes, model: model, signature: signature, limits: limits)
            case .triton(let length): return try infer(bytes, length, signature, limits)
            case .json:
                guard headerLength != nil || InferJSON.isRequest(bytes, limits: limits) else {
                    return try PredictJSON.request(bytes, model: model, signature: signature, limits: limits)
                }
                return try infer(bytes, headerLength, signature, limits)
            }
        }
    }

    private func infer(
        _ bytes: UnsafeRawBufferPointer, _ length: Int?, _ signature: ModelSignature, _ limits: RequestLimits
    ) throws(InferenceFault) -> InferenceRequest {
        try InferJSON.request(
            bytes, headerLength: length, model: model, version: version, signature: signature, limits: limits)
    }

    func answer(
        _ response: InferenceResponse, for request: InferenceRequest, _ signature: ModelSignature,
        _ allocator: ByteBufferAllocator
    ) throws(InferenceFault) -> RESTAnswer {
        var answer = RESTAnswer(body: RESTAnswer.buffer(allocator, capacity: 1536))
        if case .invocation(let invocation) = kind, invocation.wantsCSV {
            try CSVRows.write(response, into: &answer.body)
            answer.contentType = "text/csv"
        } else if case .predictions = request.form {
            try PredictJSON.write(response, for: request, into: &answer.body)
        } else {
            answer.headerLength = try InferJSON.write(
                response, for: request, hasRows: signature.maximumBatch > 0, into: &answer.body)
            if answer.headerLength != nil { answer.contentType = "application/octet-stream" }
        }
        if case .invocation(let invocation) = kind { invocation.complete(&answer) }
        return answer
    }

    /// An answer without outputs, in the protocol's form.
    func answer(_ fault: InferenceFault) -> RESTAnswer {
        if case .invocation(let invocation) = kind, invocation.isRuntime { return Invocation.answer(fault) }
        return RESTAnswer(fault)
    }
}
