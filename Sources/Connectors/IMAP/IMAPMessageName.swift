/// What a message of an IMAP server is called within its mailbox: `UIDVALIDITY.UID`, decimal. The validity is part of it, so that
/// a UID that was given anew is another name.
public struct IMAPMessageName: Hashable, Sendable {
    public var uidValidity: UInt32
    public var uid: UInt32

    public init(uidValidity: UInt32, uid: UInt32) { (self.uidValidity, self.uid) = (uidValidity, uid) }

    /// nil for what is no such name.
    public init?(_ bytes: some Collection<UInt8>) {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 2, let validity = IMAPMessageName.number(parts[0]),
            let uid = IMAPMessageName.number(parts[1])
        else { return nil }
        self.init(uidValidity: validity, uid: uid)
    }

    public var bytes: [UInt8] { Array("\(uidValidity).\(uid)".utf8) }

    /// In one spelling only: no sign, no zero in front.
    private static func number(_ digits: some Collection<UInt8>) -> UInt32? {
        guard let first = digits.first, first != 0x30, digits.count <= 10 else { return nil }
        var value: UInt64 = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            value = value * 10 + UInt64(digit - 0x30)
        }
        return UInt32(exactly: value)
    }
}
