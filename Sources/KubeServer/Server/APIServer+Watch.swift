// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeStore

extension APIServer {
    /// Starts a watch.
    ///
    /// Source: Kubernetes "API concepts", "Efficient detection of changes" and "Streaming lists". Unset and 0 begin
    /// with the present objects, a version goes on after it.
    func watch(_ call: ResourceCall, _ options: ListOptions) throws(StatusError) -> KubeResponse {
        let wanted = try options.revision() ?? 0
        let isInitial = options.sendsInitialEvents ?? (wanted == 0)
        if isInitial, wanted > store.revision {
            throw .tooLargeResourceVersion("\(wanted), current: \(store.revision)")
        }
        let namespace = call.namespace.isEmpty ? nil : call.namespace
        var initial: [StoredObject] = []
        var start = wanted
        do throws(StoreError) {
            if isInitial {
                let list = try store.list(resource: call.declaration.storageName, namespace: namespace)
                initial = list.objects.filter { options.matches($0, call.declaration) }
                start = list.revision
            } else if wanted == 0 {
                start = store.revision
            }
            let watch = try store.watch(
                resource: call.declaration.storageName, namespace: namespace, after: start)
            let encoder = WatchEncoder(call, options, now: now)
            let stream = WatchStream(
                watch: watch, encoder: encoder, initial: initial,
                initialEnd: options.sendsInitialEvents == true && options.allowsBookmarks ? start : nil,
                sent: metrics.watchEvents.counter(
                    .init(
                        group: call.resource.group, version: call.resource.version, resource: call.resource.plural)),
                presence: metrics.longRunning.enter(
                    RequestMetrics.Labels(
                        verb: "WATCH", group: call.resource.group, version: call.resource.version,
                        resource: call.resource.plural,
                        scope: !call.name.isEmpty ? "resource" : call.namespace.isEmpty ? "cluster" : "namespace")))
            let timeout = options.timeout.flatMap { $0 > .zero ? $0 : nil }
            stream.start(
                timeout: timeout ?? configuration.watchTimeout * Double.random(in: 1...2),
                bookmarkInterval: options.allowsBookmarks ? configuration.bookmarkInterval : nil)
            return KubeResponse(body: .stream(stream))
        } catch {
            guard error.code == .compacted else { throw StatusError(error, call.resource, "") }
            let gone = StatusError.expired("too old resource version: \(wanted) (\(store.revision))")
            return KubeResponse(body: .stream(WatchStream.failed(gone)))
        }
    }
}
