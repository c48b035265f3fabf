import Connectors
import Events
import Restore
import Synthesis
import SystemPackage
import TestKit
import Testing
import Vault

struct SavedPlanTests {
    private func bench() throws -> Bench {
        let bench = try Bench()
        bench.mail.makeFolder(".Box")
        bench.mail.makeFolder(".line\nbreak\u{1B}[31m")
        for number in 0..<6 { bench.mail.deliver(number % 2 == 0 ? "" : ".Box", "\(number).a:2,S", "body \(number)") }
        bench.mail.deliver(utf8(".line\nbreak\u{1B}[31m"), Array("7.a".utf8) + [0xFE] + Array(":2,F".utf8), utf8("odd"))
        try bench.scan()
        return bench
    }

    private func save(_ bench: Bench, _ request: RestoreRequest) throws -> [UInt8] {
        try SavedPlan.encoded(try bench.plan(request), kind: "restore", in: bench.vault)
    }

    private func run(_ bench: Bench, _ file: [UInt8]) throws -> (plan: RestorePlan, report: RestoreReport) {
        let saved = try SavedPlan(file, for: bench.vault)
        let plan = saved.narrowed(try bench.plan(saved.request))
        return (plan, try RestoreRun(bench.vault, plan, operation: bench.operation(), kind: saved.kind).run())
    }

    @Test("A plan that was saved does later what it said, odd names too; run again it skips all of it")
    func later() throws {
        let bench = try bench()
        let file = try save(bench, try bench.request())
        bench.mail.deliver("", "8.late:2,", "came later")
        try bench.scan()
        let first = try run(bench, file)
        #expect(first.report.restored == 7 && first.report.unrestored.isEmpty && first.plan.warnings.isEmpty)
        bench.mail.remove("", "8.late:2,")
        #expect(bench.content() == bench.content("Mail"))
        let second = try run(bench, file)
        #expect(second.report.restored == 0 && second.report.skipped == 7)
    }

    @Test("What has been done meanwhile is skipped, and what would have to be done besides is left out and said")
    func narrowed() throws {
        let bench = try bench()
        try bench.restore(bench.request())
        let out = MaildirFixture(bench.scratch.appending("out"))
        out.remove("", "0.a:2,S")
        out.remove("", "2.a:2,S")
        let file = try save(bench, try bench.request())
        let item = try #require(try bench.item("0.a"))
        try bench.restore(bench.request(.items([item])))
        out.remove(".Box", "1.a:2,S")
        let (plan, report) = try run(bench, file)
        #expect(report.restored == 1 && report.skipped == 1)
        #expect(plan.warnings.contains { $0.contains("1 things") })
        #expect(bench.content().messages.count == 6)
    }

    @Test("Items, deletions and changes are selected again as they were saved")
    func selections() throws {
        let bench = try bench()
        let before = try bench.head
        let item = try #require(try bench.item("0.a"))
        bench.mail.remove("", "0.a:2,S")
        try bench.scan()
        let range = TransactionID(rawValue: before.rawValue + 1)...(try bench.head)
        var items = try bench.request(.items([item]), to: "items")
        items.into = [utf8("Là"), [0xFF, 0x41]]
        for (request, count) in [
            (items, 1), (try bench.request(.deleted(range, keyword: utf8("undelete_01_02_26")), to: "deleted"), 1),
            (try bench.request(.account(deletedSince: range.lowerBound), to: "all"), 7),
            (try bench.request(.changes(range, [.init(item: item, kinds: .deleted)]), to: "changes"), 1),
        ] {
            let saved = try SavedPlan(try save(bench, request), for: bench.vault)
            #expect(saved.request.selection == request.selection && saved.request.into == request.into)
            #expect(saved.request.only == request.only && saved.request.isExact == request.isExact)
            #expect(saved.narrowed(try bench.plan(saved.request)).count(.deliver) == count)
        }
    }

