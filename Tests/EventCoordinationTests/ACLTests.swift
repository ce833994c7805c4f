// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import EventCoordination

@Suite struct ACLTests {
    private func rule(
        _ permission: ACLPermission, _ operation: ACLOperation, _ name: String = "t",
        _ pattern: ACLPatternType = .literal,
        principal: String = "User:alice", host: String = "*", type: ACLResourceType = .topic
    ) -> ACLBinding {
        ACLBinding(
            resourceType: type, name: name, patternType: pattern, principal: principal, host: host,
            operation: operation, permission: permission)
    }

    private func store(_ rules: ACLBinding..., open: Bool = false) -> ACLStore {
        var store = ACLStore(superUsers: ["User:root"], allowsWithoutRules: open)
        for rule in rules {
            #expect(rule.problem == nil)
            store.add(rule)
        }
        return store
    }

    private func allows(
        _ store: ACLStore, _ operation: ACLOperation, _ name: String = "t", principal: String = "User:alice",
        host: String = "10.0.0.1"
    ) -> Bool {
        store.allows(principal: principal, host: host, operation, on: .topic, name)
    }

    @Test func defaultsDecideWhereNoRuleIs() {
        #expect(!allows(store(), .read))
        #expect(allows(store(open: true), .read))
        #expect(allows(store(), .read, principal: "User:root"))
        // A rule about the resource, of whomever, ends that.
        #expect(!allows(store(rule(.allow, .read, principal: "User:bob"), open: true), .read))
        #expect(allows(store(rule(.allow, .read, "other", principal: "User:bob"), open: true), .read))
    }

    @Test(arguments: ACLOperation.allCases.filter { $0 != .any })
    func operationsImplyOthers(allowed: ACLOperation) {
        var store = ACLStore()
        store.add(rule(.allow, allowed))
        for asked in ACLOperation.allCases where asked != .any && asked != .all {
            let implied: Bool =
                allowed == .all || allowed == asked
                || (asked == .describe && [.read, .write, .delete, .alter].contains(allowed))
                || (asked == .describeConfigs && allowed == .alterConfigs)
            #expect(allows(store, asked) == implied, "\(allowed.name) for \(asked.name)")
        }
    }

    @Test func denialsWin() {
        #expect(!allows(store(rule(.allow, .read), rule(.deny, .read)), .read))
        #expect(!allows(store(rule(.allow, .all), rule(.deny, .all, "*")), .read))
        #expect(!allows(store(rule(.allow, .read), rule(.deny, .read, "t", .prefixed)), .read))
        #expect(!allows(store(rule(.allow, .read), rule(.deny, .read, principal: "User:*")), .read))
        // What is denied does not imply.
        #expect(allows(store(rule(.allow, .describe), rule(.deny, .read)), .describe))
        #expect(!allows(store(rule(.deny, .read), open: true), .write))
        #expect(allows(store(rule(.deny, .all)), .read, principal: "User:root"))
    }

    @Test func patternsHostsAndPrincipals() {
        let store = store(
            rule(.allow, .read, "exact"), rule(.allow, .read, "app-", .prefixed),
            rule(.allow, .write, "*", host: "10.0.0.1"), rule(.allow, .create, principal: "User:*"))
        #expect(allows(store, .read, "exact"))
        #expect(!allows(store, .read, "exactly"))
        #expect(allows(store, .read, "app-1"))
        #expect(!allows(store, .read, "ap"))
        #expect(allows(store, .write, "anything"))
        #expect(!allows(store, .write, "anything", host: "10.0.0.2"))
        #expect(allows(store, .create, principal: "User:bob"))
        #expect(!allows(store, .read, "exact", principal: "User:bob"))
        #expect(!store.allows(principal: "User:alice", host: "10.0.0.1", .read, on: .group, "exact"))
        #expect(store.operations(principal: "User:alice", host: "10.0.0.2", on: .topic, "app-1") == [.read, .describe])
        #expect(ACLOperationSet.bits([.read, .describe]) == 0b1_0000_1000)
    }

