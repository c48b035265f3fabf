/// The whole of a folder's metadata at a moment.
public struct FolderState: Hashable, Sendable {
    /// The names from the top down, as bytes: UTF-8 where the source's own encoding could be read exactly.
    public var path: [[UInt8]]
    public var isSubscribed: Bool
    /// IMAP's UIDVALIDITY; 0 where the source has none.
    public var uidValidity: UInt64
    /// What the source calls it, exactly: a directory's name, a mailbox name.
    public var sourceName: [UInt8]
    /// What stays the same when the folder is renamed and is another when it is made anew: for a Maildir the inode and
    /// birth time of its directory, for IMAP the MAILBOXID. Empty where there is nothing of the kind.
    public var sourceIdentity: [UInt8]
    /// What else a server keeps about it: its use, who may do what, annotations. Sorted by name, each name once.
    public var attributes: [FolderAttribute]

    public init(
        path: [[UInt8]], isSubscribed: Bool = false, uidValidity: UInt64 = 0, sourceName: [UInt8],
        sourceIdentity: [UInt8] = [], attributes: [FolderAttribute] = []
    ) {
        (self.path, self.isSubscribed, self.uidValidity) = (path, isSubscribed, uidValidity)
        (self.sourceName, self.sourceIdentity, self.attributes) = (sourceName, sourceIdentity, attributes)
    }

    /// The path with `/` between its parts, as bytes.
    public var joinedPath: [UInt8] { Array(path.joined(separator: [UInt8(ascii: "/")])) }
}

/// Something a server keeps about a folder (`Specs/Format/Events.md`, "State").
public struct FolderAttribute: Hashable, Sendable {
    public var name: [UInt8]
    public var value: [UInt8]

    public init(name: [UInt8], value: [UInt8]) { (self.name, self.value) = (name, value) }

    /// What the folder is for, as RFC 6154 says it; several parted by spaces.
    public static let specialUse = Array("special-use".utf8)
    /// Before an identifier: the rights it has (RFC 4314).
    public static let accessControl = Array("acl ".utf8)
    /// Of INBOX, before the path of a mailbox of somebody else that its owner has subscribed to: a mount point.
    public static let mount = Array("mount ".utf8)
    /// Before the name of an entry: its value (RFC 5464).
    public static let metadata = Array("metadata ".utf8)
}

extension FolderState {
    func encode(into writer: inout ByteWriter) {
        writer.varint(path.count)
        for component in path { writer.bytes(component) }
        writer.integer(UInt8((isSubscribed ? 1 : 0) | (attributes.isEmpty ? 0 : 2)))
        writer.varint(uidValidity)
        writer.bytes(sourceName)
        writer.bytes(sourceIdentity)
        guard !attributes.isEmpty else { return }
        writer.varint(attributes.count)
        for attribute in attributes {
            writer.bytes(attribute.name)
            writer.bytes(attribute.value)
        }
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout ByteReader) throws(DecodingFailure) {
        path = []
        for _ in 0..<(try reader.count()) { path.append(try reader.bytes()) }
        let bits: UInt8 = try reader.integer()
        guard bits & ~3 == 0 else { throw DecodingFailure(offset: reader.offset, reason: .outOfRange) }
        isSubscribed = bits & 1 != 0
        uidValidity = try reader.varint()
        sourceName = try reader.bytes()
        sourceIdentity = try reader.bytes()
        attributes = []
        guard bits & 2 != 0 else { return }
        for _ in 0..<(try reader.count()) {
            attributes.append(FolderAttribute(name: try reader.bytes(), value: try reader.bytes()))
        }
        // One state, one encoding.
        guard !attributes.isEmpty,
            zip(attributes, attributes.dropFirst()).allSatisfy({ $0.name.lexicographicallyPrecedes($1.name) })
        else { throw DecodingFailure(offset: reader.offset, reason: .outOfRange) }
    }
}
