import Glibc
import IMAP
import TestKit
import Testing

@Suite struct FuzzTests {
    /// As many as `YESTERMAIL_FUZZ_CASES` says.
    @Test func `whatever comes, the parser ends, holds little and says the same however it is cut`() {
        var random = SeededGenerator.announced()
        let cases = getenv("YESTERMAIL_FUZZ_CASES").flatMap { Int(String(cString: $0)) } ?? 3_000
        let lines = bytes(transcript).split(separator: 0x0A).map { Array($0) + [0x0A] }
        var limits = ResponseParser.Limits()
        limits.responseBytes = 4096
        var refused = 0
        for _ in 0..<cases {
            var text: [UInt8] = []
            for _ in 0..<random.number(1..<6) { text += random.element(lines) }
            for _ in 0..<random.number(0..<6) { mutate(&text, &random) }
            let whole = Result { try hear(text, limits: limits).said }
            let cut = Result { try hear(text, pieces: [random.number(1..<50)], limits: limits).said }
            switch (whole, cut) {
            case (.success(let one), .success(let other)): if one != other { Issue.record("\(text)") }
            case (.failure, .failure): refused += 1
            default: Issue.record("\(text)")
            }
        }
        #expect(refused > cases / 20 && refused < cases)
    }

    private func mutate(_ text: inout [UInt8], _ random: inout SeededGenerator) {
        guard !text.isEmpty else { return }
        let place = random.number(0..<text.count)
        switch random.number(0..<6) {
        case 0: text[place] = UInt8(truncatingIfNeeded: random.next())
        case 1: text[place] = random.element(Array("(){}[]\"\\ *+~%0123456789\r\n".utf8))
        case 2: text.remove(at: place)
        case 3:
            text.insert(
                contentsOf: random.element([
                    bytes("{5}\r\n"), bytes("("), bytes("\""), bytes("4294967296"), bytes("NIL"), [0],
                ]), at: place)
        case 4: text.removeSubrange(place..<min(text.count, place + random.number(1..<20)))
        default:
            let end = min(text.count, place + random.number(1..<60))
            text.insert(contentsOf: Array(text[place..<end]), at: random.number(0..<text.count))
        }
    }
}
