// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import KubeAPI
package import KubeClient

/// Runs the movie recommender on a platform: applies its manifests, waits for its services, follows the training, and
/// asks for recommendations.
package struct MovieDemo: Sendable {
    private static let namespace = "movies"
    private static let trainingJob = ObjectKey(namespace: namespace, name: "train")
    private static let dataMap = "movielens-data"
    private static let gatewayMap = "gateway"
    private static let gateway = ObjectKey(namespace: "kserve", name: "gateway")
    /// By which the gateway knows serving.
    private static let servingHost = "serving-movies.localhost"
    /// The Secret with the key of the object server, and that with the token of the tracking server.
    private static let objects = ObjectKey(namespace: namespace, name: "objects")
    private static let tracking = ObjectKey(namespace: namespace, name: "tracking")

    private let client: KubeClient
    private let manifests: String
    private let serving: String
    private let ratings: String
    private let user: Int
    private let program: String
    private let console: Console

    /// - Parameters:
    ///   - client: of the API server.
    ///   - manifests: folder with the kustomization.
    ///   - serving: folder of deploy/serving.
    ///   - ratings: folder of the MovieLens CSV files, absolute.
    ///   - user: whom to recommend to.
    ///   - program: how `apus` is called, for commands that are printed.
    ///   - console: where progress goes.
    package init(
        client: KubeClient, manifests: String, serving: String, ratings: String, user: Int, program: String,
        console: Console
    ) {
        self.client = client
        self.manifests = manifests
        self.serving = serving
        self.ratings = ratings
        self.user = user
        self.program = program
        self.console = console
    }

    /// Runs until the recommendations are printed.
    package func run() async throws {
        try await apply()
        try await build()
        try await waitForServing()
        try await waitForDeployments(["web"])
        try await recommend()
        try await printAddresses()
        try await printQuery()
        try await printRuns()
    }

    private func apply() async throws {
        console.say("Applying \(manifests)")
        var objects = try ManifestLoader.kustomization(at: manifests)
        guard let index = objects.firstIndex(where: { $0.kind == "ConfigMap" && $0.name == Self.dataMap }) else {
            throw PlatformError("\(manifests) has no ConfigMap \(Self.dataMap): is it the recommender's folder?")
        }
        objects[index]["data"]["path"] = .string(ratings)
        try await chooseSecret(Self.objects, "secret-key", in: &objects)
        try await chooseSecret(Self.tracking, "token", in: &objects)
        try await removeOldTraining()
        console.say("Applying \(serving)")
        try await ModelServing.install(client, serving)
        if let index = objects.firstIndex(where: { $0.kind == "ConfigMap" && $0.name == Self.gatewayMap }) {
            objects[index]["data"]["url"] = .string("http://\(try await place(Self.gateway))")
        }
        let discovery = try await ResourceDiscovery(client: client)
        for object in objects {
            _ = try await client.apply(object, discovery: discovery, defaultNamespace: Self.namespace)
        }
    }

    /// Puts a random secret in the place of the one that the manifests have for all to read. What is there stays.
    private func chooseSecret(_ key: ObjectKey, _ field: String, in objects: inout [KubeObject]) async throws {
        guard let index = objects.firstIndex(where: { $0.kind == "Secret" && $0.name == key.name }) else { return }
        do {
            _ = try await client.get(.secrets, key)
            objects.remove(at: index)
        } catch let error as StatusError where error.isNotFound {
            var generator = SystemRandomNumberGenerator()
            let digits = (0..<4).map { _ in String(generator.next(), radix: 36) }
            objects[index]["stringData"][field] = .string(digits.joined())
        }
    }

    /// A Job runs once; the demo trains each time.
    private func removeOldTraining() async throws {
        do {
            try await client.delete(.jobs, Self.trainingJob, .init(propagationPolicy: "Foreground"))
        } catch let error as StatusError where error.isNotFound {
            return
        }
        let selection = KubeClient.Selection(fields: "metadata.name=\(Self.trainingJob.name)")
        let list = try await client.list(.jobs, namespace: Self.namespace, selection: selection)
        if list.items.isEmpty { return }
        for try await event in try await client.watch(
            .jobs, namespace: Self.namespace, selection: selection, resourceVersion: list.resourceVersion)
        {
            if case .deleted = event { return }
        }
    }

    private func waitForServing() async throws {
        console.say("Waiting for the InferenceService serving")
        _ = try await ModelServing(client: client, namespace: Self.namespace, name: "serving")
            .waitUntilReady(.seconds(180))
    }

    private func waitForDeployments(_ names: Set<String>) async throws {
        var ready: Set<String> = []
        var bar = ProgressBar("Starting \(names.sorted().joined(separator: ", "))", total: names.count)
        console.draw(bar)
        try await follow(.deployments) { deployment in
            let wanted = deployment.spec["replicas"].int ?? 1
            let isReady =
                deployment.status["observedGeneration"].int == deployment.generation
                && deployment.status["availableReplicas"].int ?? 0 >= wanted
            guard names.contains(deployment.name), isReady else { return false }
            ready.insert(deployment.name)
            bar.done = ready.count
            console.draw(bar)
            return ready == names
        }
        console.endLine()
    }

    private func build() async throws {
        // Cancelled when the rest returns or throws.
        async let _ = tellOfTroubles(["ingest-", "tables-", "features-", "train-"])
        try await waitForDeployments(["ingest", "tables", "features"])
        try await train()
    }

    /// Says of each pod whose name begins so, and whose program ended and waits to be started again, where to look: it
    /// may take minutes until the platform gives up.
    private func tellOfTroubles(_ beginnings: [String]) async {
        var told: Set<String> = []
        // Where the pods cannot be followed, the others who follow say so.
        try? await follow(.pods) { pod in
            let state = pod.status["containerStatuses"][0]
            guard beginnings.contains(where: pod.name.hasPrefix),
                state["state"]["waiting"]["reason"] == "CrashLoopBackOff", told.insert(pod.name).inserted
            else { return false }
            let code = state["lastState"]["terminated"]["exitCode"].int.map { " with \($0)" } ?? ""
            console.say(
                "\n\(pod.name) ended\(code) and is started again; see '\(program) logs -n \(Self.namespace) \(pod.name)'"
            )
            return false
        }
    }

    /// Reads a collection of the namespace, then its changes, until `isEnough` says so.
    private func follow(_ resource: KubeResource, isEnough: (KubeObject) throws -> Bool) async throws {
        let list = try await client.list(resource, namespace: Self.namespace)
        for object in list.items where try isEnough(object) { return }
        for try await event in try await client.watch(
            resource, namespace: Self.namespace, resourceVersion: list.resourceVersion)
        {
            switch event {
            case .added(let object), .modified(let object): if try isEnough(object) { return }
            case .deleted, .bookmark: continue
            }
        }
        throw PlatformError("the API server ended the watch of \(resource.plural)")
    }

    private func train() async throws {
        var pod: KubeObject?
        try await follow(.pods) { object in
            guard object.labels["job-name"] == Self.trainingJob.name, !object.isBeingDeleted else { return false }
            pod = object
            return object.status["phase"].string != "Pending"
        }
        guard let pod else { throw PlatformError("the training has no pod") }
        var lines = LineSplitter()
        for try await chunk in try await client.log(pod.key, options: [("follow", "true")]) {
            for line in try lines.feed(chunk) { show(String(decoding: line, as: UTF8.self)) }
        }
        try await follow(.jobs) { job in
            guard job.name == Self.trainingJob.name else { return false }
            if Conditions.isTrue("Failed", in: job.status) {
                let why = Conditions.find("Failed", in: job.status)["message"].string ?? ""
                throw PlatformError("the training failed: \(why). See 'apus logs -n movies \(pod.name)'")
            }
            return Conditions.isTrue("Complete", in: job.status)
        }
    }

    /// Shows a line of the training's log: `iteration 3/15 loss 0.87 …` as a bar.
    private func show(_ line: String) {
        let words = line.split(separator: " ", maxSplits: 2).map(String.init)
        let counts = words.count > 1 ? words[1].split(separator: "/").compactMap { Int($0) } : []
        guard words.first == "iteration", counts.count == 2 else { return console.say(line) }
        var bar = ProgressBar("Training", total: counts[1])
        bar.done = counts[0]
        bar.note = words.count > 2 ? words[2] : ""
        console.draw(bar)
        if counts[0] == counts[1] { console.endLine() }
    }

    private func recommend() async throws {
        let movies = try await ask("serving", "/v1/recommend/\(user)?n=5")["items"].elements
        let ids = movies.compactMap { $0["movie"].int.map { String($0) } }
        let catalogue = try await ask("ingest", "/v1/movies?ids=\(ids.joined(separator: ","))")["movies"].elements
        let titles = Dictionary(catalogue.map { ($0["id"], $0["title"].string ?? "?") }) { first, _ in first }
        console.say("\nFive recommendations for \(try await userName()):")
        for (rank, movie) in movies.enumerated() {
            let stars = movie["score"].double.map { String(format: "%.2f stars", $0) } ?? ""
            console.say("  \(rank + 1). \(titles[movie["movie"]] ?? "?")   \(stars)")
        }
    }

    /// What is known of the user, such as `user 196 (writer, 49)`.
    private func userName() async throws -> String {
        let known = try await ask("ingest", "/v1/users/\(user)")
        let facts = [known["occupation"].string, known["age"].int.map { String($0) }].compactMap { $0 }
        return facts.isEmpty ? "user \(user)" : "user \(user) (\(facts.joined(separator: ", ")))"
    }

    private func printAddresses() async throws {
        console.say("")
        for name in ["web", "serving", "ingest", "features"] {
            console.say("  \(name.padding(toLength: 10, withPad: " ", startingAt: 0))\(try await address(name))")
        }
        for (name, protocolName) in [("events", "Kafka's protocol"), ("objects", "S3's protocol")] {
            let place = try await place(name)
            console.say("  \(name.padding(toLength: 10, withPad: " ", startingAt: 0))\(place), speaks \(protocolName)")
        }
        console.say("  tracking  \(try await address("tracking")), speaks MLflow's protocol")
    }

    /// A Secret's value.
    private func secret(_ key: ObjectKey, _ field: String) async throws -> String {
        let data = try await client.get(.secrets, key)["data"]
        return data[field].string.flatMap { Data(base64Encoded: $0) }.map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// Commands over the runs and models that can be pasted into a shell.
    private func printRuns() async throws {
        console.say("\nRuns and models are on the tracking server, for any client of MLflow. Ask it:")
        console.say(
            "  export MLFLOW_TRACKING_URI=http://\(try await place("tracking")) "
                + "MLFLOW_TRACKING_TOKEN=\(try await secret(Self.tracking, "token"))")
        console.say("  \(program) runs best --metric rmse --min; \(program) models history movies")
    }

    /// A statement over the tables that can be pasted into a shell.
    private func printQuery() async throws {
        let sql =
            "SELECT title, COUNT(*) AS ratings, ROUND(AVG(rating), 2) AS stars FROM ratings JOIN movies USING (movie_id) "
            + "GROUP BY title ORDER BY ratings DESC LIMIT 5"
        console.say("\nThe ratings are a Delta table. Ask it:")
        let (key, secret) = (
            try await secret(Self.objects, "access-key"), try await secret(Self.objects, "secret-key")
        )
        console.say(
            "  AWS_ENDPOINT_URL=http://\(try await place("objects")) AWS_ACCESS_KEY_ID=\(key) "
                + "AWS_SECRET_ACCESS_KEY=\(secret) \(program) sql --lake s3://lake -c \"\(sql)\"")
    }

    /// Host and port of a service.
    private func place(_ service: String) async throws -> String {
        try await place(ObjectKey(namespace: Self.namespace, name: service))
    }

    private func place(_ service: ObjectKey) async throws -> String {
        let object = try await client.get(.services, service)
        return "\(object.spec["clusterIP"].string ?? ""):\(object.spec["ports"][0]["port"].int ?? 80)"
    }

    private func address(_ service: String) async throws -> String {
        let object = try await client.get(.services, ObjectKey(namespace: Self.namespace, name: service))
        let port = object.spec["ports"][0]
        if let nodePort = port["nodePort"].int { return "http://127.0.0.1:\(nodePort)" }
        return "http://\(try await place(service))"
    }

    private func ask(_ service: String, _ path: String) async throws -> JSONValue {
        let transport = try HTTPTransport(Kubeconfig(server: try await address(service)))
        let bytes: Result<[UInt8], any Error>
        do {
            bytes = .success(try await KubeClient(transport: transport, userAgent: "apus-demo").raw(path))
        } catch {
            bytes = .failure(error)
        }
        try await transport.shutdown()
        return try JSONParser.parse(try bytes.get())
    }
}
