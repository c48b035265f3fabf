internal import Synthesis
internal import SystemPackage
internal import TestKit

/// The day of a vault, step by step: what every sweep goes through. The same for every run but for times and IDs.
enum ScriptedDay {
    struct Step: Sendable {
        let name: String
        /// What happens before it.
        var before: @Sendable (World) -> Void = { _ in }
        let arguments: [String]
        /// Done by the worker, not by the program.
        var isWork = false
        /// It begins with damage, which is healed afterwards.
        var isDamaged = false
        /// It sets things aside, as it should.
        var setsAside = false
        /// Its answer acknowledges that the mailbox was captured.
        var captures = false
    }

    private static func deliver(_ world: World, _ folder: String, _ numbers: Range<Int>, lines: Int = 4) {
        for number in numbers {
            world.mail.deliver(
                folder, "\(number).x:2,S",
                "Subject: number \(number)\nMessage-ID: <\(number)@example.org>\n\n"
                    + String(repeating: "line \(number)\n", count: lines))
        }
    }

    private static let restore = ["restore", "account", "anna", "--to"]

    static func steps(_ world: World, isShort: Bool) -> [Step] {
        let (out, mail) = (world.out.string, world.source.string)
        let many = isShort ? 260 : 300
        return [
            // Killed in its first append, the journal in LMDB is empty beside a segment, and is made anew.
            Step(name: "init", arguments: ["init", "--json"], setsAside: true),
            Step(
                name: "account add",
                before: { world in
                    for folder in [".Box", ".Box.Sub", ".Trash"] { world.mail.makeFolder(folder) }
                    deliver(world, "", 1..<9)
                    deliver(world, ".Box", 9..<13, lines: 700)
                    deliver(world, ".Trash", 13..<14)
                }, arguments: ["account", "add", "anna@example.org", "--source", "maildir:\(mail)", "--json"]),
            Step(name: "first scan", arguments: ["scan", "--json"], captures: true),
            Step(name: "checkpoint", arguments: ["checkpoint", "--json"]),
            Step(
                name: "scan of changes",
                before: { world in
                    world.mail.move("", "1.x:2,S", to: nil, "1.x:2,RS")
                    world.mail.move("", "2.x:2,S", to: ".Trash")
                    world.mail.remove("", "3.x:2,S")
                    world.mail.remove(".Box", "9.x:2,S")
                    world.mail.renameFolder(".Box.Sub", to: ".Other")
                    deliver(world, ".Other", 20..<23)
                    world.mail.move("", "4.x:2,S", to: ".Other", "40.x:2,FS")
                }, arguments: ["scan", "--json"], captures: true),
            Step(
                name: "large scan", before: { deliver($0, ".Box", 100..<100 + many) }, arguments: ["scan", "--json"],
                captures: true),
            Step(name: "restore", arguments: restore + ["maildir:\(out)", "--json"]),
            Step(
                name: "restore into the mailbox",
                before: { world in
                    world.mail.remove("", "5.x:2,S")
                    world.mail.remove("", "6.x:2,S")
                }, arguments: restore + ["maildir:\(mail)", "--json"]),
            Step(name: "check", arguments: ["check", "--read-data", "--json"]),
            Step(name: "rebuild", arguments: ["rebuild"], setsAside: true),
            Step(name: "rebuild --verify", arguments: ["rebuild", "--verify"]),
            Step(name: "seal", arguments: ["work", "seal"], isWork: true),
            Step(
                name: "opening of a copy without databases",
                before: { world in
                    for name in ["journal/lmdb", "blobs/index", "projections", "headers"] {
                        Tree.remove(world.vault.appending(name))
                    }
                }, arguments: ["scan", "--json"], isDamaged: true, captures: true),
            Step(
                name: "repair",
                before: { world in
                    let lmdb = world.vault.appending("journal/lmdb/data.mdb")
                    var bytes = Tree.read(lmdb) ?? []
                    for index in 4096 * 3..<4096 * 6 { bytes[index] = 0 }
                    Tree.write(lmdb, bytes)
                    if let pack = Tree.names(world.vault.appending("blobs/packs")).first {
                        Tree.flip(Tree.child(world.vault.appending("blobs/packs"), pack), byte: 100, bit: 3)
                    }
                    if let segment = Tree.names(world.vault.appending("journal/segments")).first {
                        Tree.flip(Tree.child(world.vault.appending("journal/segments"), segment), byte: 300, bit: 5)
                    }
                }, arguments: ["check", "--repair", "--json"], isDamaged: true),
        ]
    }
}
