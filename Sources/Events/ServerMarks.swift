/// What a mail server knows a message by, beside its name in its mailbox (`Specs/Format/Events.md`, "State"). Empty where the
/// source has nothing of the kind.
public struct ServerMarks: Hashable, Sendable {
    /// The same wherever the server copies or moves the message: EMAILID (RFC 8474), or Dovecot's GUID.
    public var emailID: [UInt8]
    /// The conversation it belongs to: THREADID (RFC 8474).
    public var threadID: [UInt8]
    /// When it was put into this mailbox (RFC 8514).
    public var saveDate: Timestamp?

    public init(emailID: [UInt8] = [], threadID: [UInt8] = [], saveDate: Timestamp? = nil) {
        (self.emailID, self.threadID, self.saveDate) = (emailID, threadID, saveDate)
    }

    public var isEmpty: Bool { emailID.isEmpty && threadID.isEmpty && saveDate == nil }
}

extension ServerMarks {
    private var bits: UInt8 { (emailID.isEmpty ? 0 : 1) | (threadID.isEmpty ? 0 : 2) | (saveDate == nil ? 0 : 4) }

    func encode(into writer: inout ByteWriter) {
        writer.integer(bits)
        if !emailID.isEmpty { writer.bytes(emailID) }
        if !threadID.isEmpty { writer.bytes(threadID) }
        if let saveDate { writer.integer(saveDate.rawValue) }
    }

    @_lifetime(reader: copy reader)
    init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init()
        let wanted: UInt8 = try reader.integer()
        if wanted & 1 != 0 { emailID = try reader.bytes() }
        if wanted & 2 != 0 { threadID = try reader.bytes() }
        if wanted & 4 != 0 { saveDate = Timestamp(rawValue: try reader.integer()) }
        // One state, one encoding; and a bit of a later version means something.
        guard wanted != 0, wanted == bits else { throw DecodingFailure(offset: reader.offset, reason: .outOfRange) }
    }
}
