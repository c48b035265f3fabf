import Capture
import Connectors
import Events
import Projections
import Restore
import SystemPackage
import TestKit
import Testing
import Vault

/// Rights of others on folders: captured, restored, compared, taken back.
struct ShareTests {
    private func rights(_ bench: Bench, _ mailbox: String, _ folder: String = ".Shared") -> String? {
        let path = bench.scratch.appending(mailbox).appending(folder).appending("dovecot-acl")
        return Tree.read(path).map { String(decoding: $0, as: UTF8.self) }
    }

    private func write(_ bench: Bench, _ mailbox: String, _ text: String, _ folder: String = ".Shared") {
        Tree.write(bench.scratch.appending(mailbox).appending(folder).appending("dovecot-acl"), utf8(text))
    }

    private func bench(_ acl: String) throws -> Bench {
        let bench = try Bench()
        bench.mail.makeFolder(".Shared")
        bench.mail.deliver(".Shared", "1.a:2,", "one")
        write(bench, "Mail", acl)
        try bench.scan()
        return bench
    }

    private func shares(
        _ bench: Bench, to name: String = "Mail", at point: TransactionID? = nil, others: [String] = ["ben@example.org"]
    ) throws -> RestoreRequest {
        var request = try bench.request(at: point, to: name)
        request.only = .shares
        var generator = SeededGenerator(seed: 9)
        for address in others where try !bench.vault.accounts().contains(where: { $0.state.address == address }) {
            _ = try bench.vault.addAccount(address, sources: [], using: &generator)
        }
        request.rights = .remapped(IdentityMap(unchanged: try bench.vault.accounts()))
        return request
    }

    @Test("Rights are captured from a Maildir, and a changed right is a change of the folder alone")
    func captured() throws {
        let bench = try bench("user=ben@example.org lrs\ngroup=staff l\n-user=eve r\n")
        func attributes() throws -> [String] {
            let projections = try bench.vault.projections()
            var found: [String] = []
            var folders: [ItemID] = []
            try projections.pointers(bench.account.number, asOf: bench.head) {
                if $0.item.kind == .folder { folders.append($0.item) }
            }
            for item in folders {
                let pointer = try #require(try projections.pointer(bench.account.number, item, asOf: bench.head))
                let state = try bench.vault.journal.state(item, at: pointer).state.folder
                found += (state?.attributes ?? []).map { String(decoding: $0.name + [61] + $0.value, as: UTF8.self) }
            }
            return found
        }
        #expect(try attributes() == ["acl $staff=l", "acl -eve=r", "acl ben@example.org=lrs"])
        write(bench, "Mail", "user=ben@example.org lr\n")
        let report = try bench.report()
        #expect(report.foldersChanged == 1 && report.foldersCreated == 0)
        #expect(try attributes() == ["acl ben@example.org=lr"])
        #expect(try bench.report().foldersChanged == 0)
    }

    @Test("A restored account has the rights it had; undo takes them away again, and what somebody changed since stays")
    func restored() throws {
        let text = "user=ben@example.org lrs\n\"user=a b\" l\nanyone l :named\n"
        let bench = try bench(text)
        let plan = try bench.plan(bench.request())
        #expect(plan.attributes.count == 3)
        let report = try bench.restore(bench.request())
        #expect(report.attributes == 3 && report.unrestored.isEmpty && report.losses.isEmpty)
        #expect(Set(try some(rights(bench, "out")).split(separator: "\n")) == Set(text.split(separator: "\n")))
        #expect(try bench.plan(bench.request()).isEmpty)
        write(bench, "out", "user=ben@example.org lrs\n\"user=a b\" lr\nanyone l :named\n")
        let undone = try bench.undo(report.operation)
        #expect(undone.plan.attributes.count == 2)
        #expect(rights(bench, "out") == "\"user=a b\" lr\n")
    }

    @Test("Rights that are others now are kept unless they are asked for; exact takes away what was given since")
    func changed() throws {
        let bench = try bench("user=ben lrs\n")
        let point = try bench.head
        write(bench, "Mail", "user=ben l\nuser=eve lrw\n")
        let kept = try bench.plan(bench.request(at: point, to: "Mail"))
        #expect(kept.attributes.isEmpty && kept.conflicts.count == 1)
        var request = try bench.request(at: point, to: "Mail")
        request.isExact = true
        try bench.scan()
        let report = try bench.restore(request)
        #expect(rights(bench, "Mail") == "user=ben lrs\n")
        _ = try bench.undo(report.operation)
        #expect(Set(try some(rights(bench, "Mail")).split(separator: "\n")) == ["user=ben l", "user=eve lrw"])
    }

