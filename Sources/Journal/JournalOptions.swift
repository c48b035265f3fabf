/// What may be chosen about a journal; the defaults are the format's.
public struct JournalOptions: Hashable, Sendable {
    /// Bytes after which a mirror segment is full.
    public var segmentBytes = 64 << 20

    public init() {}
}
