public import Events
public import TimeLanguage

/// A search as somebody wrote it (`Specs/Interfaces/Query.md`).
public struct Query: Sendable, Equatable {
    /// What must hold. ``matches(_:)`` is the meaning of it.
    public indirect enum Term: Sendable, Equatable {
        /// All of them; with none, everything matches.
        case all([Term])
        /// At least one of them.
        case any([Term])
        case not(Term)
        /// A text within the subject, the names and addresses, or the file or folder name that the item is known by.
        case word(FoldedText)
        case from(FoldedText)
        /// Within `To` or `Cc`.
        case to(FoldedText)
        case cc(FoldedText)
        case subject(FoldedText)
        case body(FoldedText)
        /// This folder or one below it.
        case folder(FoldedText)
        /// A flag or keyword, lower-case; without the backslash for those of the system.
        case flag(String)
        /// Not `\Seen`.
        case unseen
        case kind(ItemKind)
        /// More bytes than this.
        case larger(UInt64)
        /// Fewer bytes than this.
        case smaller(UInt64)
        /// Received before this instant.
        case before(Timestamp)
        /// Received at this instant or after it.
        case after(Timestamp)
        case hasAttachment
        case deleted(Bool)
        /// The beginning of the digest, in lower-case hexadecimal digits.
        case digest(String)
        /// A message ID exactly, without `<` and `>`.
        case messageID([UInt8])
    }

    public let term: Term

    /// Whether it asks for something of the header, which is in the blob.
    public var needsHeaders: Bool { term.isAny(where: \.asksHeaders) }
    /// Whether it asks for something of the body, for which the whole blob must be read.
    public var needsBody: Bool { term.isAny(where: \.asksBody) }
    /// Whether it asks for deleted items (or for those that are not): without that the caller says which are searched.
    public var mentionsDeleted: Bool {
        term.isAny { if case .deleted = $0 { true } else { false } }
    }
    /// The message ID that a whole query is: for a look-up instead of a search.
    public var messageIDOnly: [UInt8]? { if case .messageID(let id) = term { id } else { nil } }

    /// Reads a query. An empty one matches everything.
    ///
    /// - Parameters:
    ///   - text: what was written; at most 4,096 bytes.
    ///   - now: the instant `before:yesterday` is told from.
    ///   - zone: the zone of the times in it.
    public static func parse(
        _ text: String, now: Timestamp, zone: Zone, zones: ZoneDatabase = .system
    ) throws(QueryError) -> Query {
        var parser = try QueryParser(text, now: now, zone: zone, zones: zones)
        return Query(term: try parser.parse())
    }

    /// Whether a subject is one that was asked for. The terms that need no blob are asked first.
    public func matches(_ subject: some QuerySubject) -> Bool {
        var evaluator = QueryEvaluator(subject)
        return evaluator.matches(term)
    }
}

extension Query.Term {
    var asksHeaders: Bool {
        switch self {
        case .word, .from, .to, .cc, .subject, .messageID: true
        default: false
        }
    }

    var asksBody: Bool {
        switch self {
        case .body, .hasAttachment: true
        default: false
        }
    }

    func isAny(where predicate: (Query.Term) -> Bool) -> Bool {
        switch self {
        case .all(let terms), .any(let terms): terms.contains { $0.isAny(where: predicate) }
        case .not(let term): term.isAny(where: predicate)
        default: predicate(self)
        }
    }

    /// 0: the projections know it. 1: a header must be read. 2: a body must be.
    var cost: Int { isAny(where: \.asksBody) ? 2 : isAny(where: \.asksHeaders) ? 1 : 0 }
}
