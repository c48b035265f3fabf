import Events
import Restore
import Synthesis
import TestKit
import Testing
import Vault

struct OperationTests {
    @Test("The journal keeps what a restore could not do, item by item with its cause, and what it left alone")
    func details() throws {
        let bench = try Bench()
        bench.mail.makeFolder(".fine")
        bench.mail.deliver("", "1.a:2,S", "one")
        bench.mail.deliver(".fine", "2.b:2,S", "two")
        bench.mail.deliver("", "3.c:2,", "another")
        try bench.scan()
        let out = MaildirFixture(bench.scratch.appending("out"))
        out.deliver("", "1.a:2,F", "not the same")
        let item = try #require(try bench.item("1.a"))
        let report = try bench.restore(bench.request())
        let operation = try bench.vault.operation(report.operation.description)
        let details = try bench.vault.details(of: operation)
        #expect(details.passedOver.map(\.item) == [item] && details.unrestored == report.unrestored)
        #expect(operation.outcome?.number("skipped") == 1)
    }

    @Test("More than fit into one note are all there")
    func many() throws {
        let bench = try Bench()
        let out = MaildirFixture(bench.scratch.appending("out"))
        for number in 0..<1_100 {
            bench.mail.deliver("", "\(number).a:2,", "m")
            out.deliver("", "\(number).a:2,", "other")
        }
        try bench.scan()
        let report = try bench.restore(bench.request())
        let details = try bench.vault.details(of: bench.vault.operation(report.operation.description))
        #expect(details.passedOver.count == 1_100 && report.skipped == 1_100)
    }

    @Test("Of a restore that was stopped, what was known by then is there")
    func stopped() throws {
        let bench = try Bench()
        bench.mail.deliver("", "1.a:2,", "one")
        try bench.scan()
        let out = MaildirFixture(bench.scratch.appending("out"))
        out.deliver("", "1.a:2,", "other")
        #expect(code { try bench.restore(bench.request(), isStopped: { true }) } == .interrupted)
        let operation = try #require(try bench.vault.operations().first)
        #expect(try bench.vault.details(of: operation).passedOver.count == 1)
    }
}
