import Events
import Testing

struct UTF8Tests {
    /// Whether `decodeScalar` says the same of the whole of `bytes` as the standard library.
    private func agrees(_ bytes: [UInt8]) -> Bool {
        var index = 0
        var scalars: [UInt32]? = []
        while index < bytes.count {
            let (scalar, length) = decodeScalar(bytes.span, at: index)
            guard let scalar else {
                scalars = nil
                break
            }
            scalars?.append(scalar)
            index += length
        }
        let expected = String(validating: bytes, as: UTF8.self)?.unicodeScalars.map(\.value)
        return scalars == expected && isUTF8(bytes.span) == (expected != nil)
    }

    @Test("All sequences of one and two bytes are told apart as the standard library does")
    func short() {
        for first in UInt8.min...UInt8.max {
            #expect(agrees([first]))
            for second in UInt8.min...UInt8.max where !agrees([first, second]) { Issue.record("\([first, second])") }
        }
    }

    @Test("All sequences of three bytes with a lead of three are told apart as the standard library does")
    func three() {
        // What begins with another lead is decided by two bytes; of the third its edges are enough there.
        let edges: [UInt8] = [0x00, 0x41, 0x7F, 0x80, 0xBF, 0xC0, 0xFF]
        for first in UInt8.min...UInt8.max {
            let isLead = (0xE0...0xEF).contains(first)
            for second in isLead ? Array(UInt8(0x70)...0xCF) : edges {
                for third in isLead && (0x80...0xBF).contains(second) ? Array(UInt8.min...UInt8.max) : edges
                where !agrees([first, second, third]) {
                    Issue.record("\([first, second, third])")
                }
            }
        }
    }

    @Test("Sequences of four bytes are told apart as the standard library does, surrogates and beyond U+10FFFF too")
    func four() {
        let edges: [UInt8] = [0x7F, 0x80, 0x9F, 0xBF, 0xC0]
        for first in UInt8(0xEF)...0xF6 {
            for second in UInt8.min...UInt8.max {
                for third in edges {
                    for fourth in edges where !agrees([first, second, third, fourth]) {
                        Issue.record("\([first, second, third, fourth])")
                    }
                }
            }
        }
    }
}
