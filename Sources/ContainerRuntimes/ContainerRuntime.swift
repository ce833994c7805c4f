// SPDX-License-Identifier: Apache-2.0

/// Runs containers. They outlive the process that asked for them, and a new runtime on the same data finds them again.
package protocol ContainerRuntime: Sendable {
    /// Starts a container and returns once it runs, or `failedToStart` when its program cannot be executed.
    func start(_ spec: ContainerSpec) async throws(RuntimeError) -> ContainerState

    /// The container's state; nil when the id is not known.
    func state(of id: String) async -> ContainerState?

    /// Everything that is known, including what was started before this process, in the order of ids.
    func containers() async -> [ContainerRecord]

    /// Sends a signal to the container's whole process group.
    func signal(_ id: String, _ signal: Int32) async throws(RuntimeError)

    /// Sends SIGKILL to everything that belongs to the container; its end is reported by `events()`.
    func kill(_ id: String) async

    /// Forgets a container that has ended, with its directory and its cgroups; the log files stay.
    func remove(_ id: String) async throws(RuntimeError)

    /// Runs a command in the environment, directory, user and cgroups of a running container.
    ///
    /// It is killed after `timeout`. At most `outputLimit` bytes of its output are kept.
    func exec(_ id: String, argv: [String], timeout: Duration, outputLimit: Int) async throws(RuntimeError)
        -> ExecResult

    /// The ids of containers whose state changed, from now on; any number of callers may listen.
    func events() -> AsyncStream<String>

    /// What each running container has used, by id.
    func usage() async -> [String: ContainerUsage]

    /// What of this description would not be enforced on this host.
    func notices(for spec: ContainerSpec) -> [RuntimeNotice]
}
