internal import FuzzTargets
internal import Synthesis
internal import SystemPackage
internal import TestKit

/// Real input of each decoder: what a fuzzer begins with.
enum FuzzSeeds {
    static func of(_ target: FuzzTarget, _ tools: World.Tools) -> [[UInt8]] {
        switch target {
        case .record, .segment, .sealed, .pack, .checkpoint, .proof: vault(target, World(tools, "fuzz"))
        case .headers, .mbox: mail(target)
        case .maildir:
            lines([
                "1700000000.M123P45.host,S=1234,W=1260:2,FRS", "1.x:2,", "2.y,S=18446744073709551615:2,abcXYZ", "x",
                "a:1,b",
                "INBOX.&AOQ-&IKw-.&-", "Entw&APw-rfe", "&U,BTFw-", "3 V1 N4 G0123\n1 W5 :1700.x\n2 :y\n", ".&AC4-.x",
            ])
        case .time:
            lines([
                "now", "yesterday 14:00", "2h ago", "monday 09:30", "2026-03-03", "2026-03-03 14:00 Europe/Rome",
                "@184467",
                "before:m7", "first", "last", "3 days ago", "2026-03-29T02:30:00+02:00", "2026-02-30", "last friday",
                "noon",
                "2026-W10", "1h30m ago", "operation:12", "before:operation:12", "@0", "9999-12-31 23:59:60",
                "today 24:00",
            ])
        case .query:
            lines([
                "from:anna subject:\"hello world\"", "(a or b) -c", "flag:seen is:deleted",
                "before:yesterday after:2026-01-01",
                "size:>1M", "has:attachment", "<id@example.org>", "body:text not folder:INBOX",
                "tag:x or (from:y to:z)", "larger:10k",
            ])
        case .imap:
            lines([
                "* OK [CAPABILITY IMAP4rev1 CONDSTORE] ready\r\n",
                "* 3 FETCH (UID 7 FLAGS (\\Seen $x) BODY[] {5}\r\nabcde)\r\n",
                "* LIST (\\HasNoChildren) \"/\" \"a b\"\r\n* LSUB () NIL &AOQ-\r\n", "a1 NO [ALERT] no\r\n",
                "* VANISHED (EARLIER) 1:5,7,9:*\r\n", "* STATUS x (MESSAGES 4 UIDNEXT 5 HIGHESTMODSEQ 99)\r\n",
                "* 1 FETCH (INTERNALDATE \"01-Jan-2026 00:00:00 +0000\" RFC822.SIZE 44 MODSEQ (9))\r\n", "+ go on\r\n",
                "* SEARCH 1 2 3\r\n* ESEARCH (TAG \"a\") UID ALL 1:3\r\n", "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n",
                "* 2 FETCH (BODYSTRUCTURE (\"text\" \"plain\" (\"charset\" \"x\") NIL NIL \"7bit\" 1 1))\r\n",
                "* BYE\r\n",
                "* ENABLED QRESYNC CONDSTORE\r\n* FLAGS (\\Answered \\* $x)\r\n* 6 EXISTS\r\n* 0 RECENT\r\n* 5 EXPUNGE\r\n",
                "* 4 FETCH (EMAILID (M1) THREADID (T2) SAVEDATE \"01-Jan-2026 00:00:00 +0000\" X-GUID 1.M2 X-NEW ((1 2) \"x\"))\r\n",
                "* 4 FETCH (EMAILID NIL THREADID NIL SAVEDATE NIL BODY[HEADER.FIELDS (MESSAGE-ID)] {0}\r\n BODY[TEXT]<0> \"q\\\"\")\r\n",
                "* 4 FETCH (UID 9 BINARY[] ~{3}\r\na\0c RFC822 NIL RFC822.HEADER \"\" RFC822.TEXT {1}\r\nx)\r\n",
                "* ACL \"a b\" anna lrswipkxtecda \"-bob\" {2}\r\nlr\r\n* MYRIGHTS INBOX lrs\r\n",
                "* METADATA INBOX (/private/comment \"My\" /shared/x NIL \"/shared/y\" {3}\r\nabc)\r\n* METADATA \"\" /shared/comment /private/y\r\n",
                "* QUOTA \"\" (STORAGE 10 512 MESSAGE 1 2)\r\n* QUOTAROOT INBOX \"\" x\r\n* QUOTAROOT INBOX\r\n",
                "* OK [PERMANENTFLAGS (\\Answered \\*)] x\r\n* OK [UIDVALIDITY 1795216695] x\r\n* OK [UIDNEXT 3] x\r\n",
                "* OK [HIGHESTMODSEQ 15] x\r\n* OK [MAILBOXID (nqlwh9ke)] x\r\n* OK [CLOSED] x\r\n* OK [NOMODSEQ] x\r\n",
                "y7 OK [MODIFIED 7,9] x\r\ny8 NO [METADATA MAXSIZE 1024] x\r\ny9 BAD [BADCHARSET (x y)] x\r\ny NO [X-NEW a \"]\"] x\r\n",
                "* XLIST (\\Noselect \\Sent) NIL {3}\r\na\"b (\"OLDNAME\" (\"c\") \"CHILDINFO\" (\"SUBSCRIBED\"))\r\n",
                "* STATUS {1}\r\nx (MESSAGES 4 UNSEEN 1 SIZE 99 MAILBOXID (a) X-GUID b UIDVALIDITY 7)\r\n",
                "* SEARCH 2 84 (MODSEQ 917)\r\n* SEARCH\r\n* ESEARCH (TAG \"y9\") UID MIN 1 MAX 9 COUNT 2 ALL 4,7:9 MODSEQ 12\r\n* ESEARCH\r\n",
                "* VANISHED 7\r\n* PREAUTH x\r\n* ID NIL\r\n* XSOMETHING new \"that nobody\" (knows) {2}\r\nab\r\n* NAMESPACE NIL NIL ((\"a\" NIL))\r\n",
                "a OK [COPYUID 1 1:2 3:4] done\r\na OK [APPENDUID 1 2] x\r\n* ID (\"name\" \"x\")\r\n",
            ])
        }
    }

