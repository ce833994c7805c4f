// SPDX-License-Identifier: Apache-2.0
import CProcessShim
import Glibc
import Synchronization

/// One thread that waits for file descriptors to become readable: pipes, and pidfds of processes that end.
///
/// It owns the descriptors: each is closed when its handler returns false, on `unwatch`, or when the monitor stops.
final class DescriptorMonitor: Sendable {
    /// Called on the monitor's thread; returns whether to go on watching. It may block for short file operations.
    typealias Handler = @Sendable (Int32) -> Bool

    private struct State {
        var handlers: [Int32: Handler] = [:]
        var cancelled: Set<Int32> = []
        var stopped = false
    }

    private let state = Mutex(State())
    /// A pipe; a byte in it ends the wait.
    private let wakeUp: Int32
    private let waker: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        let opened = apus_pipe(&ends) == 0 && fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0
        (wakeUp, waker) = (ends[0], ends[1])
        let context = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<DescriptorMonitor>.fromOpaque(context).takeRetainedValue().loop()
                return nil
            }, context.toOpaque())
        precondition(code == 0 && opened, "no thread or descriptor is left for watching containers")
        pthread_detach(thread)
    }

    /// Watches a descriptor from now on.
    func watch(_ file: Int32, _ handler: @escaping Handler) {
        state.withLock { state in
            if state.stopped {
                close(file)
            } else {
                state.handlers[file] = handler
                wake(&state)
            }
        }
    }

    /// Closes a descriptor soon; its handler is not called again unless it is running.
    func unwatch(_ file: Int32) {
        state.withLock { state in
            if state.handlers[file] != nil { state.cancelled.insert(file) }
            wake(&state)
        }
    }

    /// Ends the thread and closes everything.
    func stop() {
        state.withLock { state in
            wake(&state)
            state.stopped = true
        }
    }

    /// Under the lock, because the thread closes the pipe once it has seen `stopped`. A full pipe wakes as well.
    private func wake(_ state: inout State) {
        if !state.stopped { write(waker, [0], 1) }
    }

    private func loop() {
        while true {
            let (files, stopped) = state.withLock { state in
                let ended = state.stopped ? Set(state.handlers.keys) : state.cancelled
                for file in ended where state.handlers.removeValue(forKey: file) != nil { close(file) }
                state.cancelled = []
                return (Array(state.handlers.keys), state.stopped)
            }
            if stopped { break }
            var polled = ([wakeUp] + files).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&polled, nfds_t(polled.count), -1) > 0 else { continue }
            if polled[0].revents != 0 { _ = SystemFiles.read(wakeUp, count: 256) }
            for entry in polled.dropFirst() where entry.revents != 0 { handle(entry.fd) }
        }
        close(wakeUp)
        close(waker)
    }

    private func handle(_ file: Int32) {
        let handler = state.withLock { $0.cancelled.contains(file) ? nil : $0.handlers[file] }
        guard let handler, !handler(file) else { return }
        state.withLock { state in
            state.handlers[file] = nil
            state.cancelled.remove(file)
            close(file)
        }
    }
}
