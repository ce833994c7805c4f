// SPDX-License-Identifier: Apache-2.0
package import NIOCore

/// What connections of clients need from the gateway. Used on their event loop only.
protocol RequestServices: AnyObject {
    var limits: ConnectionLimits { get }
    func receiver(for client: any ClientSide) -> any RequestReceiver
    func refused(_ fault: MessageFault)
    func opened(_ connection: any ServedConnection)
    func closed(_ connection: any ServedConnection)
}

/// A client's connection, as the server ends it.
protocol ServedConnection: AnyObject {
    /// Ends when what was begun is answered.
    func leave()
}

extension HTTP1ServerHandler: ServedConnection {}

/// How long clients may take.
package struct ConnectionLimits: Sendable {
    /// From a head's first byte to its last, and until the first request.
    package var headPatience: TimeAmount = .seconds(10)
    /// Between two pieces of a body.
    package var bodyPatience: TimeAmount = .seconds(75)
    /// Between two requests.
    package var idlePatience: TimeAmount = .seconds(75)

    package init() {}
}

/// Closes a connection whose time is over. It is moved often and runs seldom: the task looks whether it is due.
final class ConnectionTimer {
    private let loop: any EventLoop
    private let expire: () -> Void
    private var deadline: NIODeadline?
    private var task: (scheduled: Scheduled<Void>, at: NIODeadline)?

    convenience init(_ channel: any Channel) {
        self.init(channel.eventLoop) { if channel.isActive { channel.close(promise: nil) } }
    }

    /// `expire` is called on the loop, which is the only one that uses it.
    init(_ loop: any EventLoop, _ expire: @escaping () -> Void) {
        self.loop = loop
        self.expire = expire
    }

    /// - Parameter patience: from now on; nil: as long as it likes.
    func set(_ patience: TimeAmount?) {
        guard let patience else {
            deadline = nil
            return
        }
        let deadline = loop.now + patience
        self.deadline = deadline
        if let task, task.at <= deadline { return }
        task?.scheduled.cancel()
        schedule(deadline)
    }

    /// Sets it unless what is set is earlier.
    func setOnce(_ patience: TimeAmount) {
        guard deadline.map({ loop.now + patience < $0 }) ?? true else { return }
        set(patience)
    }

    private func schedule(_ at: NIODeadline) {
        let scheduled = loop.assumeIsolated().scheduleTask(deadline: at) { self.fire() }
        task = (scheduled, at)
    }

    private func fire() {
        task = nil
        guard let deadline else { return }
        if deadline <= loop.now {
            expire()
        } else {
            schedule(deadline)
        }
    }
}

/// Answers of the gateway itself.
enum LocalAnswer {
    static func plain(_ status: Int, _ text: String, fields: [(String, String)] = []) -> (ResponseHead, ByteBuffer) {
        var head = ResponseHead()
        head.status = status
        head.fields.add("content-type", "text/plain; charset=utf-8")
        for (name, value) in fields { head.fields.add(name, value) }
        let body = ByteBuffer(string: text + "\n")
        head.body = .length(body.readableBytes)
        return (head, body)
    }
}
