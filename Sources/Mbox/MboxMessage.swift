/// One message of an mbox file: where it is.
public struct MboxMessage: Hashable, Sendable {
    public let postmark: Postmark
    /// In the file, from the first octet of its `From ` line to that of the next, or to the end.
    public let range: Range<Int64>
    /// In the file, the message itself; its quoting is not yet undone.
    public let content: Range<Int64>
    /// The variant by which it was read.
    public let variant: MboxVariant
}
