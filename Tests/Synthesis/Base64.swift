/// Base64 as mail has it (RFC 2045, 6.8): lines of one length, each with a line end.
enum Base64 {
    static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Appends `bytes`, encoded, in lines of `lineLength` characters ended by LF.
    static func append(_ bytes: [UInt8], lineLength: Int, to output: inout [UInt8]) {
        output.reserveCapacity(output.count + bytes.count * 4 / 3 + bytes.count / 40 + 8)
        var column = 0
        var index = 0
        while index < bytes.count {
            let first = bytes[index]
            let second = index + 1 < bytes.count ? bytes[index + 1] : 0
            let third = index + 2 < bytes.count ? bytes[index + 2] : 0
            output.append(alphabet[Int(first >> 2)])
            output.append(alphabet[Int((first & 3) << 4 | second >> 4)])
            output.append(index + 1 < bytes.count ? alphabet[Int((second & 15) << 2 | third >> 6)] : UInt8(ascii: "="))
            output.append(index + 2 < bytes.count ? alphabet[Int(third & 63)] : UInt8(ascii: "="))
            index += 3
            column += 4
            if column >= lineLength {
                output.append(10)
                column = 0
            }
        }
        if column > 0 { output.append(10) }
    }

    /// Appends about `count` characters of random Base64 in lines of 76.
    static func appendRandom(_ count: Int, using stream: inout RandomStream, to output: inout [UInt8]) {
        var left = count
        while left > 76 {
            stream.appendToken(76, to: &output)
            output.append(10)
            left -= 76
        }
        stream.appendToken(left & ~3, to: &output)
        output.append(10)
    }
}
