import Events
import Foundation
import Synthesis
import SystemPackage
import TestKit
import Testing

/// After an erasure no byte of an account is in any file of its vault.
struct EraseTests {
    private static let canaries = ["CANARYSUBJECT", "CANARYBODY", "CANARYFOLDER", "canaryaddress", "canarysender"]

    @Test(
        "An erased account has left no byte in any file, everything else verifies, and what others have too stays theirs"
    )
    func erased() throws {
        let scratch = Scratch("erase")
        let program = CommandLineProgram(vault: scratch.appending("vault"))
        try program.run("init")
        let boxes = [
            ("canaryaddress", MaildirFixture(scratch.appending("one"))),
            ("other", MaildirFixture(scratch.appending("two"))),
        ]
        for (name, box) in boxes {
            box.makeFolder(name == "other" ? ".Plain" : ".CANARYFOLDER")
            try program.run("account", "add", "\(name)@example.org", "--source", "maildir:\(box.path)")
        }
        for number in 1...30 {
            let folder = number % 3 == 0 ? ".CANARYFOLDER" : ""
            boxes[0].1.deliver(
                folder, "\(number).a:2,S",
                "From: canarysender\(number)@example.org\nSubject: CANARYSUBJECT \(number)\nMessage-ID: <canarysender\(number)@x>\n\nCANARYBODY \(number) \(String(repeating: "text ", count: number * 40))\n"
            )
            boxes[1].1.deliver(
                number % 3 == 0 ? ".Plain" : "", "\(number).b:2,S", "Subject: other \(number)\n\nplain \(number)\n")
        }
        boxes[0].1.deliver("", "shared.a:2,", "Subject: to both\n\nshared\n")
        boxes[1].1.deliver("", "shared.b:2,", "Subject: to both\n\nshared\n")
        try program.run("scan")
        boxes[0].1.remove("", "1.a:2,S")
        boxes[0].1.move("", "2.a:2,S", to: ".CANARYFOLDER", "2.a:2,RS")
        try program.run("scan")
        #expect(try program.run("find", "canaryaddress", "CANARYSUBJECT").status == 0)
        #expect(try program.run("checkpoint", "--output", scratch.appending("note").string).status == 0)
        #expect(Self.found(scratch.appending("vault")) != [], "the scan for them finds them where they are")
        #expect(try program.run("purge", "--erase", "canaryaddress").status == 6)
        #expect(try program.run("account", "hold", "canaryaddress").status == 0)
        #expect(try program.run("purge", "--erase", "canaryaddress", "--yes").status == 6)
        #expect(try program.run("account", "unhold", "canaryaddress").status == 0)
        #expect(try program.run("hold", "add", "--query", "larger:100").status == 0)
        #expect(try program.run("purge", "--erase", "canaryaddress", "--yes").status == 6)
        #expect(try program.run("hold", "remove", "h1").status == 0)
        #expect(try program.run("purge", "--erase", "canaryaddress", "--dry-run").status == 0)
        let answer = try program.run("purge", "--erase", "canaryaddress", "--yes", "--json")
        #expect(answer.status == 0, "\(answer.error)")
        #expect(Self.found(scratch.appending("vault")) == [])
        for arguments in [
            ["check", "--read-data"], ["verify-log", "--checkpoint", scratch.appending("note").string],
            ["replay", "other", "--verify"], ["rebuild", "--verify"],
        ] {
            let answer = try program.run(arguments)
            #expect(answer.status == 0, "\(arguments): \(answer.text) \(answer.error)")
        }
        #expect(try program.run("account", "show", "canaryaddress").status == 4)
        let out = scratch.appending("out")
        #expect(try program.run("restore", "account", "other", "--to", "maildir:\(out)").status == 0)
        #expect(
            MailboxContent(readingMaildir: out.string).differences(
                from: MailboxContent(readingMaildir: boxes[1].1.path.string)) == [])
    }

    /// Files that have any of the canaries in them, in whatever case.
    private static func found(_ directory: FilePath) -> [String] {
        var found: [String] = []
        for name in Tree.names(directory) {
            let path = Tree.child(directory, name)
            if let bytes = Tree.read(path) {
                let data = Data(bytes)
                for canary in canaries where data.range(of: Data(canary.utf8)) != nil {
                    found.append("\(path): \(canary)")
                }
            } else {
                found += Self.found(path)
            }
        }
        return found
    }
}
