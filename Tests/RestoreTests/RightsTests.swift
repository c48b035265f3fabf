import Capture
import Connectors
import Events
import Restore
import SystemPackage
import TestKit
import Testing
import Vault

/// A user of a real server who is captured.
private struct Captured {
    let client: WireClient
    let account: Account
    let home: Location

    init(_ kind: RealServer.Kind, _ bench: Bench, as address: String = "carla@example.org") throws {
        let (url, client) = try ServerAccount.fresh(on: RealServer.shared(kind))
        (self.client, home) = (client, try Location(url))
        var generator = SeededGenerator(seed: 2)
        account = try bench.vault.addAccount(address, sources: [home.description], using: &generator)
        try client.done("CREATE Work")
        try client.append("Work", Array("Subject: x\r\n\r\nx\r\n".utf8))
    }

    func scan(_ bench: Bench) throws { _ = try SmartScan(bench.vault, account, home.openSource()).run() }

    func request(_ bench: Bench, to target: Location) throws -> RestoreRequest {
        RestoreRequest(
            account: account, point: try bench.head, selection: .account(deletedSince: nil), target: target)
    }
}

/// The rights each identifier has, by a client that knows nothing of the product.
private func rights(_ client: WireClient) throws -> [String: Set<Character>] {
    let line = try #require(try client.done("GETACL Work").texts.first { $0.hasPrefix("* ACL ") })
    let words = line.split(separator: " ").dropFirst(3).map { $0.filter { $0 != "\"" } }
    var found: [String: Set<Character>] = [:]
    for place in stride(from: 0, to: words.count - 1, by: 2) { found[words[place]] = Set(words[place + 1]) }
    return found
}

private func comment(_ client: WireClient, _ entry: String) throws -> String {
    try client.done("GETMETADATA Work (\(entry))").lines.map { String(decoding: $0, as: UTF8.self) }.joined()
}

@Suite("Rights and annotations", .serialized)
struct RightsTests {
    private static func whenThereAre() -> ConditionTrait {
        .enabled(if: RealServer.isAvailable(.dovecot) && RealServer.isAvailable(.cyrus), "no servers here")
    }

    @Test("They come back on another account, of the same server and of another", whenThereAre())
    func elsewhere() throws {
        for (from, to) in [(RealServer.Kind.dovecot, RealServer.Kind.dovecot), (.dovecot, .cyrus), (.cyrus, .dovecot)] {
            let bench = try Bench()
            let captured = try Captured(from, bench)
            try captured.client.done("SETACL Work bob@example.test lrs")
            try captured.client.done("SETACL Work erin@example.test lrswipkxtea")
            try captured.client.done("SETMETADATA Work (/private/comment \"mine\" /shared/comment \"ours\")")
            try captured.scan(bench)
            let (url, client) = try ServerAccount.fresh(on: RealServer.shared(to))
            let request = try captured.request(bench, to: try Location(url))
            let report = try bench.restore(request)
            #expect(report.restored == 1 && report.unrestored.isEmpty, "\(from) to \(to): \(report.unrestored)")
            let now = try rights(client)
            #expect(now["bob@example.test"] == Set("lrs"))
            #expect(now["erin@example.test"]?.isSuperset(of: "lrswipkxtea") == true)
            #expect(try comment(client, "/private/comment").contains("mine"))
            #expect(try comment(client, "/shared/comment").contains("ours"))
            let again = try bench.plan(request)
            #expect(again.attributes.isEmpty && again.steps.isEmpty, "\(from) to \(to): \(again.folders)")
        }
    }

    @Test("What a server refuses or does not have is unrestored with its words, and the rest is given", whenThereAre())
    func refused() throws {
        let bench = try Bench()
        let captured = try Captured(.cyrus, bench)
        try captured.client.done("SETACL Work anyone lr")
        try captured.client.done("SETACL Work bob@example.test lrsn")
        try captured.scan(bench)
        let (url, client) = try ServerAccount.fresh(on: RealServer.shared(.dovecot))
        let report = try bench.restore(try captured.request(bench, to: try Location(url)))
        #expect(report.restored == 1)
        let details = report.unrestored.map(\.detail).sorted()
        #expect(details.count == 2 && report.unrestored.allSatisfy { $0.cause == .refused }, "\(details)")
        #expect(
            details.contains { $0.hasPrefix("acl anyone of Work: ") && $0.contains("disallowed") }, "\(details)")
        #expect(details.contains { $0.hasPrefix("acl bob@example.test of Work: ") && $0.hasSuffix("right n") })
        #expect(try rights(client)["bob@example.test"] == Set("lrs"))

        let other = try Captured(.dovecot, bench, as: "otto@example.org")
        try other.client.done("SETMETADATA Work (/private/vendor/x.y/z \"v\")")
        try other.scan(bench)
        let (place, _) = try ServerAccount.fresh(on: RealServer.shared(.cyrus))
        let second = try bench.restore(try other.request(bench, to: try Location(place)))
        #expect(second.unrestored.map(\.detail) == ["metadata /private/vendor/x.y/z of Work: Permission denied"])

        // Where there is nothing of the kind, it is said beforehand.
        let files = try bench.plan(
            try captured.request(bench, to: .mbox(path: bench.scratch.appending("files").string)))
        #expect(files.warnings.contains { $0.contains("anyone") })
    }

    @Test(
        "At home only what is missing is given, unless it is to be as it was", whenThereAre(),
        arguments: [RealServer.Kind.dovecot, .cyrus])
    func home(kind: RealServer.Kind) throws {
        let bench = try Bench()
        let captured = try Captured(kind, bench)
        try captured.client.done("SETACL Work bob@example.test lrs")
        try captured.client.done("SETACL Work dave@example.test lr")
        try captured.client.done("SETMETADATA Work (/private/comment \"mine\")")
        try captured.scan(bench)
        try captured.client.done("DELETEACL Work bob@example.test")
        try captured.client.done("SETACL Work dave@example.test lrsw")
        try captured.client.done("SETACL Work erin@example.test lrs")
        try captured.client.done("SETMETADATA Work (/private/comment \"other\")")
        var request = try captured.request(bench, to: captured.home)
        let own = try rights(captured.client)[
            try #require(captured.home.owner.map { String(decoding: $0, as: UTF8.self) })]

        let plan = try bench.plan(request)
        #expect(
            plan.attributes.count == 1 && plan.conflicts.count { $0.why.contains("kept") } == 2, "\(plan.conflicts)")
        #expect(try bench.restore(request).unrestored.isEmpty)
        var now = try rights(captured.client)
        #expect(now["bob@example.test"] == Set("lrs"))
        #expect(now["erin@example.test"] == Set("lrs") && now["dave@example.test"]?.contains("w") == true)

        request.isExact = true
        #expect(try bench.restore(request).unrestored.isEmpty)
        now = try rights(captured.client)
        #expect(now["erin@example.test"] == nil && now["dave@example.test"] == Set("lr"))
        #expect(now[String(decoding: captured.home.owner ?? [], as: UTF8.self)] == own)
        #expect(try comment(captured.client, "/private/comment").contains("mine"))
        #expect(try bench.plan(request).attributes.isEmpty)
    }
}
