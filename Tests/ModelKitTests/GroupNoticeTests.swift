// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ModelKit

/// A time that only moves when it is told to.
private struct Moment: InstantProtocol {
    var elapsed = Duration.zero

    func advanced(by duration: Duration) -> Moment { Moment(elapsed: elapsed + duration) }
    func duration(to other: Moment) -> Duration { other.elapsed - elapsed }
    static func < (left: Moment, right: Moment) -> Bool { left.elapsed < right.elapsed }
}

@Suite struct GroupNoticeTests {
    private func at(_ seconds: Int) -> Moment { Moment(elapsed: .seconds(seconds)) }

    @Test func isDueAtOnceAndOnlyOnce() {
        var notice = GroupNotice<Moment>(interval: .seconds(2))
        #expect(notice.wait(at: at(0)) == nil)
        notice.add([:], at: at(0))
        #expect(notice.wait(at: at(0)) == nil)
        notice.add([0: 5, 1: 7], at: at(1))
        #expect(notice.wait(at: at(1)) == .zero && notice.offsets == [0: 5, 1: 7])
        notice.heard(at: at(1))
        #expect(notice.wait(at: at(9)) == nil && notice.offsets.isEmpty)
    }

    @Test func isRepeatedUntilItIsHeard() {
        var notice = GroupNotice<Moment>(interval: .seconds(2))
        notice.add([0: 5, 1: 7], at: at(1))
        notice.missed(at: at(3))
        #expect(notice.wait(at: at(3)) == .seconds(2) && notice.wait(at: at(9)) == .zero)
        notice.missed(at: at(9))
        #expect(notice.wait(at: at(10)) == .seconds(1))
        // What comes meanwhile is told with it, at once.
        notice.add([1: 8, 2: 1], at: at(10))
        #expect(notice.wait(at: at(10)) == .zero && notice.offsets == [0: 5, 1: 8, 2: 1])
    }

    @Test func hasTheLastWordAfterTriesThatWereGivenUp() {
        var notice = GroupNotice<Moment>(interval: .seconds(2))
        notice.add([0: 5], at: at(0))
        notice.missed(at: at(2))
        notice.add([0: 6], at: at(4))
        notice.heard(at: at(4))
        #expect(notice.wait(at: at(4)) == .seconds(2) && notice.offsets == [0: 6])
        notice.heard(at: at(6))
        #expect(notice.wait(at: at(6)) == nil)
    }
}
