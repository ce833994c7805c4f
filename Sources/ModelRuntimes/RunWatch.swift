// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Synchronization

/// One thread of the process that ends runs at their deadlines.
///
/// Runs come and go by the thousand, deadlines seldom pass: adding and removing costs a lock. The thread is woken only
/// for a deadline earlier than the one that it waits for; it may wake for one that is gone, and looks again.
///
/// Sendable although it holds C's lock and condition: all state is used under that lock.
final class RunWatch: @unchecked Sendable {
    static let shared = RunWatch()

    private struct Entry {
        let deadline: ContinuousClock.Instant
        let end: @Sendable () -> Void
    }

    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private var entries: [UInt64: Entry] = [:]
    private var next: UInt64 = 0
    private var isStarted = false
    /// When the thread wakes next; nil: only when it is told.
    private var wakesAt: ContinuousClock.Instant?

    private init() {
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_mutex_t())
        pthread_mutex_init(lock, nil)
        changed = .allocate(capacity: 1)
        changed.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(changed, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    /// Calls `end` under the watch's lock once the deadline has passed, unless the entry is removed first.
    func add(_ deadline: ContinuousClock.Instant, end: @escaping @Sendable () -> Void) -> UInt64 {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        if !isStarted { start() }
        let ticket = next
        next &+= 1
        entries[ticket] = Entry(deadline: deadline, end: end)
        if wakesAt.map({ deadline < $0 }) ?? true { pthread_cond_signal(changed) }
        return ticket
    }

    /// Whether the entry was still there, so that `end` was not called and never will be.
    func remove(_ ticket: UInt64) -> Bool {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return entries.removeValue(forKey: ticket) != nil
    }

    private func start() {
        var thread = pthread_t()
        isStarted =
            pthread_create(
                &thread, nil,
                { _ in
                    RunWatch.shared.watch()
                    return nil
                }, nil) == 0
        if isStarted { pthread_detach(thread) }
    }

    private func watch() {
        pthread_mutex_lock(lock)
        while true {
            let now = ContinuousClock.now
            for (ticket, entry) in entries where entry.deadline <= now {
                entries[ticket] = nil
                entry.end()
            }
            wakesAt = entries.values.map(\.deadline).min()
            if let wakesAt {
                var time = Self.monotonic(after: wakesAt - now)
                pthread_cond_timedwait(changed, lock, &time)
            } else {
                pthread_cond_wait(changed, lock)
            }
        }
    }

    /// CLOCK_MONOTONIC's time after a duration of at most a day.
    private static func monotonic(after duration: Duration) -> timespec {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let (seconds, fraction) = min(max(duration, .zero), .seconds(86_400)).components
        let nanoseconds = time.tv_nsec + Int(fraction / 1_000_000_000) + 1
        time.tv_sec += Int(seconds) + nanoseconds / 1_000_000_000
        time.tv_nsec = nanoseconds % 1_000_000_000
        return time
    }
}
