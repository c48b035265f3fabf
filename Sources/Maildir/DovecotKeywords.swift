/// The file `dovecot-keywords` of a folder: which keyword each of the letters `a`…`z` in its file names stands for.
/// One line for each: `0 $Forwarded`, where 0 is `a`.
public struct DovecotKeywords: Hashable, Sendable {
    public static let fileName = [UInt8](ascii: "dovecot-keywords")
    /// Octets; a larger file is refused.
    static let sizeLimit = 1 << 20

    /// By index, 26 of them; nil where the letter means nothing.
    public private(set) var names: [[UInt8]?]

    public init() { names = Array(repeating: nil, count: 26) }

    /// Takes any content: lines that have not the form, or an index beyond 25, are passed over; of two lines with one
    /// index, and of two with one keyword, the first counts.
    public init(parsing content: [UInt8]) {
        self.init()
        for line in content.split(separator: UInt8(ascii: "\n")) {
            guard let space = line.firstIndex(of: UInt8(ascii: " ")), space > line.startIndex,
                line[..<space].allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let index = decimal(line[..<space]), index < 26, names[Int(index)] == nil
            else { continue }
            let name = Array(line[(space + 1)...])
            if Self.isValid(name), self.index(of: name) == nil { names[Int(index)] = name }
        }
    }

    /// The file's content.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        for (index, name) in names.enumerated() {
            guard let name else { continue }
            result += Array(String(index).utf8) + [UInt8(ascii: " ")] + name + [UInt8(ascii: "\n")]
        }
        return result
    }

    /// The keyword of a letter `a`…`z`.
    public func name(ofLetter letter: UInt8) -> [UInt8]? {
        guard (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter) else { return nil }
        return names[Int(letter - UInt8(ascii: "a"))]
    }

    /// The keywords set in `flags`. A letter that has no keyword is left out.
    public func keywords(of flags: MaildirFlags) -> [[UInt8]] { flags.keywordIndexes.compactMap { names[$0] } }

    /// The index of a keyword; keywords differ in more than ASCII case.
    public func index(of name: [UInt8]) -> Int? {
        names.firstIndex { $0.map { Self.areSame($0, name) } ?? false }
    }

    /// Gives the keyword the first free letter, unless it has one. nil when none is free, or when the keyword cannot
    /// be in the file (empty, or a control character in it).
    public mutating func insert(_ name: [UInt8]) -> Int? {
        if let index = index(of: name) { return index }
        guard Self.isValid(name), let free = names.firstIndex(of: nil) else { return nil }
        names[free] = name
        return free
    }

    private static func isValid(_ name: [UInt8]) -> Bool {
        !name.isEmpty && name.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    private static func areSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        func lower(_ byte: UInt8) -> UInt8 {
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
        }
        return left.count == right.count && zip(left, right).allSatisfy { lower($0) == lower($1) }
    }
}
