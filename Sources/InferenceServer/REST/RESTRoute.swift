// SPDX-License-Identifier: Apache-2.0
import ApusCore
import NIOHTTP1

/// What a path of the REST API asks for.
enum RESTRoute: Sendable, Hashable {
    case root
    case live
    case ready
    case server
    case models
    case model(String, version: String?)
    case modelReady(String, version: String?)
    case modelConfig(String, version: String?)
    case statistics(String?, version: String?)
    case infer(String, version: String?)
    case index
    case load(String)
    case unload(String)
    case traceSetting
    case logging
    case sharedMemory
    case v1Models
    case v1Model(String)
    case predict(String)
    case explain(String)
    case ping
    case invocations
    case endpoint(String)
    case openAPI
    case metrics

    enum Match: Sendable, Hashable {
        case route(RESTRoute)
        /// There is such a path, for another method.
        case otherMethod(String)
        case none
    }

    /// Finds the route of a request; a query is passed over.
    static func parse(_ method: HTTPMethod, _ target: String) -> Match {
        guard target.utf8.first == UInt8(ascii: "/"), let path = Path(target) else { return .none }
        guard let (methods, route) = find(path) else { return .none }
        let isAllowed =
            switch method {
            case .GET, .HEAD: methods.contains(.get)
            case .POST: methods.contains(.post)
            default: false
            }
        return isAllowed ? .route(route) : .otherMethod(methods.allow)
    }

    private struct Methods: OptionSet {
        let rawValue: Int
        static let get = Methods(rawValue: 1)
        static let post = Methods(rawValue: 2)

        var allow: String {
            switch self {
            case .get: "GET, HEAD"
            case .post: "POST"
            default: "GET, HEAD, POST"
            }
        }
    }

    /// The segments of a path.
    private struct Path {
        let segments: [Substring.UTF8View]

        init?(_ target: String) {
            let utf8 = target.utf8
            let end = utf8.firstIndex(of: UInt8(ascii: "?")) ?? utf8.endIndex
            var segments: [Substring.UTF8View] = []
            segments.reserveCapacity(6)
            var start = utf8.index(after: utf8.startIndex)
            var index = start
            while index < end {
                if utf8[index] == UInt8(ascii: "/") {
                    segments.append(Substring(utf8[start..<index]).utf8)
                    guard segments.count < 12 else { return nil }
                    start = utf8.index(after: index)
                }
                index = utf8.index(after: index)
            }
            // A slash at the end says nothing.
            if start < end { segments.append(Substring(utf8[start..<end]).utf8) }
            self.segments = segments
        }

        var count: Int { segments.count }

        func `is`(_ index: Int, _ word: StaticString) -> Bool {
            guard index < segments.count else { return false }
            let word = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
            return segments[index].elementsEqual(word)
        }

        /// Percent-decoded; nil for an empty one.
        func name(_ index: Int) -> String? {
            guard index < segments.count, !segments[index].isEmpty else { return nil }
            return PercentEncoding.decode(Substring(segments[index]))
        }

        /// A version is a number; nil for what is none.
        func version(_ index: Int) -> String? {
            guard index < segments.count, !segments[index].isEmpty, segments[index].count <= 19,
                segments[index].allSatisfy({ $0 &- UInt8(ascii: "0") <= 9 })
            else { return nil }
            return String(Substring(segments[index]))
        }
    }

    private static func find(_ path: Path) -> (Methods, RESTRoute)? {
        if path.is(0, "v2") { return v2(path) }
        if path.is(0, "v1") { return v1(path) }
        switch path.count {
        case 0: return (.get, .root)
        case 1:
            if path.is(0, "ping") { return (.get, .ping) }
            if path.is(0, "invocations") { return (.post, .invocations) }
            if path.is(0, "metrics") { return (.get, .metrics) }
            if path.is(0, "openapi.json") { return (.get, .openAPI) }
            return nil
        case 3 where path.is(0, "endpoints") && path.is(2, "invocations"):
            return path.name(1).map { (.post, .endpoint($0)) }
        default: return nil
        }
    }

    private static func v2(_ path: Path) -> (Methods, RESTRoute)? {
        if path.is(1, "models") { return v2Models(path) }
        switch path.count {
        case 1: return (.get, .server)
        case 2 where path.is(1, "logging"): return ([.get, .post], .logging)
        case 3 where path.is(1, "health") && path.is(2, "live"): return (.get, .live)
        case 3 where path.is(1, "health") && path.is(2, "ready"): return (.get, .ready)
        case 3 where path.is(1, "trace") && path.is(2, "setting"): return ([.get, .post], .traceSetting)
        case 3 where path.is(1, "repository") && path.is(2, "index"): return (.post, .index)
        case 5 where path.is(1, "repository") && path.is(2, "models"):
            guard let name = path.name(3) else { return nil }
            if path.is(4, "load") { return (.post, .load(name)) }
            if path.is(4, "unload") { return (.post, .unload(name)) }
            return nil
        default:
            guard path.is(1, "systemsharedmemory") || path.is(1, "cudasharedmemory") else { return nil }
            return ([.get, .post], .sharedMemory)
        }
    }

    private static func v2Models(_ path: Path) -> (Methods, RESTRoute)? {
        guard path.count > 2 else { return (.get, .models) }
        if path.count == 3, path.is(2, "stats") { return (.get, .statistics(nil, version: nil)) }
        guard let name = path.name(2) else { return nil }
        var version: String?
        var next = 3
        if path.is(3, "versions") {
            guard let number = path.version(4) else { return nil }
            version = number
            next = 5
        }
        if path.count == next { return (.get, .model(name, version: version)) }
        if path.count == next + 2, path.is(next, "trace"), path.is(next + 1, "setting") {
            return ([.get, .post], .traceSetting)
        }
        guard path.count == next + 1 else { return nil }
        if path.is(next, "infer") { return (.post, .infer(name, version: version)) }
        if path.is(next, "ready") { return (.get, .modelReady(name, version: version)) }
        if path.is(next, "config") { return (.get, .modelConfig(name, version: version)) }
        if path.is(next, "stats") { return (.get, .statistics(name, version: version)) }
        return nil
    }

    private static func v1(_ path: Path) -> (Methods, RESTRoute)? {
        guard path.is(1, "models") else { return nil }
        guard path.count > 2 else { return (.get, .v1Models) }
        guard path.count == 3, let name = path.name(2) else { return nil }
        if let model = name.dropped(suffix: ":predict") { return (.post, .predict(model)) }
        if let model = name.dropped(suffix: ":explain") { return (.post, .explain(model)) }
        return (.get, .v1Model(name))
    }
}

extension String {
    /// Without the suffix; nil where it is not there, or all there is.
    fileprivate func dropped(suffix: String) -> String? {
        guard hasSuffix(suffix), utf8.count > suffix.utf8.count else { return nil }
        return String(dropLast(suffix.count))
    }
}
