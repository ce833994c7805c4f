// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import NIOCore

/// The CORS filter of a rule: preflights are answered here, other answers say who may read them.
extension Exchange {
    /// Answers the preflight of a rule with a CORS filter: before keys and tokens are asked for, which a preflight
    /// never brings. It finds the rule by its own method, or by that of the request which it asks for.
    /// - Returns: whether it was one.
    func answerPreflight(_ facts: ExchangeFacts) -> Bool {
        guard let origin = facts.header("origin"), let method = facts.header("access-control-request-method") else {
            return false
        }
        var found = listener.table.match(facts).map { listener.rules[$0.rule] }
        if found?.cors == nil {
            found = listener.table.match(facts.asking(method)).map { listener.rules[$0.rule] }
        }
        guard let found, let cors = found.cors else { return false }
        rule = found
        answerBegan = true
        status = 204
        var head = ResponseHead()
        head.status = status
        head.body = .none
        for (name, value) in cors.preflight(
            of: origin, method: method, requested: facts.header("access-control-request-headers"))
        {
            head.fields.add(name, value)
        }
        if cors.varies { head.fields.add("vary", "Origin") }
        client.respond(head, isLast: true)
        client.flush()
        finish(.unknown, isFailure: nil)
        return true
    }

    /// Says in an answer whether the request's origin may read it.
    func share(_ head: inout ResponseHead, _ cors: CORSRules) {
        for name in CORSRules.responseFields { head.fields.remove(name) }
        if cors.varies { head.fields.add("vary", "Origin") }
        guard let origin else { return }
        let own = head.fields
        for (name, value) in cors.answer(to: origin, names: { own.fields.map(own.name) }) {
            head.fields.add(name, value)
        }
    }
}