    @Test("A plan of another vault, or as of a transaction that is not there, is refused")
    func otherVault() throws {
        let bench = try bench()
        let file = try save(bench, try bench.request())
        let other = Scratch("other")
        var generator = SeededGenerator(seed: 77)
        try OpenVault.create(other.appending("vault"), clock: bench.clock.wall, using: &generator)
        let stranger = try OpenVault(other.appending("vault"), clock: bench.clock.wall)
        #expect(code { _ = try SavedPlan(file, for: stranger) } == .refused)
        func forged(_ from: String, _ to: String) -> [UInt8] {
            let lines = String(decoding: file, as: UTF8.self).replacing(from, with: to).split(separator: "\n")
                .dropLast()
            let text = lines.map { $0 + "\n" }.joined()
            return Array((text + "{\"end\":\"sha256:\(Digest(hashing: Array(text.utf8).span.bytes).hex)\"}\n").utf8)
        }
        let point = try bench.head.rawValue
        #expect(try SavedPlan(forged("restore", "restore"), for: bench.vault).steps == 7)
        #expect(
            code { _ = try SavedPlan(forged("\"point\":\(point)", "\"point\":\(point - 1)"), for: bench.vault) }
                == .outOfRange)
        #expect(
            code { _ = try SavedPlan(forged("\"point\":\(point)", "\"point\":\(point + 9)"), for: bench.vault) }
                == .outOfRange)
        #expect(
            code { _ = try SavedPlan(forged("\"yestermail_plan\":1", "\"yestermail_plan\":2"), for: bench.vault) }
                == .refused)
        #expect(code { _ = try SavedPlan(forged("\"steps\":7", "\"steps\":8"), for: bench.vault) } == .refused)
        for selection in [
            "[\"changes\",0,1]", "[\"changes\",1,18446744073709551615]", "[\"deleted\",3,2]", "[\"account\",99]",
        ] {
            let file = forged("\"select\":\"account\"", "\"select\":\(selection)")
            #expect(code { _ = try SavedPlan(file, for: bench.vault) } == .refused, "\(selection)")
        }
        // A forged step is of no avail: the vault does not plan it.
        let saved = try SavedPlan(forged("\"do\":\"deliver\"", "\"do\":\"remove\""), for: bench.vault)
        #expect(saved.narrowed(try bench.plan(saved.request)).steps.isEmpty)
    }

    @Test(
        "A file that was cut, or in which anything was changed, is refused, and never ends the program",
        arguments: [1, 2, 3])
    func hostile(_ seed: UInt64) throws {
        let bench = try bench()
        let file = try save(bench, try bench.request())
        for length in 0..<file.count {
            #expect(code { _ = try SavedPlan(Array(file[..<length]), for: bench.vault) } != nil)
        }
        var generator = SeededGenerator(seed: seed)
        let header = Array(file.prefix { $0 != 10 })
        for _ in 0..<400 {
            var bytes = file
            bytes[Int.random(in: bytes.indices, using: &generator)] ^= UInt8.random(in: 1...255, using: &generator)
            #expect(code { _ = try SavedPlan(bytes, for: bench.vault) } != nil, "seed \(seed)")
            // With a right end, whatever stands before it: refused or read, and nothing else.
            var lines = Array(file.dropLast().split(separator: 10).dropLast().joined(separator: [10])) + [10]
            for _ in 0..<3 {
                let place = Int.random(
                    in: 0..<(Bool.random(using: &generator) ? header.count : lines.count), using: &generator)
                lines[place] = [UInt8](Array("{}[]\",:\\u0019".utf8) + [0, 0xFF]).randomElement(using: &generator) ?? 0
            }
            let end = "{\"end\":\"sha256:\(Digest(hashing: lines.span.bytes).hex)\"}\n"
            do { _ = try SavedPlan(lines + Array(end.utf8), for: bench.vault) } catch {
                #expect(error is Failure, "seed \(seed)")
            }
        }
        let deep = Array(String(repeating: "[", count: 100_000).utf8) + [10]
        #expect(code { _ = try SavedPlan(deep + deep + deep, for: bench.vault) } == .refused)
    }
}
