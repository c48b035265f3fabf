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

    public init(
        path: [[UInt8]], isSubscribed: Bool = false, uidValidity: UInt64 = 0, sourceName: [UInt8],
        sourceIdentity: [UInt8] = []
    ) {
        (self.path, self.isSubscribed, self.uidValidity) = (path, isSubscribed, uidValidity)
        (self.sourceName, self.sourceIdentity) = (sourceName, sourceIdentity)
    }

    /// The path with `/` between its parts, as bytes.
    public var joinedPath: [UInt8] { Array(path.joined(separator: [UInt8(ascii: "/")])) }
}

extension FolderState {
    func encode(into writer: inout ByteWriter) {
        writer.varint(path.count)
        for component in path { writer.bytes(component) }
        writer.integer(UInt8(isSubscribed ? 1 : 0))
        writer.varint(uidValidity)
        writer.bytes(sourceName)
        writer.bytes(sourceIdentity)
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout ByteReader) throws(DecodingFailure) {
        path = []
        for _ in 0..<(try reader.count()) { path.append(try reader.bytes()) }
        let bits: UInt8 = try reader.integer()
        guard bits & ~1 == 0 else { throw DecodingFailure(offset: reader.offset, reason: .outOfRange) }
        isSubscribed = bits & 1 != 0
        uidValidity = try reader.varint()
        sourceName = try reader.bytes()
        sourceIdentity = try reader.bytes()
    }
}
