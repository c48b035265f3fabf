/// Which of the two directories of a folder a message is in.
public enum MaildirPlace: UInt8, Hashable, Sendable, CaseIterable {
    /// Not seen by any client yet (`\Recent`).
    case new
    case cur

    /// `new` or `cur`.
    public var directoryName: [UInt8] { self == .new ? [UInt8](ascii: "new") : [UInt8](ascii: "cur") }
}