    @Test("A target without rights has them named, in the plan and in the journal")
    func named() throws {
        let bench = try bench("user=ben@example.org lrs\n")
        var request = try bench.request()
        request.target = .eml(path: bench.scratch.appending("plain").string)
        let report = try bench.restore(request)
        let operation = try bench.vault.operation(report.operation.description)
        let warnings = try bench.vault.details(of: operation).warnings
        #expect(warnings.count == 1 && warnings.first?.contains("ben@example.org lrs") == true)
    }

    @Test("Shares that are as they were are no finding; missing, other, added ones and those of nobody are")
    func compared() throws {
        let bench = try bench("user=ben@example.org lrs\nuser=carla lr\nanyone l\n")
        let sound = try bench.plan(shares(bench, others: ["ben@example.org", "carla@example.org"]))
        #expect(sound.shares.isEmpty && sound.isEmpty, "\(sound.shares)")
        // The same rights in other words and another order.
        write(bench, "Mail", "user=carla rl\nuser=ben@example.org srl\nanyone l\n")
        #expect(try bench.plan(shares(bench)).shares.isEmpty)
        write(bench, "Mail", "user=ben@example.org l\nuser=stranger lr\nanyone l\n")
        let found = try bench.plan(shares(bench))
        #expect(
            found.shares.map { "\($0.kind.rawValue) \(String(decoding: $0.identifier, as: UTF8.self))" } == [
                "differs ben@example.org", "missing carla", "extra stranger",
            ])
        #expect(found.shares.last?.detail.contains("nobody") == true)
        let report = try bench.restore(shares(bench))
        #expect(report.attributes == 2)
        #expect(try bench.plan(shares(bench)).shares.map(\.kind) == [.extra])
        // A grant the vault has, to somebody it does not know.
        try bench.scan()
        #expect(try bench.plan(shares(bench)).shares.map(\.kind) == [.unknown])
    }

    @Test("A share of a folder that is gone is reported, and no folder is made for it")
    func noFolder() throws {
        let bench = try bench("user=ben@example.org lrs\n")
        bench.mail.removeFolder(".Shared")
        let plan = try bench.plan(shares(bench))
        #expect(plan.shares.map(\.kind) == [.noFolder] && plan.isEmpty && plan.unrestored.count == 1)
    }

    @Test(
        "A mount point is a mailbox of another that is subscribed; it is made again, and one that leads nowhere is named"
    )
    func mountPoints() throws {
        let bench = try Bench()
        var generator = SeededGenerator(seed: 3)
        let ben = try bench.vault.addAccount("ben@example.org", sources: [], using: &generator)
        try bench.vault.commit([
            JournalEntry(
                account: ben.number, origin: .scan,
                changes: [
                    Change(
                        ItemID(.folder, 1), .created,
                        ItemState(FolderState(path: [utf8("Projects")], sourceName: utf8(".Projects"))))
                ])
        ])
        bench.mail.makeFolder(".Own")
        let file = bench.mail.path.appending("subscriptions")
        Tree.write(
            file,
            utf8(
                "V\t2\n\nOwn\nshared\tben@example.org\tProjects\nshared\tben@example.org\tGone\nshared\tnobody\tX\n"))
        try bench.scan()
        let whole = try bench.restore(bench.request())
        #expect(whole.unrestored.isEmpty)
        let copied = try some(Tree.read(bench.scratch.appending("out/subscriptions")))
        #expect(Set(copied.split(separator: 10)) == Set(try some(Tree.read(file)).split(separator: 10)))
        let plan = try bench.plan(shares(bench))
        #expect(plan.shares.map(\.kind) == [.nowhere, .nowhere])
        Tree.write(file, utf8("V\t2\n\nOwn\n"))
        let missing = try bench.plan(shares(bench))
        #expect(missing.shares.filter { $0.kind == .missing }.count == 3 && missing.subscriptions?.count == 4)
        try bench.restore(shares(bench))
        #expect(Set(try some(Tree.read(file)).split(separator: 10)) == Set(copied.split(separator: 10)))
        // A restore of one's own subscriptions leaves the others alone.
        bench.mail.makeFolder(".More")
        try bench.restore(bench.request(to: "Mail"))
        #expect(Set(try some(Tree.read(file)).split(separator: 10)) == Set(copied.split(separator: 10)))
    }
}
