import Blobs
import Capture
import Connectors
import Events
import Glibc
import Journal
import Projections
import Restore
import TestKit
import Testing
import Vault

/// All of the real mail with `YESTERMAIL_REAL_MAIL=all`, else a sample.
private let isAll = getenv("YESTERMAIL_REAL_MAIL").map { String(cString: $0) } == "all"

/// An account on a server, captured by a vault of its own.
private final class Captured {
    let scratch = Scratch("real")
    let vault: OpenVault
    let account: Account
    let place: Location
    private var generator = SeededGenerator(seed: 5)

    init(_ url: String) throws {
        place = try Location(url)
        let path = scratch.appending("vault")
        try OpenVault.create(path, using: &generator)
        vault = try OpenVault(path)
        account = try vault.addAccount("anna@example.org", sources: [url], using: &generator)
    }

    func scan() throws -> PassReport { try SmartScan(vault, account, place.openSource()).run() }

    func restore(to url: String) throws -> RestoreReport {
        let request = RestoreRequest(
            account: account, point: try vault.journal.head().transaction, selection: .account(deletedSince: nil),
            target: try Location(url))
        let operation = UniqueID(using: &generator)
        let plan = try RestorePlanner.plan(vault, request)
        return try RestoreRun(vault, plan, operation: operation).run()
    }

    /// `folder flags keywords date` of each message by its bytes.
    func messages() throws -> [(bytes: [UInt8], what: String)] {
        let projections = try vault.projections()
        var pointers: [ItemPointer] = []
        try projections.pointers(account.number, asOf: projections.position()) { pointers.append($0) }
        var states: [ItemID: ItemState] = [:]
        try vault.journal.states(pointers) { if !$0.state.isDeleted { states[$0.item] = $0.state } }
        let reader = vault.blobs.reader()
        return try states.values.compactMap { state in
            guard let message = state.message, let digest = message.digest,
                let folder = states[ItemID(.folder, message.folder)]?.folder?.joinedPath
            else { return nil }
            let bytes = try reader.read(digest) { $0.withUnsafeBytes { Array($0) } }
            let keywords = message.keywords.map { String(decoding: $0, as: UTF8.self) }
            return (
                bytes,
                "\(String(decoding: folder, as: UTF8.self)) \(message.flags.rawValue) \(keywords) \(message.internalDate.seconds)"
            )
        }
    }
}

/// What a server makes of bytes it cannot keep, undone as far as that is possible: equal for two messages that differ by nothing
/// else (`Specs/Interfaces/Servers.md`, "What servers offer").
private func canonical(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var isHeader = true
    var previous: UInt8 = 0
    // Zero bytes come back as 0x80, or not at all; CR without LF is lost; of what is not ASCII a header keeps nothing.
    for byte in bytes where byte != 13 {
        if byte == 10, previous == 10 { isHeader = false }
        previous = byte
        if isHeader, byte > 0x7F {
            result.append(UInt8(ascii: "X"))
        } else if byte != 0, byte != 0x80 {
            result.append(byte)
        }
    }
    return result
}

@Suite("Real mail on real servers")
struct RealMailTests {
    @Test(
        "What one server has comes to the other as it is, and is the same when it is captured there",
        .enabled(if: TestData.hasMail, Comment(rawValue: TestData.absence)),
        .enabled(if: RealServer.isAvailable(.dovecot) && RealServer.isAvailable(.cyrus), "no servers here"),
        arguments: [RealServer.Kind.dovecot, .cyrus])
    func journey(kind: RealServer.Kind) throws {
        let (first, second) = (
            try RealServer.shared(kind), try RealServer.shared(kind == .dovecot ? .cyrus : .dovecot)
        )
        let (url, client) = try ServerAccount.fresh(on: first)
        var refused: [String: Int] = [:]
        var (count, refusals) = (0, 0)
        var folders: Set<String> = []
        let all = TestData.mailSmall() + TestData.mboxes()
        for (number, (name, bytes)) in all.sorted(by: { $0.name < $1.name }).enumerated() {
            guard isAll || number % (name.contains("nasty") ? 4 : 24) == 0 else { continue }
            let folder = name.split(separator: "/").dropLast().last.map { String($0.filter { $0 != "." }) } ?? "INBOX"
            if folders.insert(folder).inserted { _ = try client.command("CREATE \(folder)") }
            var (wire, previous): ([UInt8], UInt8) = ([], 0)
            DeliveredForm.networkLines.append(bytes.span.bytes, after: &previous, to: &wire)
            let flags = ["", "\\Seen", "\\Flagged $Work", "\\Answered \\Seen note", "\\Deleted"][number % 5]
            let day = 11 + number % 15
            let answer = try client.command(
                "APPEND \(folder) (\(flags)) \"\(day)-Feb-20\(day - 1) 10:00:\(10 + number % 50) +0000\" \(wire.contains(0) ? "~" : ""){\(wire.count)}",
                wire)
            count += 1
            if !answer.isOK {
                refusals += 1
                refused[String(answer.end.prefix(60)), default: 0] += 1
            }
        }
        let source = try Captured(url)
        let captured = try source.scan()
        #expect(captured.isComplete && captured.created == count - refusals)
        let (other, _) = try ServerAccount.fresh(on: second)
        let report = try source.restore(to: other)
        let target = try Captured(other)
        #expect(try target.scan().isComplete)
        let (before, after) = (try source.messages(), try target.messages())
        #expect(report.restored == before.count - report.unrestored.count && after.count == report.restored)
        // Each of the second is one of the first, but for what a server does not keep.
        var left: [String: Int] = [:]
        var exact = Set<String>()
        for (bytes, what) in before {
            left["\(Digest(hashing: canonical(bytes).span.bytes)) \(what)", default: 0] += 1
            exact.insert("\(Digest(hashing: bytes.span.bytes)) \(what)")
        }
        var (altered, strange): (Int, [String]) = (0, [])
        for (bytes, what) in after {
            let key = "\(Digest(hashing: canonical(bytes).span.bytes)) \(what)"
            if let number = left[key], number > 0 {
                left[key] = number - 1
                if !exact.contains("\(Digest(hashing: bytes.span.bytes)) \(what)") {
                    altered += 1
                }
            } else {
                strange.append("\(what): \(String(decoding: bytes.prefix(80), as: UTF8.self))")
            }
        }
        let lost = left.values.reduce(0, +)
        print(
            "\(kind): \(count) messages, refused at first \(refusals) \(refused), unrestored \(report.unrestored.count), altered by servers \(altered), strange \(strange.count)"
        )
        #expect(strange.isEmpty, "\(strange.prefix(3))")
        #expect(lost == report.unrestored.count)
    }
}
