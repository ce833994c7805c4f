// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Dispatch
import KubeAPI
import KubeStore
import Synchronization

/// The body of a watch answer: chunks of whole lines. Iterate it once.
final class WatchStream: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error

    private struct Source: Sendable {
        var watch: StoreWatch
        var encoder: WatchEncoder
        var initialEnd: Int64?
    }

    /// How many present objects go into one chunk.
    private static let initialChunk = 256

    private let source: Source?
    private let failure: [UInt8]
    /// Taken by the iterator, so that the watch does not hold old states.
    private let initial: Mutex<ArraySlice<StoredObject>>
    private let isEnding = Mutex(false)
    private let sent: CounterSet<ServerMetrics.Resource>.Counter?
    /// Counts the watch as going on for as long as it lives.
    private let presence: GaugeSet<RequestMetrics.Labels>.Presence?

    /// - Parameters:
    ///   - watch: the changes.
    ///   - encoder: makes the lines.
    ///   - initial: objects that exist already.
    ///   - initialEnd: the revision of the bookmark that ends the present objects; nil for none.
    ///   - sent: counts the events.
    ///   - presence: lives as long as the watch.
    init(
        watch: StoreWatch, encoder: WatchEncoder, initial: [StoredObject], initialEnd: Int64?,
        sent: CounterSet<ServerMetrics.Resource>.Counter, presence: GaugeSet<RequestMetrics.Labels>.Presence
    ) {
        self.sent = sent
        self.presence = presence
        source = Source(watch: watch, encoder: encoder, initialEnd: initialEnd)
        self.initial = Mutex(initial[...])
        failure = []
    }

    private init(failure: [UInt8]) {
        source = nil
        initial = Mutex([])
        self.failure = failure
        sent = nil
        presence = nil
    }

    /// A watch that consists of an error.
    static func failed(_ error: StatusError) -> WatchStream {
        var bytes: [UInt8] = []
        WatchEncoder.append("ERROR", error.json, to: &bytes)
        return WatchStream(failure: bytes)
    }

    /// Sets the timers: regular bookmarks, and the end. They do not keep the watch alive.
    func start(timeout: Duration, bookmarkInterval: Duration?) {
        let nanoseconds = Int(clamping: timeout.nanoseconds)
        DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(nanoseconds)) { [weak self] in
            self?.end()
        }
        if let bookmarkInterval { schedule(every: .nanoseconds(Int(clamping: bookmarkInterval.nanoseconds))) }
    }

    private func schedule(every interval: DispatchTimeInterval) {
        DispatchQueue.global().asyncAfter(deadline: .now() + interval) { [weak self] in
            guard let self, !isEnding.withLock({ $0 }) else { return }
            source?.watch.requestProgress()
            schedule(every: interval)
        }
    }

    /// Ends the watch after what has happened until now, with a last bookmark.
    func end() {
        isEnding.withLock { $0 = true }
        source?.watch.requestProgress()
    }

    /// Ends the watch at once: nobody listens any more.
    func cancel() { source?.watch.cancel() }

    func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

    struct Iterator: AsyncIteratorProtocol {
        private let lines: Lines
        private var changes: StoreWatch.Iterator?

        fileprivate init(stream: WatchStream) {
            lines = Lines(stream)
            changes = stream.source?.watch.makeAsyncIterator()
        }

        mutating func next() async throws -> [UInt8]? { try await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> [UInt8]? {
            if let chunk = lines.takeReady() { return chunk }
            while !lines.isDone {
                // A watcher that is too slow ends as at its timeout: it watches again from where it is.
                guard let items = try? await changes?.next(isolation: actor) else { return nil }
                if let chunk = lines.take(items) { return chunk }
            }
            return nil
        }
    }

    /// What a watch says, apart from the waiting: all that is kept in a function that waits is kept for every watch.
    private final class Lines {
        private let stream: WatchStream
        private var encoder: WatchEncoder?
        private var initial: ArraySlice<StoredObject>
        private var initialEnd: Int64?
        private(set) var isDone = false

        init(_ stream: WatchStream) {
            self.stream = stream
            encoder = stream.source?.encoder
            initial = stream.initial.withLock { objects in
                defer { objects = [] }
                return objects
            }
            initialEnd = stream.source?.initialEnd
        }

        /// What there is to say before the changes; nil once it is said.
        func takeReady() -> [UInt8]? {
            guard !isDone else { return nil }
            guard encoder != nil else {
                isDone = true
                return stream.failure
            }
            guard !initial.isEmpty || initialEnd != nil else { return nil }
            var chunk: [UInt8] = []
            let part = initial.prefix(WatchStream.initialChunk)
            for object in part { encoder?.append(added: object, to: &chunk) }
            stream.sent?.add(part.count)
            initial = initial.dropFirst(WatchStream.initialChunk)
            if initial.isEmpty, let revision = initialEnd {
                encoder?.append(bookmark: revision, endsInitialEvents: true, to: &chunk)
                initialEnd = nil
            }
            return chunk
        }

        /// The lines of changes; nil for none.
        func take(_ items: [StoreWatchItem]) -> [UInt8]? {
            var chunk: [UInt8] = []
            stream.sent?.add(items.count)
            for item in items {
                switch item {
                case .event(let event): encoder?.append(event, to: &chunk)
                case .progress(let revision):
                    if encoder?.sendsBookmarks == true { encoder?.append(bookmark: revision, to: &chunk) }
                    if stream.isEnding.withLock({ $0 }) { isDone = true }
                }
            }
            return chunk.isEmpty ? nil : chunk
        }
    }
}
