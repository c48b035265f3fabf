import Connectors
import Events
import Foundation
import Glibc
import Journal
import Synthesis
import SystemPackage
import TestKit
import Testing
import Vault

/// The program is killed at random moments; what it had said is kept, and the next run goes on.
struct KillTests {
    /// `YESTERMAIL_KILLS`: how many in all. The default is for every day; 200 before a release.
    private static let kills = getenv("YESTERMAIL_KILLS").flatMap { Int(String(cString: $0)) } ?? 40

    private static let verbs = ["scan", "watch", "rebuild", "restore"]

    @Test("Killed at any moment, no verb loses what was acknowledged, and run again it completes", arguments: verbs)
    func killed(verb: String) throws {
        let mail = try LivingMaildir(SeededGenerator.announced("killed \(verb)"))
        for round in 1...max(1, Self.kills / Self.verbs.count) {
            let comment: Comment = "\(verb), round \(round), seed \(mail.generator.seed)"
            switch verb {
            case "scan":
                mail.change(30)
                try mail.killed("scan", "--json")
                try mail.scanned(comment)
            case "watch":
                let child = try mail.killed("watch", "--json") { child in
                    guard mail.generator.chance(70) else { return }
                    #expect(child.says("ready"), comment)
                    for _ in 0..<mail.generator.number(1..<6) { mail.change(5) }
                }
                let told = try child.lines.compactMap { line in
                    (try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])?["last_txid"] as? UInt64
                }
                #expect(try mail.journal() >= told.max() ?? 0, comment)
                try mail.scanned(comment)
            case "rebuild":
                mail.change(5)
                try mail.scanned(comment)
                try mail.killed("rebuild")
                #expect(try mail.program.run("rebuild", "--verify").status == 0, comment)
            default:
                mail.change(25)
                try mail.scanned(comment)
                Tree.remove(mail.out)
                for _ in 0..<mail.generator.number(1..<3) {
                    try mail.killed("restore", "account", "anna", "--to", "maildir:\(mail.out)", "--json")
                }
                let answer = try mail.program.run("restore", "account", "anna", "--to", "maildir:\(mail.out)", "--json")
                #expect(answer.status == 0, "\(comment): \(answer.error)")
                let differences = mail.differences()
                #expect(differences == [], comment)
            }
            _ = try mail.journal()
        }
        let check = try mail.program.run("check", "--read-data", "--json")
        #expect(check.status == 0, "\(check.text) \(check.error)")
        Tree.remove(mail.out)
        #expect(try mail.program.run("restore", "account", "anna", "--to", "maildir:\(mail.out)").status == 0)
        let differences = mail.differences()
        #expect(differences == [], "\(verb), seed \(mail.generator.seed)")
    }
}

/// A Maildir that changes at random, its vault, and the program.
final class LivingMaildir {
    let scratch = Scratch("kill")
    let mail: MaildirFixture
    let program: CommandLineProgram
    var generator: SeededGenerator
    let out: FilePath
    private var files: [(folder: String, name: String)] = []
    private var count = 0
    private static let folders = ["", ".Box", ".Box.Sub", ".Trash"]

    init(_ generator: SeededGenerator) throws {
        self.generator = generator
        mail = MaildirFixture(scratch.appending("Mail"))
        out = scratch.appending("out")
        for folder in Self.folders.dropFirst() { mail.makeFolder(folder) }
        program = CommandLineProgram(vault: scratch.appending("vault"))
        try program.run("init")
        try program.run("account", "add", "anna@example.org", "--source", "maildir:\(mail.path)")
        change(200)
    }

    func start(_ arguments: String...) throws -> ProgramChild {
        try ProgramChild(vault: program.vault, arguments, output: scratch.appending("child"))
    }

    /// Runs the program until it has written to the vault or to the target of a restore some number of times, anything
    /// from not at all to the whole way (or has nothing to do for a moment), then kills it. `before` is done first while it
    /// runs.
    @discardableResult
    func killed(
        _ arguments: String..., before: (ProgramChild) throws -> Void = { _ in }
    ) throws -> ProgramChild {
        let child = try ProgramChild(vault: program.vault, arguments, output: scratch.appending("child"))
        try before(child)
        let watch = TreeWatch([program.vault, scratch.path])
        watch.wait(
            for: generator.number(0..<generator.element([4, 30, 400])), orEndOf: child.ended, milliseconds: 250)
        child.signal(SIGKILL)
        child.wait()
        return child
    }

    /// Some deliveries, moves, flags, and removals.
    func change(_ number: Int) {
        for _ in 0..<number {
            let what = files.count < 20 ? 0 : generator.number(0..<10)
            if what < 5 {
                count += 1
                let (folder, name) = (generator.element(Self.folders), "\(count).\(generator.number(0..<1_000)):2,S")
                let size = generator.element([3, 40, 900])
                mail.deliver(folder, name, "Subject: \(count)\n\n" + String(repeating: "line \(count)\n", count: size))
                files.append((folder, name))
                continue
            }
            let index = generator.number(0..<files.count)
            let file = files[index]
            switch what {
            case 5, 6:
                files[index].folder = generator.element(Self.folders)
                mail.move(file.folder, file.name, to: files[index].folder, file.name)
            case 7, 8:
                let flags = generator.element(["", "S", "RS", "FS", "ST"])
                files[index].name = String(file.name.prefix { $0 != ":" }) + ":2," + flags
                mail.move(file.folder, file.name, to: nil, files[index].name)
            default:
                files.remove(at: index)
                mail.remove(file.folder, file.name)
            }
        }
    }

    /// A scan that ends well, after which nothing is new.
    func scanned(_ comment: Comment) throws {
        let answer = try program.run("scan", "--json")
        #expect(answer.status == 0, "\(comment): \(answer.error)")
    }

    /// The number of transactions, none missing.
    func journal() throws -> UInt64 {
        let vault = try OpenVault(program.vault, readOnly: true)
        let head = try vault.journal.head().transaction
        var next: UInt64 = 1
        try vault.journal.scan(from: TransactionID(rawValue: 1), through: head) { record in
            #expect(record.id.rawValue == next)
            next += 1
            return true
        }
        #expect(next == head.rawValue + 1)
        return head.rawValue
    }

    func differences() -> [String] {
        MailboxContent(readingMaildir: out.string)
            .differences(from: MailboxContent(readingMaildir: mail.path.string))
    }
}