    @Test func someTopicSuffices() {
        func any(_ store: ACLStore) -> Bool {
            store.allowsAny(principal: "User:alice", host: "h", .write, on: .topic)
        }
        #expect(!any(store()))
        #expect(any(store(open: true)))
        #expect(any(store(rule(.allow, .write))))
        #expect(!any(store(rule(.allow, .read))))
        #expect(!any(store(rule(.allow, .write), rule(.deny, .write))))
        #expect(!any(store(rule(.allow, .write), rule(.deny, .all, "*"), open: true)))
        #expect(!any(store(rule(.allow, .write, "app"), rule(.deny, .write, "a", .prefixed))))
        #expect(any(store(rule(.allow, .write, "app", .prefixed), rule(.deny, .write, "app"))))
    }

    @Test func filtersFindPatterns() {
        let rules = [
            rule(.allow, .read, "app"), rule(.allow, .read, "*"), rule(.allow, .read, "a", .prefixed),
            rule(.deny, .write, "b", principal: "User:bob", host: "h"), rule(.allow, .read, "app", type: .group),
        ]
        var store = ACLStore()
        for rule in rules { store.add(rule) }
        func find(_ filter: ACLFilter) -> Set<ACLBinding> { Set(store.describe(filter)) }
        #expect(find(ACLFilter()) == Set(rules))
        #expect(find(ACLFilter(resourceType: .topic, name: "app", patternType: .match)) == Set(rules[0...2]))
        #expect(find(ACLFilter(name: "app")) == [rules[0], rules[4]])
        #expect(find(ACLFilter(name: "a", patternType: .prefixed)) == [rules[2]])
        #expect(find(ACLFilter(name: "app", patternType: .prefixed)).isEmpty)
        #expect(find(ACLFilter(resourceType: .topic, patternType: .literal)) == [rules[0], rules[1], rules[3]])
        #expect(find(ACLFilter(principal: "User:bob")) == [rules[3]])
        #expect(find(ACLFilter(host: "h", operation: .write, permission: .deny)) == [rules[3]])
        #expect(find(ACLFilter(operation: .all)).isEmpty)
        #expect(
            Set(store.delete(ACLFilter(resourceType: .topic, name: "app", patternType: .match))) == Set(rules[0...2]))
        #expect(Set(store.bindings) == [rules[3], rules[4]])
        let added = [store.add(rules[0]), store.add(rules[0])]
        #expect(added == [true, false])
        #expect(store.delete(ACLFilter()).count == 3)
        #expect(store.isEmpty)
    }

    @Test func rulesThatAreNoneAreNamed() {
        let bad = [
            rule(.allow, .any), rule(.any, .read), rule(.allow, .read, "t", .match), rule(.allow, .read, ""),
            rule(.allow, .read, type: .any), rule(.allow, .read, principal: "alice"), rule(.allow, .read, host: ""),
            rule(.allow, .clusterAction), rule(.allow, .alter, "mine", type: .cluster),
            rule(.allow, .read, principal: ":x"), rule(.allow, .write, type: .group),
        ]
        for rule in bad { #expect(rule.problem != nil, "\(rule)") }
        #expect(rule(.allow, .all, "kafka-cluster", type: .cluster).problem == nil)
    }

    @Test func rulesAreStoredAsLines() throws {
        let full = store(rule(.allow, .read), rule(.deny, .all, "ü\n", .prefixed), rule(.allow, .write, "*"))
        var copy = ACLStore()
        try copy.load(full.encoded)
        #expect(copy.bindings == full.bindings)
        #expect(full.encoded.split(separator: 10).count == 3)
        for bad in ["x\n", "{}\n", String(decoding: full.encoded, as: UTF8.self).replacing("ALLOW", with: "ANY")] {
            #expect(throws: RecordFormatError.self) {
                var store = ACLStore()
                try store.load(Array(bad.utf8))
            }
        }
    }
}
