import Connectors
import Events
import Restore
import Synthesis
import SystemPackage
import TestKit
import Testing
import Vault

struct BlobRestoreTests {
    private func plan(_ bench: Bench) throws -> RestorePlan {
        try bench.plan(
            BlobRestore.request(bench.account, as: bench.head, at: .maildir(path: bench.mail.path.string)))
    }

    @Test("What is missing is put back, what is damaged is replaced and kept in the vault; undo brings the damage back")
    func both() throws {
        let bench = try Bench()
        bench.mail.makeFolder(".Box")
        for number in 0..<5 { bench.mail.deliver(number < 3 ? "" : ".Box", "\(number).a:2,S", "body \(number)") }
        try bench.scan()
        let content = bench.content("Mail")
        #expect(try plan(bench).steps.isEmpty)
        bench.mail.remove("", "0.a:2,S")
        // As large as before: only its bytes tell.
        Tree.write(bench.mail.file("", "cur", "1.a:2,S"), utf8("bOdy 1"), modified: 1_700_000_000)
        Tree.write(bench.mail.file(".Box", "cur", "3.a:2,S"), [], modified: 1_700_000_000)
        let damaged = bench.content("Mail")
        let plan = try plan(bench)
        #expect(plan.count(.deliver) == 3 && plan.count(.remove) == 2)
        #expect(bench.content("Mail") == damaged)
        try BlobRestore.keepDamaged(plan, in: bench.vault)
        let report = try RestoreRun(bench.vault, plan, operation: bench.operation(), kind: "blobs").run()
        #expect(report.restored == 3 && report.removed == 2 && report.unrestored.isEmpty)
        #expect(bench.content("Mail") == content)
        _ = try bench.undo(report.operation)
        #expect(bench.content("Mail") == damaged)
    }

    @Test("Flags and folders that people have changed since are left alone")
    func others() throws {
        let bench = try Bench()
        bench.mail.makeFolder(".Box")
        bench.mail.deliver("", "1.a:2,S", "one")
        bench.mail.deliver("", "2.b:2,S", "two")
        try bench.scan()
        bench.mail.move("", "1.a:2,S", to: ".Box", "1.a:2,S")
        bench.mail.move("", "2.b:2,S", to: "", "2.b:2,FS")
        #expect(try plan(bench).steps.isEmpty)
    }
}