    private static func lines(_ all: [String]) -> [[UInt8]] { all.map { Array($0.utf8) } }

    /// The files of a vault of some messages.
    private static func vault(_ target: FuzzTarget, _ world: World) -> [[UInt8]] {
        var found: [[UInt8]] = []
        for step in ScriptedDay.steps(world, isShort: true) where !step.isDamaged {
            guard ["init", "account add", "first scan", "scan of changes", "seal", "checkpoint"].contains(step.name)
            else {
                continue
            }
            // What is sealed is no raw segment any more, and those that follow have no changes in them.
            if step.name == "seal", target != .sealed { continue }
            step.before(world)
            (step.isWork ? world.worker : world.program).run(step.arguments)
        }
        func files(_ place: String, _ ending: String) -> [[UInt8]] {
            let directory = world.vault.appending(place)
            return Tree.names(directory).filter { $0.suffix(ending.utf8.count).elementsEqual(ending.utf8) }.compactMap {
                Tree.read(Tree.child(directory, $0))
            }
        }
        switch target {
        case .sealed: found = files("journal/segments", ".sealed").map { asFirst($0) }
        case .segment, .record:
            // A small vault's raw segment, the zeros behind its end cut off.
            found = files("journal/segments", ".seg").map { bytes in
                asFirst(Array(bytes[...(bytes.lastIndex { $0 != 0 } ?? 0)]))
            }
            if target == .record { found = found.flatMap(records) }
        case .pack: found = files("blobs/packs", ".pack")
        case .checkpoint:
            found = files("checkpoints", "newest") + files("checkpoints", "key.pub")
        case .proof:
            let made = (1...5).map { world.program.run("prove", "@\($0)") }
            found = made.filter { $0.status == 0 }.map(\.output)
        default: break
        }
        return found.map { Array($0.prefix(30_000)) }
    }

    /// With 1 as the first transaction, which is what the decoder is asked for.
    private static func asFirst(_ segment: [UInt8]) -> [UInt8] {
        guard segment.count >= 72 else { return segment }
        var bytes = segment
        bytes.replaceSubrange(24..<32, with: [0, 0, 0, 0, 0, 0, 0, 1])
        // Each by its own format: what belongs into a record would be damage in a sealed block.
        let isSealed = bytes.starts(with: Array("YESTSLD1".utf8))
        (isSealed ? FuzzTarget.sealed : .segment).withChecksums(&bytes)
        return bytes
    }

    private static func records(_ segment: [UInt8]) -> [[UInt8]] {
        var found: [[UInt8]] = []
        var offset = 72
        while offset + 72 <= segment.count {
            let length = segment[offset + 4..<offset + 8].reduce(0) { $0 << 8 | Int($1) }
            guard length >= 72, offset + length <= segment.count else { break }
            found.append(Array(segment[offset..<offset + length]))
            offset += length
        }
        return found
    }

    private static func mail(_ target: FuzzTarget) -> [[UInt8]] {
        let messages = [
            "From: =?utf-8?B?QW5uw6E=?= <anna@example.org>\r\nSubject: =?iso-8859-1?Q?gr=FC=DFe?=\r\n =?utf-8?q?_x?=\r\nDate: Mon, 2 Mar 2026 10:11:12 +0100\r\nMessage-ID: <a@b>\r\nReferences: <1@x> <2@x>\r\n\r\nbody\r\n",
            "Subject: multi\nContent-Type: multipart/mixed; boundary=\"b\"\nMIME-Version: 1.0\n\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\ngr=C3=BC=\n\n--b\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\nPGI+eDwvYj4=\n--b\nContent-Disposition: attachment; filename*=utf-8''a%20b\nContent-Type: application/octet-stream\n\nxx\n--b--\n",
            "From: a\nTo: b, c:d;\nDate: 31 Dec 99 23:59 EST\n\n", "\n", "X:\n y\n\tz\n\n<p>text</p>",
            "Content-Type: text/html; charset=koi8-r\n\n<html><body><script>x</script>&amp;&#x41;<a href=\"y\">z</a></body>",
        ].map { Array($0.utf8) }
        guard target == .mbox else { return messages }
        let line = Array("From anna@example.org Mon Mar  2 10:11:12 2026\n".utf8)
        return messages.map { line + $0 + [10] } + [
            messages.flatMap { line + $0 + [10] },
            Array("From x Thu Jan  1 00:00:00 1970\nContent-Length: 5\nStatus: RO\nX-Status: AF\n\n>From \n\n".utf8),
            Array("From x Thu Jan  1 00:00:00 1970\nX-Mozilla-Status: 0001\nX-Keywords: a b\n\n>>From x\n".utf8),
        ]
    }
}
