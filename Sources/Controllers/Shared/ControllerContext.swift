// SPDX-License-Identifier: Apache-2.0
import ControllerRuntime
import KubeAPI
import KubeClient
import Logging
import Synchronization

/// What the controllers of one manager share.
final class ControllerContext: Sendable {
    let client: @Sendable (String) -> KubeClient
    let informers: InformerFactory
    let configuration: ControllerConfiguration
    let logger: Logger
    let podIndex: ObjectIndex
    let replicaSetIndex: ObjectIndex
    private let sinks = Mutex<[EventSink]>([])

    init(
        client: @escaping @Sendable (String) -> KubeClient, logger: Logger, configuration: ControllerConfiguration
    ) {
        self.client = client
        self.logger = logger
        self.configuration = configuration
        informers = InformerFactory(client: client("shared-informers"), logger: logger)
        podIndex = .byOwner(informers.informer(.pods))
        replicaSetIndex = .byOwner(informers.informer(.replicaSets))
    }

    /// Where a controller tells its events; `account` names its client where the events name another component.
    func events(_ component: String, account: String? = nil) -> EventSink {
        let sink = EventSink(EventRecorder(client: client(account ?? component), component: component))
        sinks.withLock { $0.append(sink) }
        return sink
    }

    /// Writes the events of all controllers until cancelled.
    func runEvents() async {
        let sinks = sinks.withLock { $0 }
        await withDiscardingTaskGroup { group in
            for sink in sinks { group.addTask { await sink.run() } }
        }
    }
}
