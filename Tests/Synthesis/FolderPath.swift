/// A folder of an account: its components as they are called on disk (modified UTF-7, or whatever bytes somebody put
/// there), from the top. INBOX has none.
public struct FolderPath: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The directory below the root of a Maildir++: `.A.B`; empty for INBOX. Kept, not the components: it is compared
    /// and hashed all the time.
    public let directoryName: [UInt8]

    /// Of octets as on disk: without `.` and `/`, none empty.
    public init(_ components: [[UInt8]]) { directoryName = components.flatMap { [UInt8(ascii: ".")] + $0 } }

    /// Of Unicode names, which are encoded.
    public init(_ names: String...) { self.init(names.map { ModifiedUTF7.encode($0) }) }

    /// The folder that every account has.
    public static let inbox = FolderPath([[UInt8]]())

    public var isInbox: Bool { directoryName.isEmpty }

    /// The names, from the top, as on disk; none for INBOX.
    public var components: [[UInt8]] {
        directoryName.dropFirst().split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .map { Array($0) }.filter { !$0.isEmpty }
    }

    /// The folder that the Maildir++ directory `name` (`.A.B`) is; nil when `name` is no such thing.
    public init?(directoryName name: [UInt8]) {
        guard name.count > 1, name[0] == UInt8(ascii: ".") else { return nil }
        let parts = name.dropFirst().split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty }) else { return nil }
        directoryName = name
    }

    /// Whether this is `other` or below it. INBOX has nothing below it.
    public func isWithin(_ other: FolderPath) -> Bool {
        if other.isInbox { return isInbox }
        let name = other.directoryName
        return directoryName.starts(with: name)
            && (directoryName.count == name.count || directoryName[name.count] == UInt8(ascii: "."))
    }

    /// This folder, which is within `old`, after `old` was renamed to `new`.
    public func replacing(_ old: FolderPath, by new: FolderPath) -> FolderPath {
        FolderPath(new.components + components.dropFirst(old.components.count))
    }

    public static func < (left: FolderPath, right: FolderPath) -> Bool {
        left.directoryName.lexicographicallyPrecedes(right.directoryName)
    }

    /// For messages of tests: with what is not printable ASCII as `\xNN`.
    public var description: String {
        isInbox ? "INBOX" : components.map(printable).joined(separator: "/")
    }
}

/// `bytes` as text fit for a terminal.
func printable(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return bytes.reduce(into: "") { text, byte in
        if byte >= 0x20, byte < 0x7F {
            text.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
            text += "\\x\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
        }
    }
}

/// The encoding of folder names of RFC 3501, 5.1.3. Written here anew, so that tests hold the product's own against it.
enum ModifiedUTF7 {
    static func encode(_ name: String) -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,".utf8)
        var result: [UInt8] = []
        var pending: [UInt16] = []
        func flush() {
            guard !pending.isEmpty else { return }
            result.append(UInt8(ascii: "&"))
            var bits: UInt32 = 0
            var count = 0
            for unit in pending {
                bits = bits << 16 | UInt32(unit)
                count += 16
                while count >= 6 {
                    count -= 6
                    result.append(alphabet[Int(bits >> UInt32(count) & 63)])
                }
                bits &= (1 << UInt32(count)) - 1
            }
            if count > 0 { result.append(alphabet[Int(bits << UInt32(6 - count) & 63)]) }
            result.append(UInt8(ascii: "-"))
            pending.removeAll()
        }
        for unit in name.utf16 {
            switch unit {
            case 0x26:
                flush()
                result += [UInt8(ascii: "&"), UInt8(ascii: "-")]
            case 0x20...0x7E:
                flush()
                result.append(UInt8(unit))
            default: pending.append(unit)
            }
        }
        flush()
        return result
    }
}
