/// The file `dovecot-uidlist` of a folder, version 3: which UID each message has.
///
/// A first line `3 V1275660208 N25022 G…`, then `25006 W2481 :1276528487.M364837P9451.host,S=1355:2,S` for each message.
public struct DovecotUIDList: Hashable, Sendable {
    public static let fileName = [UInt8](ascii: "dovecot-uidlist")
    /// Octets; a larger file is refused.
    static let sizeLimit = 1 << 30

    /// `V`.
    public let uidValidity: UInt32
    /// `N`: the next UID to be given.
    public let nextUID: UInt32
    /// `G`: the folder's GUID, 32 hexadecimal digits.
    public let guid: [UInt8]?
    /// By base name, without flags.
    public let uids: [[UInt8]: UInt32]

    /// nil when the first line has not the form. Lines after it that have not are passed over.
    public init?(parsing content: [UInt8]) {
        var lines = content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true)[...]
        guard let header = lines.popFirst() else { return nil }
        let fields = header.split(separator: UInt8(ascii: " "))
        guard let version = fields.first, version.elementsEqual([UInt8(ascii: "3")]) else { return nil }
        var (validity, next): (UInt32?, UInt32?)
        var guid: [UInt8]?
        for field in fields.dropFirst() {
            let value = field.dropFirst()
            switch field.first {
            case UInt8(ascii: "V"): validity = decimal(value).flatMap { UInt32(exactly: $0) }
            case UInt8(ascii: "N"): next = decimal(value).flatMap { UInt32(exactly: $0) }
            case UInt8(ascii: "G"): guid = Array(value)
            default: break
            }
        }
        guard let validity, let next else { return nil }
        var uids: [[UInt8]: UInt32] = [:]
        uids.reserveCapacity(lines.count)
        for line in lines {
            guard let uid = decimal(line).flatMap({ UInt32(exactly: $0) }), uid > 0,
                let space = line.firstIndex(of: UInt8(ascii: " "))
            else { continue }
            // Fields are parted by spaces; the one that begins with a colon is the last, and the name.
            var position = space
            while position < line.endIndex {
                if line[position] == UInt8(ascii: ":"), line[position - 1] == UInt8(ascii: " ") { break }
                position += 1
            }
            guard position + 1 < line.endIndex else { continue }
            uids[MaildirFileName(parsing: line[(position + 1)...]).base] = uid
        }
        (self.uidValidity, self.nextUID, self.guid, self.uids) = (validity, next, guid, uids)
    }
}
