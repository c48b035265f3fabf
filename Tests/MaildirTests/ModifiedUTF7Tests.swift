import Maildir
import TestKit
import Testing

@Suite struct ModifiedUTF7Tests {
    @Test(arguments: [
        ("INBOX", "INBOX"), ("Entwürfe", "Entw&APw-rfe"), ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("a & b", "a &- b"), ("&", "&-"), ("&&", "&-&-"), ("😀", "&2D3eAA-"), ("ü&ü", "&APw-&-&APw-"),
        ("\u{7F}", "&AH8-"), ("\t", "&AAk-"), ("", ""), ("\u{0}", "&AAA-"), ("\u{10FFFF}", "&2,,f,w-"),
    ])
    func `a name and its encoding stand for each other`(name: String, encoded: String) {
        #expect(ModifiedUTF7.encode(bytes(name)).map(text) == encoded)
        #expect(ModifiedUTF7.decode(bytes(encoded)).map(text) == name)
    }

    @Test(arguments: [
        "&", "&A", "&AGE-", "&APw", "&APw-&APw-", "&AP-", "&AP0-x&", "&2D0-", "&3gDYPQ-", "ü", "&APx-",
        "\u{1}", "&APw=-", "&AMA&-", "&AAAA-", "&ACY-", "\u{7F}", "&2D3YPQ-", "& -", "&/-",
    ])
    func `what is not canonical is not decoded`(encoded: String) { #expect(ModifiedUTF7.decode(bytes(encoded)) == nil) }

    @Test func `in a Maildir++ directory a dot and a slash are escaped and come back`() {
        let escapes = ModifiedUTF7.Escapes.maildirPlusPlus
        #expect(ModifiedUTF7.encode(bytes("a.b/c"), escaping: escapes).map(text) == "a&AC4-b&AC8-c")
        #expect(ModifiedUTF7.decode(bytes("a&AC4-b&AC8-c"), escaping: escapes).map(text) == "a.b/c")
        #expect(ModifiedUTF7.decode(bytes("a.b"), escaping: escapes) == nil)
        #expect(ModifiedUTF7.decode(bytes("a&AC4-b")) == nil)
    }

    @Test func `every scalar goes there and back`() {
        // All of the first plane, then every 61st: the arithmetic of surrogates has no other cases.
        for value in Array(UInt32(0)...0xFFFF) + stride(from: 0x10000, through: 0x10FFFF, by: 61) + [0x10FFFF] {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let name = Array(Unicode.UTF8.encode(scalar) ?? Unicode.UTF8.encodedReplacementCharacter)
            guard let encoded = ModifiedUTF7.encode(name), ModifiedUTF7.decode(encoded) == name else {
                Issue.record("U+\(String(value, radix: 16))")
                return
            }
        }
    }

    @Test func `all inputs of up to four bytes of a hostile alphabet decode to what encodes to them, or not at all`() {
        let alphabet = bytes("&-A/+,2DPwz.") + [0x00, 0x7F, 0x80, 0xC3, 0xFF]
        var inputs: [[UInt8]] = [[]]
        var decoded = 0
        for _ in 0..<4 {
            inputs = inputs.flatMap { input in alphabet.map { input + [$0] } }
            for input in inputs {
                guard let name = ModifiedUTF7.decode(input) else { continue }
                decoded += 1
                if ModifiedUTF7.encode(name) != input { Issue.record("\(input)") }
            }
        }
        #expect(decoded > 1_000)
    }

    @Test func `random UTF-8 goes there and back, random bytes never give two names for one`() {
        let seed: UInt64 = 7
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            var name = ""
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                let limit: UInt32 = [0x7F, 0xFF, 0xFFFF, 0x10FFFF].randomElement(using: &random) ?? 0x7F
                if let scalar = Unicode.Scalar(UInt32.random(in: 0...limit, using: &random)) {
                    name.unicodeScalars.append(scalar)
                }
            }
            for escapes in [ModifiedUTF7.Escapes.none, .maildirPlusPlus, .directory] {
                let encoded = ModifiedUTF7.encode(bytes(name), escaping: escapes)
                #expect(encoded.flatMap { ModifiedUTF7.decode($0, escaping: escapes) } == bytes(name), "seed \(seed)")
                #expect(encoded?.allSatisfy { (0x20...0x7E).contains($0) } == true)
            }
            let noise = (0..<Int.random(in: 0...16, using: &random)).map { _ in
                UInt8.random(in: 0x20...0x7E, using: &random)
            }
            if let name = ModifiedUTF7.decode(noise) { #expect(ModifiedUTF7.encode(name) == noise, "seed \(seed)") }
        }
    }

    @Test func `bytes that are not UTF-8 are not encoded`() {
        for input in [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0x41, 0x80], [0xC0, 0x80]] as [[UInt8]] {
            #expect(ModifiedUTF7.encode(input) == nil)
        }
    }
}
