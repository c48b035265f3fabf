internal import Glibc

/// The name of a message's file, taken apart: `BASE:2,FLAGS`.
///
/// The base name identifies the message in its folder for ever; what follows changes with its flags. Besides `:` the
/// separators `;` and `!` are known, which servers use where a file system forbids the colon.
public struct MaildirFileName: Hashable, Sendable {
    /// The unique name, with its `,S=` and `,W=` fields.
    public var base: [UInt8]
    /// `:`, `;` or `!`; nil when the name has no info.
    public var separator: UInt8?
    /// What stands after the separator when that is not `2,`: the experimental `1,…`, or anything.
    public var unknownInfo: [UInt8]?
    /// The flags known.
    public var flags: MaildirFlags
    /// Octets among the flags that are none of `DFPRST` and `a`…`z`, in their order.
    public var unknownFlags: [UInt8]

    /// Composes a name: `base` and, if there is anything to say or `inCur`, `:2,` and the flags.
    public init(base: [UInt8], flags: MaildirFlags, unknownFlags: [UInt8] = [], separator: UInt8 = UInt8(ascii: ":")) {
        (self.base, self.separator, self.unknownInfo) = (base, separator, nil)
        (self.flags, self.unknownFlags) = (flags, unknownFlags)
    }

    /// Takes any name apart; there is none that is refused.
    public init(parsing name: some Sequence<UInt8>) {
        let name = Array(name)
        let split = Self.split(name, 0..<name.count)
        base = Array(name[..<split.baseEnd])
        separator = split.baseEnd < name.count ? name[split.baseEnd] : nil
        if let flagsStart = split.flagsStart {
            unknownInfo = nil
            let letters = name[flagsStart...]
            flags = letters.reduce(into: []) { if let flag = MaildirFlags(letter: $1) { $0.formUnion(flag) } }
            unknownFlags = letters.filter { MaildirFlags(letter: $0) == nil }
        } else {
            unknownInfo = separator == nil ? nil : Array(name[(split.baseEnd + 1)...])
            (flags, unknownFlags) = ([], [])
        }
    }

    /// The name as it stands on disk. Flags come out in ASCII order, each once; the unknown ones last and as they were.
    public var bytes: [UInt8] {
        guard let separator else { return base }
        var name = base
        name.append(separator)
        if let unknownInfo { return name + unknownInfo }
        name += [UInt8(ascii: "2"), UInt8(ascii: ",")]
        return name + flags.letters + unknownFlags
    }

    /// The size of the file in octets, by the `,S=` field of the base name: a hint, not to be relied on.
    public var sizeHint: UInt64? { field(UInt8(ascii: "S")) }
    /// The size with CRLF line ends (RFC822.SIZE), by the `,W=` field.
    public var wireSizeHint: UInt64? { field(UInt8(ascii: "W")) }

    private func field(_ letter: UInt8) -> UInt64? {
        var position = 0
        while position + 3 <= base.count {
            if base[position] == UInt8(ascii: ","), base[position + 1] == letter,
                base[position + 2] == UInt8(ascii: "=")
            {
                return decimal(base[(position + 3)...])
            }
            position += 1
        }
        return nil
    }

    /// Where the base name ends in `bytes[range]`, and where the flags begin if there is a `2,`.
    ///
    /// The first `:` parts them, whatever follows (a base name has none); only where there is no `:`, the last `;2,`
    /// or `!2,` does, for those two may be in a base name.
    static func split(_ bytes: borrowing [UInt8], _ range: Range<Int>) -> (baseEnd: Int, flagsStart: Int?) {
        func isVersion2(at position: Int) -> Bool {
            range.upperBound - position >= 3 && bytes[position + 1] == UInt8(ascii: "2")
                && bytes[position + 2] == UInt8(ascii: ",")
        }
        if let colon = index(of: UInt8(ascii: ":"), in: bytes, range) {
            return (colon, isVersion2(at: colon) ? colon + 3 : nil)
        }
        var alternative: Int?
        for position in range where bytes[position] == UInt8(ascii: ";") || bytes[position] == UInt8(ascii: "!") {
            if isVersion2(at: position) { alternative = position }
        }
        if let alternative { return (alternative, alternative + 3) }
        return (range.upperBound, nil)
    }
}

/// Where `byte` is first in `bytes[range]`.
private func index(of byte: UInt8, in bytes: borrowing [UInt8], _ range: Range<Int>) -> Int? {
    bytes.withUnsafeBytes { all in
        guard let start = UnsafeRawBufferPointer(rebasing: all[range]).baseAddress,
            let found = memchr(start, Int32(byte), range.count)
        else { return nil }
        return range.lowerBound + start.distance(to: UnsafeRawPointer(found))
    }
}

/// The digits at the beginning of `bytes` as a number; nil when there is none or it does not fit.
func decimal(_ bytes: some Sequence<UInt8>) -> UInt64? {
    var result: UInt64?
    for byte in bytes {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { break }
        let (product, tooLarge) = (result ?? 0).multipliedReportingOverflow(by: 10)
        let (sum, beyond) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
        if tooLarge || beyond { return nil }
        result = sum
    }
    return result
}
