internal import Glibc

/// The file `dovecot-acl` of a folder: what others may do with it. One line for each identifier:
/// `user=anna lrwst`, `-group=staff w`, `anyone l :named rights`; an identifier with a blank in it stands in quotation marks.
public struct DovecotAccessList: Hashable, Sendable {
    public static let fileName = [UInt8](ascii: "dovecot-acl")
    /// What Dovecot keeps in the root to list the folders of others fast. It makes it anew where it is missing.
    static let cacheName = [UInt8](ascii: "dovecot-acl-list")
    /// Octets; a larger file is refused.
    static let sizeLimit = 1 << 20

    public struct Line: Hashable, Sendable {
        /// As the file has it, without quotation marks.
        public var identifier: [UInt8]
        /// All that follows, exactly.
        public var rights: [UInt8]
    }

    /// In the file's order.
    public private(set) var entries: [Line] = []

    public init() {}

    /// Takes any content: lines that have not the form are passed over, as Dovecot does; of two lines with one identifier the
    /// last counts.
    public init(parsing content: [UInt8]) {
        for line in content.split(separator: UInt8(ascii: "\n")) {
            guard let entry = Self.line(line) else { continue }
            self[entry.identifier] = entry.rights
        }
    }

    /// The rights of an identifier; nil takes its line away.
    public subscript(identifier: [UInt8]) -> [UInt8]? {
        get { entries.first { $0.identifier == identifier }?.rights }
        set {
            let place = entries.firstIndex { $0.identifier == identifier }
            switch (place, newValue) {
            case (let place?, let rights?): entries[place].rights = rights
            case (let place?, nil): entries.remove(at: place)
            case (nil, let rights?): entries.append(Line(identifier: identifier, rights: rights))
            case (nil, nil): break
            }
        }
    }

    /// The file's content.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        for entry in entries {
            if entry.identifier.contains(UInt8(ascii: " ")) {
                result.append(UInt8(ascii: "\""))
                for byte in entry.identifier {
                    if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { result.append(UInt8(ascii: "\\")) }
                    result.append(byte)
                }
                result.append(UInt8(ascii: "\""))
            } else {
                result += entry.identifier
            }
            result += [UInt8(ascii: " ")] + entry.rights + [UInt8(ascii: "\n")]
        }
        return result
    }

    /// Whether a line can be made of it.
    public static func accepts(_ identifier: [UInt8], _ rights: [UInt8]) -> Bool {
        func isPlain(_ bytes: [UInt8]) -> Bool { bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }
        return !identifier.isEmpty && identifier.first != UInt8(ascii: "\"") && isPlain(identifier) && isPlain(rights)
            && rights.first != UInt8(ascii: " ")
    }

    private static func line(_ line: ArraySlice<UInt8>) -> Line? {
        var identifier: [UInt8] = []
        var rest = line
        if line.first == UInt8(ascii: "\"") {
            var isClosed = false
            rest = rest.dropFirst()
            while let byte = rest.popFirst() {
                if byte == UInt8(ascii: "\"") {
                    isClosed = true
                    break
                }
                if byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() {
                    identifier.append(escaped)
                } else {
                    identifier.append(byte)
                }
            }
            guard isClosed, rest.isEmpty || rest.first == UInt8(ascii: " ") else { return nil }
        } else {
            let end = rest.firstIndex(of: UInt8(ascii: " ")) ?? rest.endIndex
            identifier = Array(rest[..<end])
            rest = rest[end...]
        }
        let rights = Array(rest.drop { $0 == UInt8(ascii: " ") })
        guard accepts(identifier, rights) else { return nil }
        return Line(identifier: identifier, rights: rights)
    }
}

extension MaildirTargetFolder {
    /// Changes the folder's rights, under Dovecot's lock file.
    public func changeRights(_ change: (inout DovecotAccessList) -> Void) throws(MaildirError) {
        let name = DovecotAccessList.fileName
        let file = path.appending(component: name)
        var lock = try LockedFile(name, in: folder.raw, path: file)
        let content = try readSmallFile(at: folder.raw, name, path: file, limit: DovecotAccessList.sizeLimit)
        let before = DovecotAccessList(parsing: content ?? [])
        var list = before
        change(&list)
        guard list != before else { return }
        try lock.replace(with: list.bytes, durable: writer.durability == .each)
        try writer.forgetSharedFolders()
    }
}

extension MaildirWriter {
    /// Dovecot looks anew for what others may see.
    func forgetSharedFolders() throws(MaildirError) {
        guard withPath(DovecotAccessList.cacheName, { unlinkat(root.raw, $0, 0) }) != 0, errno != ENOENT else { return }
        throw .system(errno: errno, during: .remove, path: path.appending(component: DovecotAccessList.cacheName))
    }
}
