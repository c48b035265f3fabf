/// What a content is made from; its bytes are made from this and the seed when asked for, and never kept.
struct Content: Sendable {
    enum Kind: Sendable {
        case ordinary
        /// One of the nasty messages, as it stands.
        case nasty(Int)
        /// The autosave `step` of `steps` before the message `of` was sent.
        case draft(of: ContentNumber, step: Int, steps: Int)
    }

    /// A file in a message. Its bytes come from its ID alone, so that wherever it appears it is the same.
    struct Attachment: Sendable {
        let id: Int
        /// Octets, decoded.
        let size: Int
    }

    var kind = Kind.ordinary
    /// The thread's number: it gives the subject.
    var topic: Int
    /// The message this one answers.
    var parent: ContentNumber?
    /// The correspondent's number; 0 is the owner of the account.
    var sender: Int
    /// Of the Date field; seconds since 1970.
    var date: Int64
    var attachments: [Attachment] = []
}
