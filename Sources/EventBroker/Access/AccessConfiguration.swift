// SPDX-License-Identifier: Apache-2.0

/// Who may use a broker.
package struct AccessConfiguration: Sendable {
    /// A user that is there from the start.
    package struct Administrator: Sendable {
        package var name: String
        package var password: String

        package init(name: String, password: String) {
            self.name = name
            self.password = password
        }
    }

    /// Whether clients have to log in; otherwise their certificates say who they are.
    package var usesSASL = true
    /// Made at the start, with that password, as a super user.
    package var administrator: Administrator?
    /// Those who may do everything, as `User:NAME` (`super.users`).
    package var superUsers: Set<String> = []
    /// How long the answer to a failed login waits (`connection.failed.authentication.delay.ms`).
    package var failureDelay: Duration = .milliseconds(200)
    /// The largest request before a client has logged in, in bytes (`sasl.server.max.receive.size`).
    package var maximumLoginBytes = 512 << 10

    package init() {}
}
