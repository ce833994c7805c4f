// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceEngine
import InferenceProtocol
import NIOCore

/// In which protocol a model is asked, and how its answer is written.
struct InferenceForm: Sendable {
    enum Kind: Sendable {
        case infer
        case predict
    }

    let kind: Kind
    let model: String
    let version: String?
    /// `Inference-Header-Content-Length`.
    var headerLength: Int?
    /// What was wrong with a header.
    var fault: InferenceFault?

    /// Nil for routes that ask no model.
    init?(_ route: RESTRoute, _ call: RESTCall) {
        switch route {
        case .infer(let name, let number):
            kind = .infer
            model = name
            version = number
        case .predict(let name):
            kind = .predict
            model = name
            version = nil
        default: return nil
        }
        guard kind == .infer, let text = call.header("inference-header-content-length") else { return }
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
        case .infer:
            return try InferJSON.request(
                bytes, headerLength: headerLength, model: model, version: version, signature: signature, limits: limits)
        case .predict:
            return try PredictJSON.request(bytes, model: model, signature: signature, limits: limits)
        }
    }

    func answer(
        _ response: InferenceResponse, for request: InferenceRequest, _ signature: ModelSignature,
        _ allocator: ByteBufferAllocator
    ) throws(InferenceFault) -> RESTAnswer {
        var answer = RESTAnswer(body: RESTAnswer.buffer(allocator, capacity: 1536))
        switch kind {
        case .infer:
            answer.headerLength = try InferJSON.write(
                response, for: request, hasRows: signature.maximumBatch > 0, into: &answer.body)
            if answer.headerLength != nil { answer.contentType = "application/octet-stream" }
        case .predict:
            try PredictJSON.write(response, for: request, into: &answer.body)
        }
        return answer
    }
}
