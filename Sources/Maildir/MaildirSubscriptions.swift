/// The folders a user subscribed to: the file `subscriptions` (Dovecot, both versions) or `courierimapsubscribed`.
///
/// Version 1 of Dovecot's has a name on each line, its components parted by `.` (Maildir++) or `/` (`fs`). Version 2
/// begins with `V`, tab, `2` and an empty line; its components are parted by tabs, and tab-escaped: octet 1 and then
/// `0`, `1`, `t`, `r`, `n`. Courier's names begin with `INBOX.`. All are modified UTF-7.
public struct MaildirSubscriptions: Hashable, Sendable {
    public static let dovecotFileName = [UInt8](ascii: "subscriptions")
    public static let courierFileName = [UInt8](ascii: "courierimapsubscribed")
    static let sizeLimit = 16 << 20
    private static let header = [UInt8](ascii: "V\t2\n\n")

    /// In the file's order.
    public var folders: [MaildirFolderPath]

    public init(_ folders: [MaildirFolderPath] = []) { self.folders = folders }

    /// Takes any content of Dovecot's file; empty lines are passed over.
    public init(parsingDovecot content: [UInt8], layout: MaildirLayout) {
        let escapes = Self.escapes(layout)
        if content.starts(with: Self.header) {
            folders = Self.lines(content.dropFirst(Self.header.count)).map { line in
                MaildirFolderPath(
                    line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false).map {
                        .init(onDisk: Self.unescape($0), escaping: escapes)
                    })
            }
        } else {
            let separator = layout == .fs ? UInt8(ascii: "/") : UInt8(ascii: ".")
            folders = Self.lines(content[...]).map { Self.path($0, separator: separator, escaping: escapes) }
        }
    }

    /// Takes any content of Courier's file.
    public init(parsingCourier content: [UInt8]) {
        let dot = UInt8(ascii: ".")
        folders = Self.lines(content[...]).map { line in
            let isBelow = line.count > 6 && Array(line.prefix(5)).isInbox && line[line.startIndex + 5] == dot
            return Self.path(isBelow ? line.dropFirst(6) : line, separator: dot, escaping: .maildirPlusPlus)
        }
    }

    /// The content of a Dovecot file of version 2. A name that has no form on disk is left out.
    public func bytes(layout: MaildirLayout) -> [UInt8] {
        var result = Self.header
        for folder in folders {
            // Of a mailbox of somebody else the name is no directory here: it is what it was.
            let parts = folder.components.map { component in
                component.isVerbatim
                    ? component.bytes
                    : ModifiedUTF7.encode(component.bytes, escaping: Self.escapes(layout)) ?? component.bytes
            }
            guard !parts.isEmpty, !parts.contains([]) else { continue }
            result += Array(parts.map(Self.escape).joined(separator: [UInt8(ascii: "\t")])) + [UInt8(ascii: "\n")]
        }
        return result
    }

    private static func escapes(_ layout: MaildirLayout) -> ModifiedUTF7.Escapes {
        layout == .fs ? .directory : .maildirPlusPlus
    }

    private static func lines(_ content: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        content.split(separator: UInt8(ascii: "\n"))
    }

    private static func path(
        _ line: ArraySlice<UInt8>, separator: UInt8, escaping escapes: ModifiedUTF7.Escapes
    ) -> MaildirFolderPath {
        MaildirFolderPath(
            line.split(separator: separator, omittingEmptySubsequences: false).map {
                .init(onDisk: Array($0), escaping: escapes)
            })
    }

    private static func unescape(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var iterator = bytes.makeIterator()
        while let byte = iterator.next() {
            guard byte == 1 else {
                result.append(byte)
                continue
            }
            switch iterator.next() {
            case UInt8(ascii: "0"): result.append(0)
            case UInt8(ascii: "1"): result.append(1)
            case UInt8(ascii: "t"): result.append(UInt8(ascii: "\t"))
            case UInt8(ascii: "r"): result.append(UInt8(ascii: "\r"))
            case UInt8(ascii: "n"): result.append(UInt8(ascii: "\n"))
            case let other?: result.append(other)
            case nil: break
            }
        }
        return result
    }

    private static func escape(_ bytes: [UInt8]) -> [UInt8] {
        bytes.flatMap { byte -> [UInt8] in
            switch byte {
            case 0: [1, UInt8(ascii: "0")]
            case 1: [1, UInt8(ascii: "1")]
            case UInt8(ascii: "\t"): [1, UInt8(ascii: "t")]
            case UInt8(ascii: "\r"): [1, UInt8(ascii: "r")]
            case UInt8(ascii: "\n"): [1, UInt8(ascii: "n")]
            default: [byte]
            }
        }
    }
}

extension Maildir {
    /// The subscriptions, by Dovecot's file or else by Courier's; nil where there is neither.
    public func subscriptions() throws(MaildirError) -> MaildirSubscriptions? {
        typealias Subscriptions = MaildirSubscriptions
        let root = try openRoot()
        func read(_ name: [UInt8], _ root: borrowing Descriptor) throws(MaildirError) -> [UInt8]? {
            try readSmallFile(
                at: root.raw, name, path: path.appending(component: name), limit: Subscriptions.sizeLimit)
        }
        if let content = try read(Subscriptions.dovecotFileName, root) {
            return Subscriptions(parsingDovecot: content, layout: layout)
        }
        return try read(Subscriptions.courierFileName, root).map { Subscriptions(parsingCourier: $0) }
    }
}
