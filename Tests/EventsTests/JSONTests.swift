import Events
import Foundation
import TestKit
import Testing

struct JSONTests {
    private func json(_ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        body(&writer)
        return text(writer.bytes)
    }

    private func state(_ item: ItemID, _ state: ItemState, _ kinds: ChangeKinds, path: String? = nil) -> String {
        json { writer in
            writer.beginObject()
            writer.stateMembers(
                state,
                StateContext(
                    transaction: TransactionID(rawValue: 1042), start: Samples.date, item: item, kinds: kinds,
                    origin: .realtime, folderPath: path.map { Array($0.utf8) }))
            writer.endObject()
        }
    }

    @Test("A message's state has the keys of the contract, in its order")
    func message() {
        #expect(
            state(ItemID(.message, 7), ItemState(Samples.message), [.moved, .flags], path: "INBOX/Contracts")
                == #"{"txid":1042,"start_date":"2026-03-02T12:58:38.123456Z","type":"message","item":"m7","deleted":false,"#
                + #""folder":"f2","folder_path":"INBOX/Contracts","flags":["\\Seen"],"tags":["$Forwarded","$Work"],"#
                + #""digest":"sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","size":48211,"#
                + #""internal_date":"2026-03-02T12:58:38.123456Z","change":["flags","moved"],"origin":"realtime"}"#)
    }

    @Test("A deleted message keeps digest and folder; an unreadable one says why it has none")
    func deletedAndUnreadable() {
        let deleted = state(ItemID(.message, 7), ItemState(Samples.message, isDeleted: true), .deleted, path: "A")
        #expect(deleted.contains(#""deleted":true,"folder":"f2","folder_path":"A","#))
        #expect(deleted.contains(#""digest":"sha256:2cf2"#))
        var message = Samples.message
        message.content = .unreadable(5)
        #expect(
            state(ItemID(.message, 7), ItemState(message), .created)
                .contains(
                    #""folder_path":null,"flags":["\\Seen"],"tags":["$Forwarded","$Work"],"digest":null,"size":null,"unreadable_errno":5,"#
                ))
    }

    @Test("All flags are named in one order, and a keyword is never said twice")
    func flags() {
        var message = Samples.message
        message.flags = MessageFlags(rawValue: 63)
        message.keywords = [utf8("$Forwarded"), utf8("b")]
        #expect(
            state(ItemID(.message, 7), ItemState(message), .created).contains(
                #""flags":["\\Answered","\\Deleted","\\Draft","\\Flagged","\\Seen"],"tags":["$Forwarded","b"],"#))
    }

    @Test("A folder's and an account's state have their keys")
    func others() {
        #expect(
            state(ItemID(.folder, 2), ItemState(Samples.folder), .created)
                == #"{"txid":1042,"start_date":"2026-03-02T12:58:38.123456Z","type":"folder","item":"f2","deleted":false,"#
                + #""path":"INBOX/Contracts","subscribed":true,"uid_validity":7,"source_name":".INBOX.Contracts","#
                + #""change":["created"],"origin":"realtime"}"#)
        #expect(
            state(ItemID(.account, 1), ItemState(Samples.account), .created)
                == #"{"txid":1042,"start_date":"2026-03-02T12:58:38.123456Z","type":"account","item":"a1","deleted":false,"#
                + #""address":"anna@example.org","account_id":"01234567-89ab-4def-8123-456789abcdef","#
                + #""sources":["maildir:/var/mail/anna"],"enabled":true,"held":false,"change":["created"],"origin":"realtime"}"#
        )
        #expect(
            state(ItemID(.contact, 3), ItemState(.other([1, 2])), .created).contains(#""type":"contact","item":"c3","#))
    }

    @Test("Names that are not Unicode come as the nearest text and exactly in base64")
    func bytes() throws {
        let names: [[UInt8]] = [[0xFF], [0x41, 0xC3], [0x80, 0x42, 0x43], utf8("a\"\\\u{1B}[31m") + [0xFE]]
        for name in names {
            var folder = Samples.folder
            (folder.path, folder.sourceName) = ([name], name)
            let object = try parsed(state(ItemID(.folder, 1), ItemState(folder), .created))
            for key in ["path_b64", "source_name_b64"] {
                let exact = try #require(object[key] as? String)
                #expect(Data(base64Encoded: exact).map { Array($0) } == name)
            }
            #expect((object["path"] as? String)?.contains("\u{FFFD}") == true)
            var message = Samples.message
            message.keywords = [name]
            let tags = try parsed(state(ItemID(.message, 1), ItemState(message), .created))["tags_b64"] as? [String]
            #expect(tags == [Data(name).base64EncodedString()])
        }
    }

    private func parsed(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test("Any text is JSON that reads back as the text, and never drives a terminal")
    func strings() throws {
        var generator = SeededGenerator.announced()
        for _ in 0..<500 {
            let scalars = (0..<generator.number(0..<20)).map { _ in
                Unicode.Scalar(UInt32(generator.number(0..<(generator.chance(70) ? 0x180 : 0x11_0000)))) ?? "x"
            }
            let original = String(String.UnicodeScalarView(scalars))
            let written = json {
                $0.beginArray()
                $0.value(original)
                $0.endArray()
            }
            let back = try JSONSerialization.jsonObject(with: Data(written.utf8)) as? [String]
            #expect(back.map { Array($0[0].unicodeScalars) } == scalars)
            #expect(
                written.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) })
        }
    }

    @Test("Numbers come whole, from the least to the greatest")
    func numbers() {
        #expect(json { $0.value(Int64.min) } == "-9223372036854775808")
        #expect(json { $0.value(UInt64.max) } == "18446744073709551615")
        #expect(json { $0.value(0) } == "0")
    }

    @Test("Commas and brackets nest, and a note is an object with its kind")
    func nesting() {
        let note = Note(
            .gap,
            [
                .init("from", .time(Samples.date)), .init("n", .number(-1)), .init("t", .text([0x41])),
                .init("f", .flag(true)),
            ])
        let written = json { writer in
            writer.beginObject()
            writer.key("a")
            writer.beginArray()
            writer.endArray()
            writer.key("b")
            writer.beginArray()
            writer.value(1)
            writer.beginObject()
            writer.endObject()
            writer.null()
            writer.value(false)
            writer.endArray()
            writer.key("note")
            writer.note(note)
            writer.endObject()
            writer.endLine()
            writer.value(2)
        }
        #expect(
            written
                == "{\"a\":[],\"b\":[1,{},null,false],\"note\":{\"type\":\"gap\",\"from\":\"2026-03-02T12:58:38.123456Z\","
                + "\"n\":-1,\"t\":\"A\",\"f\":true}}\n2")
    }

    @Test("Base64 is that of Foundation for every length")
    func base64() {
        var generator = SeededGenerator.announced()
        for length in 0..<70 {
            let bytes = generator.bytes(length)
            #expect(json { $0.value(base64: bytes) } == "\"\(Data(bytes).base64EncodedString())\"")
        }
    }
}
