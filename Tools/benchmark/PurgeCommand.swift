import ArgumentParser
import Glibc
import Synthesis
import Vault

/// What a purge costs and gives back, and what becomes of a vault in ten years.
struct PurgeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Years of an account with a purge each week; one large purge; a scan beside one.")

    @Option(help: "Years that go by.") var years = 10
    @Option(help: "Messages that come each week.") var weekly = 200
    @Option(help: "Messages of the one large purge.") var messages = 20_000
    @Option(help: "Times that a scan is measured alone and beside a purge.") var rounds = 5
    @Option(help: "Tables, comma between: large,beside,life.") var only = "large,beside,life"
    @Option var seed: UInt64 = 1
    @Option(help: "Where to work; removed afterwards.") var work: String?

    func run() throws {
        let work = work ?? Shell.temporary("purge")
        try Shell.makeDirectory(work)
        defer { Shell.removeTree(work) }
        print(Machine.report(workingDirectory: work))
        let wanted = only.split(separator: ",")
        if wanted.contains("large") { print(try large(work + "/large").text) }
        if wanted.contains("beside") { print(try beside(work).text) }
        if wanted.contains("life") { print(try life(work + "/life").text) }
        print("\nload at the end  " + (Shell.text(of: "/proc/loadavg") ?? ""))
    }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private func large(_ path: String) throws -> Table {
        var table = Table(
            "half of \(messages) messages deleted and purged",
            ["", "MB"])
        let account = try SimulatedAccount(path, seed: seed)
        for _ in 0..<messages / 500 { try account.receive(500) }
        try account.delete(half: true)
        account.days(31)
        let before = account.bytes()
        let began = PurgeCommand.now()
        let plan = try account.plan()
        let planned = PurgeCommand.now() - began
        let purgeBegan = PurgeCommand.now()
        let report = try account.purge()
        let purged = PurgeCommand.now() - purgeBegan
        let after = account.bytes()
        try account.compact()
        let compacted = account.bytes()
        func row(_ name: String, _ bytes: Int) { table.add([name, Figure.fixed(Double(bytes) / 1e6, 2)]) }
        row("packs and segments before", before.kept)
        row("the dry run says would come back", plan.bytes)
        row("came back, by the purge", report.bytes)
        row("came back, by the disk", before.kept - after.kept)
        row("databases before", before.databases)
        row("databases when made anew", compacted.databases)
        row("peak memory of all of it", account.peakMemory)
        table.notes = [
            "of what it said came back: \(Figure.fixed(Double(before.kept - after.kept) / Double(max(plan.bytes, 1)) * 100, 1)) %",
            "dry run \(Figure.short(planned)) s, purge \(Figure.short(purged)) s",
        ]
        return table
    }

    /// The first scan of one account, alone, and while a purge of another account of the vault goes on.
    private func beside(_ work: String) throws -> Table {
        var table = Table(
            "the first scan of an account, beside a purge of half of \(messages * 5) messages of another",
            ["", "s, alone", "s, beside", "ratio", "goal"])
        let (vault, mail) = (work + "/beside", work + "/mail")
        do {
            let account = try SimulatedAccount(vault, seed: seed)
            for _ in 0..<messages / 100 { try account.receive(500) }
            try account.delete(half: true)
        }
        _ = try MailCorpus(.real, seed: seed).write(to: mail)
        let binary = Yestermail.builtBinary
        func run(_ arguments: [String], of vault: String) throws -> Double {
            let measured = try Measurement(Command(arguments: [binary, "--vault", vault, "--quiet"] + arguments))
            guard measured.status == 0 else { throw BenchFailure("\(arguments[0]): \(measured.complaint)") }
            return measured.wall
        }
        _ = try run(["account", "add", "other@example.org", "--source", "maildir:" + mail], of: vault)
        var (alone, beside, ratios, purges): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
        var overtaken = 0
        for _ in 0..<rounds {
            func copy() throws -> String {
                Shell.removeTree(work + "/copy")
                guard Shell.output(["cp", "-a", "--", vault, work + "/copy"]) != nil, Shell.output(["sync"]) != nil
                else {
                    throw BenchFailure("\(vault) cannot be copied")
                }
                return work + "/copy"
            }
            alone.append(try run(["scan", "other"], of: copy()))
            let begun = try copy()
            let began = PurgeCommand.now()
            let purge = try Shell.start(
                [binary, "--vault", begun, "--quiet", "purge", "--yes"], output: "/dev/null", error: work + "/purge.err"
            )
            beside.append(try run(["scan", "other"], of: begun))
            if Shell.hasEnded(purge) { overtaken += 1 }
            guard try Shell.wait(for: purge).status == 0 else {
                throw BenchFailure(Shell.text(of: work + "/purge.err") ?? "purge")
            }
            purges.append(PurgeCommand.now() - began)
            ratios.append(beside[beside.count - 1] / alone[alone.count - 1])
        }
        table.add(["scan", Figure.spread(alone), Figure.spread(beside), Figure.spread(ratios), "1.5"])
        table.notes = [
            "the purge took \(Figure.spread(purges)) s; it was over before the scan \(overtaken) times of \(rounds)"
        ]
        return table
    }

    private func life(_ path: String) throws -> Table {
        var table = Table(
            "\(years) years, \(weekly) messages a week, nine of ten deleted within weeks, a purge each week: MB",
            [
                "year", "messages seen", "kept", "raw, kept", "packs", "segments", "LMDB", "projections",
                "vault / raw kept",
            ])
        let account = try SimulatedAccount(path, seed: seed)
        for year in 1...years {
            for week in 0..<52 {
                try account.receive(weekly)
                try account.delete(half: false)
                account.days(7)
                _ = try account.purge()
                if week % 13 == 12 { try account.compact() }
            }
            let sizes = account.sizes()
            let kept = try account.kept()
            func megabytes(_ bytes: Int) -> String { Figure.fixed(Double(bytes) / 1e6, 2) }
            table.add([
                "\(year)", "\(account.count)", "\(kept.messages)", megabytes(kept.bytes), megabytes(sizes.packs),
                megabytes(sizes.segments), megabytes(sizes.lmdb), megabytes(sizes.projections),
                Figure.fixed(
                    Double(sizes.packs + sizes.segments + sizes.lmdb + sizes.projections) / Double(max(kept.bytes, 1)),
                    2),
            ])
        }
        table.notes = ["peak memory \(account.peakMemory / 1_000_000) MB"]
        return table
    }
}
