/// One JSON value of a plan file. What a file may hold is little, and what it may hold besides is refused: this reads
/// whole numbers, text, flags, lists and objects, a few levels deep, each key once.
indirect enum PlanFileValue: Hashable {
    case null
    case flag(Bool)
    case number(UInt64)
    case text(String)
    case list([PlanFileValue])
    case object([String: PlanFileValue])

    struct Unreadable: Error, Hashable { let offset: Int }

    init(reading line: ArraySlice<UInt8>) throws(Unreadable) {
        var reader = Reader(bytes: line, at: line.startIndex)
        self = try reader.value(depth: 4)
        guard reader.at == line.endIndex else { throw reader.unreadable }
    }

    private struct Reader {
        let bytes: ArraySlice<UInt8>
        var at: Int

        var unreadable: Unreadable { Unreadable(offset: at - bytes.startIndex) }

        private mutating func take(_ byte: Character) -> Bool {
            guard at < bytes.endIndex, bytes[at] == byte.asciiValue else { return false }
            at += 1
            return true
        }

        private mutating func need(_ byte: Character) throws(Unreadable) { guard take(byte) else { throw unreadable } }

        private mutating func word(_ text: StaticString) -> Bool {
            let word = Array("\(text)".utf8)
            guard bytes[at...].starts(with: word) else { return false }
            at += word.count
            return true
        }

        mutating func value(depth: Int) throws(Unreadable) -> PlanFileValue {
            guard depth > 0, at < bytes.endIndex else { throw unreadable }
            switch bytes[at] {
            case UInt8(ascii: "{"): return .object(try object(depth))
            case UInt8(ascii: "["): return .list(try list(depth))
            case UInt8(ascii: "\""): return .text(try text())
            case UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
            default:
                if word("null") { return .null }
                if word("true") { return .flag(true) }
                if word("false") { return .flag(false) }
                throw unreadable
            }
        }

        private mutating func object(_ depth: Int) throws(Unreadable) -> [String: PlanFileValue] {
            var found: [String: PlanFileValue] = [:]
            try need("{")
            if take("}") { return found }
            repeat {
                let key = try text()
                try need(":")
                guard found.updateValue(try value(depth: depth - 1), forKey: key) == nil else { throw unreadable }
            } while take(",")
            try need("}")
            return found
        }

        private mutating func list(_ depth: Int) throws(Unreadable) -> [PlanFileValue] {
            var found: [PlanFileValue] = []
            try need("[")
            if take("]") { return found }
            repeat { found.append(try value(depth: depth - 1)) } while take(",")
            try need("]")
            return found
        }

        private mutating func number() throws(Unreadable) -> UInt64 {
            var sum: UInt64 = 0
            let first = at
            while at < bytes.endIndex, case let digit = bytes[at] &- UInt8(ascii: "0"), digit < 10 {
                let (tens, isTooLarge) = sum.multipliedReportingOverflow(by: 10)
                let (next, overflows) = tens.addingReportingOverflow(UInt64(digit))
                guard !isTooLarge, !overflows, at == first || bytes[first] != UInt8(ascii: "0") else {
                    throw unreadable
                }
                sum = next
                at += 1
            }
            return sum
        }

        private mutating func text() throws(Unreadable) -> String {
            try need("\"")
            var found: [UInt8] = []
            while at < bytes.endIndex {
                let byte = bytes[at]
                at += 1
                switch byte {
                case UInt8(ascii: "\""):
                    // What is no UTF-8 is no JSON.
                    guard let text = String(validating: found, as: UTF8.self) else { throw unreadable }
                    return text
                case UInt8(ascii: "\\"): try escape(into: &found)
                case 0..<0x20: throw unreadable
                default: found.append(byte)
                }
            }
            throw unreadable
        }

        private mutating func escape(into found: inout [UInt8]) throws(Unreadable) {
            guard at < bytes.endIndex else { throw unreadable }
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): found.append(byte)
            case UInt8(ascii: "b"): found.append(8)
            case UInt8(ascii: "t"): found.append(9)
            case UInt8(ascii: "n"): found.append(10)
            case UInt8(ascii: "f"): found.append(12)
            case UInt8(ascii: "r"): found.append(13)
            case UInt8(ascii: "u"):
                var unit = UInt32(try fourDigits())
                if 0xD800..<0xDC00 ~= unit {
                    guard word("\\u") else { throw unreadable }
                    let low = UInt32(try fourDigits())
                    guard 0xDC00..<0xE000 ~= low else { throw unreadable }
                    unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
                }
                guard let scalar = Unicode.Scalar(unit) else { throw unreadable }
                found += Array(String(Character(scalar)).utf8)
            default: throw unreadable
            }
        }

        private mutating func fourDigits() throws(Unreadable) -> UInt16 {
            guard bytes.endIndex - at >= 4 else { throw unreadable }
            var sum: UInt16 = 0
            for byte in bytes[at..<at + 4] {
                let digit: UInt8
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
                case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
                case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
                default: throw unreadable
                }
                sum = sum << 4 | UInt16(digit)
            }
            at += 4
            return sum
        }
    }
}
