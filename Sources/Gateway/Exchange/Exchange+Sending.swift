// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import Logging
import NIOCore

/// To an endpoint, and to another where that fails.
extension Exchange {
    func attemptOnce() {
        guard let upstream else { return }
        guard let target = upstream.pick(random: worker.randomBits(), key: stickyKey, excluding: failedSerials) else {
            return refuse(503, "no endpoint of \(upstream.id.service) is ready", grpc: 14)
        }
        pick = target.pick
        phase = .connecting
        attempt += 1
        if let timeout = rule?.rule.backendTimeout, timeout > .zero {
            let attempt = attempt
            attemptTimer?.cancel()
            attemptTimer = client.loop.assumeIsolated().scheduleTask(in: TimeAmount(timeout)) {
                self.attemptTimedOut(attempt)
            }
        }
        do {
            try worker.pool(upstream, target).acquire(Attempt(self, attempt))
        } catch {
            worker.core.logger.warning(
                "no TLS to an upstream", metadata: ["upstream": "\(upstream.id)", "error": "\(error)"])
            refuse(502, "the connection to \(upstream.id.service) cannot be made", grpc: 14, outcome: .failure)
        }
    }

    func connected(_ side: any UpstreamSide, for receiver: Attempt) {
        phase = .sending(side)
        if head.expectsContinue, !requestIsWhole, kept.isEmpty {
            head.expectsContinue = false
            client.respondContinue()
        }
        let isWhole = requestIsWhole
        let hasNoBody = head.body == .none || head.body == .length(0)
        side.send(head, isLast: hasNoBody, to: receiver)
        for body in kept { side.send(body) }
        if keptBytes > Self.longestKept {
            isReplayable = false
            kept = []
        }
        if isWhole, !hasNoBody { side.sendEnd(trailers) }
        side.flush()
        client.setReading(isWhole || side.isWritable)
    }

    private func attemptTimedOut(_ number: Int) {
        guard number == attempt, !answerBegan else { return }
        switch phase {
        case .sending(let side): side.cancel()
        case .connecting: break
        case .routing, .held, .tunnel, .over: return
        }
        attempt += 1
        attemptFailed(.timeout, status: 504, "\(upstream?.id.service ?? "") has not answered in time", grpc: 4)
    }

    func failed(_ failure: UpstreamFailure) {
        if case .over = phase { return }
        if answerBegan {
            if case .tunnel = phase {
                client.respondEnd(nil)
                return finish(.success, isFailure: false)
            }
            client.abort()
            return finish(.failure, isFailure: true)
        }
        let service = upstream?.id.service ?? ""
        switch failure {
        case .neverSent:
            attemptFailed(.neverSent, status: 503, "\(service) cannot be connected to", grpc: 14)
        case .lost:
            attemptFailed(.connectionLost, status: 502, "\(service) has closed the connection", grpc: 14)
        case .malformed:
            refuse(502, "\(service) has answered what is no HTTP", grpc: 14, outcome: .failure)
        }
    }

    /// - Returns: whether it is tried once more.
    func tryAgain(_ failure: RetryDecision.Failure) -> Bool {
        guard let upstream, let pick, let rule else { return false }
        failed += 1
        let again = RetryDecision.retries(
            failure, failed: failed, rules: rule.rule.retry, isIdempotent: RetryDecision.isIdempotent(head.method),
            isReplayable: isReplayable)
        // What was never sent loads no upstream a second time: the budget is for what was.
        if failure != .neverSent, !holdsRetry {
            guard again, upstream.takeRetry() else { return false }
            holdsRetry = true
        }
        guard again else { return false }
        upstream.finished(pick, .failure, now: .now)
        failedSerials.append(pick.serial)
        self.pick = nil
        phase = .connecting
        attempt += 1
        let wait = RetryDecision.wait(rule.rule.retry, failed: failed, random: worker.randomBits())
        guard wait > .zero else {
            attemptOnce()
            return true
        }
        let number = attempt
        client.loop.assumeIsolated().scheduleTask(in: TimeAmount(wait)) {
            guard case .connecting = self.phase, number == self.attempt else { return }
            self.attemptOnce()
        }
        return true
    }

    private func attemptFailed(_ failure: RetryDecision.Failure, status: Int, _ text: String, grpc: Int) {
        guard !tryAgain(failure) else { return }
        refuse(status, text, grpc: grpc, outcome: .failure)
    }
}

/// One attempt of an exchange: what comes from one that was given up goes nowhere.
final class Attempt: UpstreamReceiver {
    private let exchange: Exchange
    private let number: Int

    init(_ exchange: Exchange, _ number: Int) {
        self.exchange = exchange
        self.number = number
    }

    private var isCurrent: Bool {
        guard exchange.attempt == number else { return false }
        if case .over = exchange.phase { return false }
        return true
    }

    func connected(_ side: any UpstreamSide) {
        guard isCurrent else { return side.release() }
        exchange.connected(side, for: self)
    }

    func answer(_ head: consuming ResponseHead, isLast: Bool) {
        if isCurrent { exchange.answer(head, isLast: isLast) }
    }
    func answer(_ body: ByteBuffer) { if isCurrent { exchange.answer(body) } }
    func answerEnd(_ trailers: HeaderFields?) { if isCurrent { exchange.answerEnd(trailers) } }
    func answerFlush() { if isCurrent { exchange.client.flush() } }
    func failed(_ failure: UpstreamFailure) { if isCurrent { exchange.failed(failure) } }

    func upstreamWritable(_ isWritable: Bool) {
        guard isCurrent else { return }
        if case .tunnel = exchange.phase { return exchange.client.setReading(isWritable) }
        if !exchange.requestIsWhole { exchange.client.setReading(isWritable) }
    }
}
