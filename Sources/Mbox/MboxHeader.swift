/// Where the header of a message ends, and the length of the body that it tells.
struct MboxHeader {
    /// The first octet of the body.
    private(set) var end = 0
    /// The first octet of the empty line that ends the header.
    private(set) var blankLine = 0
    /// The octet after the first line.
    private(set) var firstLineEnd = 0
    /// Of the first `Content-Length` field.
    private(set) var contentLength: Int64?

    /// nil when no empty line ends it in `bytes[range]`. What it tells is counted from the beginning of the range.
    init?(_ bytes: borrowing [UInt8], _ range: Range<Int>) {
        var position = range.lowerBound
        while position < range.upperBound {
            let start = position
            while position < range.upperBound, bytes[position] != UInt8(ascii: "\n") { position += 1 }
            guard position < range.upperBound else { return nil }
            position += 1
            if start == range.lowerBound { firstLineEnd = position - range.lowerBound }
            let isBlank = position - start == 1 || (position - start == 2 && bytes[start] == UInt8(ascii: "\r"))
            if isBlank {
                (blankLine, end) = (start - range.lowerBound, position - range.lowerBound)
                return
            }
            if contentLength == nil { contentLength = Self.length(bytes, start..<position) }
        }
        return nil
    }

    private static let name = Array("content-length:".utf8)

    private static func length(_ bytes: borrowing [UInt8], _ line: Range<Int>) -> Int64? {
        guard line.count > name.count else { return nil }
        for offset in 0..<name.count where lower(bytes[line.lowerBound + offset]) != name[offset] { return nil }
        var result: Int64?
        var isOver = false
        for position in (line.lowerBound + name.count)..<line.upperBound {
            let byte = bytes[position]
            if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
                let (product, tooLarge) = (result ?? 0).multipliedReportingOverflow(by: 10)
                let (sum, beyond) = product.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
                if tooLarge || beyond || isOver { return nil }
                result = sum
            } else if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
                || byte == UInt8(ascii: "\n")
            {
                isOver = result != nil
            } else {
                return nil
            }
        }
        return result
    }

    static func lower(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
