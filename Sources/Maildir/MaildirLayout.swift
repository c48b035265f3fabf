/// How the folders of a Maildir lie on disk.
public enum MaildirLayout: String, Hashable, Sendable {
    /// One folder, the root.
    case plain
    /// The root is INBOX; the folder `A/B` is the directory `.A.B` in it.
    case maildirPlusPlus
    /// The folder `A/B` is the directory `A/B` (Dovecot's `LAYOUT=fs`).
    case fs
}

/// The name of a folder: its components, from the top.
public struct MaildirFolderPath: Hashable, Sendable {
    public struct Component: Hashable, Sendable {
        /// UTF-8, unless verbatim.
        public let bytes: [UInt8]
        /// The bytes are those on disk as they are, because they are no canonical modified UTF-7.
        public let isVerbatim: Bool

        public init(_ bytes: [UInt8], isVerbatim: Bool = false) {
            (self.bytes, self.isVerbatim) = (bytes, isVerbatim)
        }
    }

    public let components: [Component]

    public init(_ components: [Component]) { self.components = components }

    /// Of UTF-8 components.
    public init(_ components: [[UInt8]]) { self.components = components.map { Component($0) } }

    public static let inbox = MaildirFolderPath([[UInt8](ascii: "INBOX")])

    /// Whether any component is verbatim.
    public var isVerbatim: Bool { components.contains { $0.isVerbatim } }

    /// `INBOX` alone, in any case (RFC 9051, 5.1).
    public var isInbox: Bool { components.count == 1 && components[0].bytes.isInbox }
}

extension [UInt8] {
    /// `INBOX` in any case.
    var isInbox: Bool { count == 5 && zip(self, [UInt8](ascii: "inbox")).allSatisfy { $0 | 0x20 == $1 } }
}

extension MaildirFolderPath {
    /// The path of the Maildir++ directory `.A.B`.
    public init(directory name: [UInt8]) {
        let parts = name.dropFirst().split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let components = parts.map { Component(onDisk: Array($0), escaping: .maildirPlusPlus) }
        if components.count == 1, components[0].bytes.isInbox {
            // Beside the root, which is INBOX: another folder, which must not be taken for it.
            self.init([Component(name, isVerbatim: true)])
        } else {
            self.init(components)
        }
    }

    /// The path of the nested directory `A/B`. A directory `INBOX` is INBOX, unless the root already is.
    init(nested name: [UInt8], rootIsInbox: Bool) {
        let components = name.split(separator: UInt8(ascii: "/")).map {
            Component(onDisk: Array($0), escaping: .directory)
        }
        if components.count == 1, components[0].bytes.isInbox {
            self = rootIsInbox ? MaildirFolderPath([Component(name, isVerbatim: true)]) : .inbox
        } else {
            self.init(components)
        }
    }

    /// The name of the Maildir++ directory that stands for this path, with its leading dot; reading gives the same path.
    ///
    /// `.` and `/` in a component are written `&AC4-` and `&AC8-`, all but printable ASCII in modified UTF-7: no path
    /// leads out of the Maildir. `[]` for INBOX, the root. Throws ``MaildirError/unrepresentable(name:)`` for an empty
    /// path or component and for verbatim bytes that cannot be in a name, ``MaildirError/nameTooLong(name:)`` beyond
    /// 255 octets.
    public func directoryName() throws(MaildirError) -> [UInt8] {
        if isInbox, !isVerbatim { return [] }
        if components.count == 1, components[0].isVerbatim, components[0].bytes.first == UInt8(ascii: "."),
            Array(components[0].bytes.dropFirst()).isInbox
        {
            return components[0].bytes
        }
        var name: [UInt8] = []
        for component in components {
            name.append(UInt8(ascii: "."))
            name.append(contentsOf: try component.onDisk(escaping: .maildirPlusPlus))
        }
        if name.isEmpty { throw .unrepresentable(name: []) }
        if name.count > 255 { throw .nameTooLong(name: name) }
        return name
    }
}

extension MaildirFolderPath.Component {
    /// What a component on disk stands for.
    init(onDisk bytes: [UInt8], escaping escapes: ModifiedUTF7.Escapes) {
        if let decoded = ModifiedUTF7.decode(bytes, escaping: escapes) {
            self.init(decoded)
        } else {
            self.init(bytes, isVerbatim: true)
        }
    }

    /// The component on disk; what is not UTF-8 stands for itself, as it came.
    func onDisk(escaping escapes: ModifiedUTF7.Escapes) throws(MaildirError) -> [UInt8] {
        if bytes.isEmpty { throw .unrepresentable(name: bytes) }
        if !isVerbatim, let encoded = ModifiedUTF7.encode(bytes, escaping: escapes) { return encoded }
        // Control characters too: such a folder was there, and must be able to come back as it was.
        let isSafe = bytes.allSatisfy { $0 != 0 && $0 != UInt8(ascii: "/") && !escapes.contains($0) }
        guard isSafe else { throw .unrepresentable(name: bytes) }
        return bytes
    }
}
