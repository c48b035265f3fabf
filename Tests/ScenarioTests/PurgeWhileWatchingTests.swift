import Blobs
import Events
import Files
import Foundation
import Glibc
import SystemPackage
import TestKit
import Testing
import Vault

/// A purge returns the space of the databases too while a watch has the vault open.
struct PurgeWhileWatchingTests {
    private func size(_ path: FilePath) -> Int {
        var found = stat()
        return stat(path.string, &found) == 0 ? Int(found.st_size) : 0
    }

    @Test(
        "While a watch runs, a purge gives back the space of journal, projections and index of blobs; the watch goes on in what it left"
    )
    func watched() throws {
        let now = WallClock.system.now()
        let scene = try PurgeScene(
            .announced("purge while watching"), from: Timestamp(rawValue: now.rawValue - 100 * 86_400_000_000))
        let mail = MaildirFixture(scene.scratch.appending("mail"))
        for number in 1...3 { mail.deliver("", "\(number).a:2,S", "Subject: \(number)\n\nfirst\n") }
        let anna = try scene.account("anna")
        _ = try scene.vault.addAccount("bert@example.org", sources: ["maildir:\(mail.path)"], using: &scene.generator)
        let count: UInt32 = 6_000
        let texts = (1...count).map { "Subject: \($0)\n\n\(scene.generator.next())\n" }
        try scene.vault.appendBlobs {
            let encoder = scene.vault.blobs.encoder()
            for text in texts { try encoder.add(Array(text.utf8).span.bytes) }
            try scene.vault.blobs.append(encoder.finish())
            try scene.vault.blobs.sync()
        }
        let items = (1...count).map { ItemID(.message, $0) }
        for first in stride(from: 0, to: items.count, by: 50) {
            try scene.record(
                anna,
                (first..<min(first + 50, items.count)).map { index in
                    Change(
                        items[index], .created,
                        ItemState(
                            MessageState(
                                folder: 1,
                                content: .blob(
                                    Digest(hashing: Array(texts[index].utf8).span.bytes),
                                    size: UInt64(texts[index].utf8.count)),
                                internalDate: now, sourceName: Array("name \(index)".utf8))))
                })
        }
        try scene.delete(anna, items)
        scene.close()
        let program = CommandLineProgram(vault: scene.path)
        let watch = try ProgramChild(
            vault: scene.path, ["watch", "bert", "--json"], output: scene.scratch.appending("watch"))
        #expect(watch.says("ready"))
        let files = ["journal/lmdb/data.mdb", "projections/data.mdb", "blobs/index/data.mdb"].map(scene.path.appending)
        let before = files.map(size)
        let answer = try program.run("purge", "--json")
        #expect(answer.status == 0, "\(answer.error)")
        #expect(try answer.object["compacted"] as? Bool == true)
        for (file, before) in zip(files, before) {
            #expect(size(file) < before / 2, "\(file): \(before), \(size(file))")
        }
        mail.deliver("", "4.b:2,", "Subject: second\n\nsecond\n")
        #expect(watch.says("\"created\":1"))
        // Nobody holds what was replaced any more.
        let maps = String(
            decoding: FileManager.default.contents(atPath: "/proc/\(watch.process)/maps") ?? Data(), as: UTF8.self)
        let held = maps.split(separator: "\n").filter { $0.contains("data.mdb") }
        #expect(held.count >= 3 && !held.contains { $0.hasSuffix("(deleted)") }, "\(held)")
        watch.signal(SIGTERM)
        watch.wait()
        #expect(try program.run("ls", "bert:INBOX", "--json").lines.count == 4)
        for arguments in [
            ["check", "--read-data"], ["verify-log"], ["replay", "bert", "--verify"], ["rebuild", "--verify"],
        ] {
            let answer = try program.run(arguments)
            #expect(answer.status == 0, "\(arguments): \(answer.text) \(answer.error)")
        }
    }
}
