import Events
import TestKit
import Testing
import Transparency

/// The example of Go's `golang.org/x/mod/sumdb/note`, from which C2SP's format comes.
private enum GoExample {
    static let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    static let secret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
    static let text = """
        If you think cryptography is the answer to your problem,
        then you don't know what your problem is.

        """
    static let note =
        text + "\n"
        + "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
}

private func refused(_ body: () throws -> Void) -> Bool {
    do { try body() } catch is TransparencyError { return true } catch { return false }
    return false
}

struct NoteTests {
    @Test("Keys and a note that Go made are read, verified, and made again byte by byte")
    func goExample() throws {
        let verifier = try NoteVerifier(GoExample.key)
        #expect(verifier.description == GoExample.key && verifier.identifier == 0xC74F_20A3)
        let note = try SignedNote(utf8(GoExample.note))
        try note.verify(verifier)
        #expect(note.text == utf8(GoExample.text))
        #expect(note.bytes == utf8(GoExample.note))
        let signer = try NoteSigner(GoExample.secret)
        #expect(signer.secretText == GoExample.secret && signer.verifier.description == GoExample.key)
        #expect(try SignedNote(utf8(GoExample.text), signedBy: signer).bytes == utf8(GoExample.note))
    }

    @Test("A note with any bit flipped, cut anywhere, or with anything more in it is refused")
    func mutations() throws {
        let verifier = try NoteVerifier(GoExample.key)
        let whole = utf8(GoExample.note)
        func check(_ bytes: [UInt8], _ what: String) {
            #expect(refused { try SignedNote(bytes).verify(verifier) }, "\(what)")
        }
        for bit in 0..<whole.count * 8 { check(whole.flipped(bit), "bit \(bit)") }
        for length in 0..<whole.count {
            check(Array(whole[..<length]), "cut at \(length)")
            check(Array(whole[..<length] + whole[(length + 1)...]), "without byte \(length)")
            for byte in [10, 32, 61, 65, 0, 13, 0xFF] as [UInt8] where whole[length] != byte {
                check(Array(whole[..<length] + [byte] + whole[length...]), "byte \(byte) at \(length)")
            }
        }
        check(whole + [10], "a line more")
        // A signature of the key that is wrong spoils the note, even beside one that is right.
        let line = whole.split(separator: 10, omittingEmptySubsequences: false).dropLast().last ?? []
        var forged = Array(line)
        forged[40] = forged[40] == 65 ? 66 : 65
        check(whole + forged + [10], "a second signature, which is wrong")
    }

    @Test("Signatures of others are passed over, as many as the specification asks for")
    func others() throws {
        var generator = SeededGenerator.announced()
        let verifier = try NoteVerifier(GoExample.key)
        var bytes = utf8(GoExample.note)
        for number in 0..<16 {
            let other = try NoteSigner(name: "witness.example/\(number)", using: &generator)
            let signed = try SignedNote(utf8(GoExample.text), signedBy: other).bytes
            bytes += signed[(GoExample.text.utf8.count + 1)...]
            #expect(refused { try SignedNote(signed).verify(verifier) })
        }
        let note = try SignedNote(bytes)
        try note.verify(verifier)
        #expect(note.bytes == bytes)
        // A key of the same name with another number is another key.
        let namesake = try NoteSigner(name: "PeterNeumann", using: &generator)
        #expect(refused { try SignedNote(utf8(GoExample.note)).verify(namesake.verifier) })
    }

    @Test("A key with any bit flipped, or written otherwise, is refused")
    func keys() throws {
        for bit in 0..<GoExample.key.utf8.count * 8 {
            let changed = utf8(GoExample.key).flipped(bit)
            #expect(refused { _ = try NoteVerifier(String(decoding: changed, as: UTF8.self)) }, "bit \(bit)")
        }
        for bit in 0..<GoExample.secret.utf8.count * 8 {
            let changed = utf8(GoExample.secret).flipped(bit)
            #expect(refused { _ = try NoteSigner(String(decoding: changed, as: UTF8.self)) }, "bit \(bit)")
        }
        for text in ["", "+", "++", "a+b", GoExample.key + "\n", " " + GoExample.key, GoExample.key + "="] {
            #expect(refused { _ = try NoteVerifier(text) })
        }
        var generator = SeededGenerator(seed: 1)
        for name in ["", "a b", "a+b", "a\u{A0}b", "a\nb", "a\u{0}"] {
            #expect(refused { _ = try NoteSigner(name: name, using: &generator) })
        }
    }
}
