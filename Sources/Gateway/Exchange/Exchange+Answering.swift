// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import NIOCore

/// Back to the client.
extension Exchange {
    func answer(_ head: consuming ResponseHead, isLast: Bool) {
        guard case .sending(let side) = phase else { return }
        if head.status == 101 { return upgrade(head, side) }
        if head.status >= 500 || !(rule?.rule.retry?.codes.isEmpty ?? true) {
            let number = attempt
            if rule?.rule.retry?.codes.contains(head.status) ?? false, tryAgain(.status(head.status)) {
                if !isLast { side.cancel() }
                return
            }
            guard number == attempt else { return }
        }
        attemptTimer?.cancel()
        answerBegan = true
        status = head.status
        head.fields.removeHopByHop()
        change(&head)
        if isGRPC, isLast { noteGRPC(head.fields) }
        client.respond(head, isLast: isLast)
        if isLast { done() }
        if !isLast, !client.isWritable { side.setReading(false) }
    }

    private func change(_ head: inout ResponseHead) {
        guard let rule, let backend else { return }
        if let cors = rule.cors { share(&head, cors) }
        for filter in rule.rule.filters { change(&head, filter) }
        for filter in backend.filters { change(&head, filter) }
        if let newCookie, case .cookie(let name, let lifetime) = rule.rule.sticky {
            let age = lifetime.map { "; Max-Age=\($0.components.seconds)" } ?? ""
            head.fields.add("set-cookie", "\(name)=\(newCookie); Path=/; HttpOnly\(age)")
        }
    }

    private func change(_ head: inout ResponseHead, _ filter: RouteFilter) {
        guard case .responseHeaders(let set, let add, let remove) = filter else { return }
        for (name, value) in set { head.fields.set(name, value) }
        for (name, value) in add { head.fields.add(name, value) }
        for name in remove { head.fields.remove(name) }
    }

    private func upgrade(_ head: ResponseHead, _ side: any UpstreamSide) {
        let protocolName = head.fields.first(.upgrade) ?? self.head.upgrade ?? ""
        answerBegan = true
        status = 101
        requestTimer?.cancel()
        attemptTimer?.cancel()
        phase = .tunnel(side)
        var head = head
        head.fields.removeHopByHop()
        head.body = .none
        change(&head)
        client.respondUpgrade(head, to: protocolName)
    }

    func answer(_ body: ByteBuffer) {
        client.respond(body)
        switch phase {
        case .sending(let side), .tunnel(let side):
            if !client.isWritable { side.setReading(false) }
        case .routing, .held, .connecting, .over: break
        }
    }

    func answerEnd(_ trailers: HeaderFields?) {
        if isGRPC { noteGRPC(trailers ?? HeaderFields()) }
        client.respondEnd(trailers)
        done()
    }

    private func noteGRPC(_ fields: HeaderFields) {
        switch fields.first("grpc-status") {
        case "2", "4", "13", "14", "15", nil: grpcFailed = true
        default: grpcFailed = false
        }
    }

    private func done() {
        let isFailure = grpcFailed ?? (status >= 500)
        finish(isFailure ? .failure : .success, isFailure: isFailure)
    }

    /// An answer of the gateway's own.
    func refuse(
        _ status: Int, _ text: String, grpc: Int, fields: [(String, String)] = [], outcome: UpstreamOutcome = .unknown
    ) {
        guard !answerBegan else { return client.abort() }
        answerBegan = true
        self.status = status
        if isGRPC {
            // Source: gRPC over HTTP/2, "Trailers-Only".
            var head = ResponseHead()
            head.fields.add("content-type", "application/grpc")
            head.fields.add("grpc-status", "\(grpc)")
            head.fields.add("grpc-message", text)
            client.respond(head, isLast: true)
        } else {
            var (head, body) = LocalAnswer.plain(status, text, fields: fields)
            if let cors = rule?.cors { share(&head, cors) }
            client.respond(head, isLast: false)
            if self.head.method != "HEAD" { client.respond(body) }
            client.respondEnd(nil)
        }
        client.flush()
        finish(outcome, isFailure: upstream == nil ? nil : status >= 500)
    }
}
