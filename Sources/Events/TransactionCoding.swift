// The body of a transaction's record, `Specs/Format/Events.md`, "Body". Encoder and decoder stand together.

private enum BodyBits {
    static let note: UInt8 = 1
    static let clockBehind: UInt8 = 2
    static let known = note | clockBehind
}

extension JournalEntry {
    /// Writes the body of a record: everything but what the frame says (ID, time, account, origin).
    public func encodeBody(clockBehind: UInt64, into writer: inout ByteWriter) {
        writer.integer((note == nil ? 0 : BodyBits.note) | (clockBehind == 0 ? 0 : BodyBits.clockBehind))
        if clockBehind != 0 { writer.varint(clockBehind) }
        if let note { note.encode(into: &writer) }
        writer.varint(changes.count)
        for change in changes { change.encode(into: &writer) }
    }
}

extension Change {
    func encode(into writer: inout ByteWriter) {
        Change.encode(item, kinds, into: &writer) { state.encode(into: &$0) }
    }

    fileprivate static func encode(
        _ item: ItemID, _ kinds: ChangeKinds, into writer: inout ByteWriter, _ state: (inout ByteWriter) -> Void
    ) {
        writer.integer(item.kind.rawValue)
        writer.varint(item.number)
        writer.varint(kinds.rawValue)
        // Two bytes are kept for the length, which is written when it is known; a longer state moves up.
        let mark = writer.count
        writer.integer(UInt16(0))
        state(&writer)
        let length = writer.count - mark - 2
        if length < 1 << 14 {
            writer.replace(at: mark, with: UInt16(length & 0x7F | 0x80) << 8 | UInt16(length >> 7))
        } else {
            writer.insertZeros(2, at: mark + 2)
            writer.replace(
                at: mark,
                with: UInt32(length & 0x7F | 0x80) << 24 | UInt32(length >> 7 & 0x7F | 0x80) << 16
                    | UInt32(length >> 14 & 0x7F | 0x80) << 8 | UInt32(length >> 21))
        }
    }
}

/// Goes through the changes of a body without decoding their states: a replay only needs to know who is changed.
public struct ChangeReader: ~Escapable {
    /// By how many microseconds the clock stood behind.
    public let clockBehind: UInt64
    /// How many changes there are in all.
    public let count: Int
    private var reader: ByteReader
    private let noteBytes: RawSpan
    private var left: Int
    /// The item, the kinds and the state's bytes of the change just read.
    public private(set) var item = ItemID(.folder, 0)
    public private(set) var kinds: ChangeKinds = []
    private var stateBytes: RawSpan

    @_lifetime(copy body)
    public init(_ body: RawSpan) throws(DecodingFailure) {
        var reader = ByteReader(body)
        let bits: UInt8 = try reader.integer()
        guard bits & ~BodyBits.known == 0 else { throw DecodingFailure(offset: 0, reason: .outOfRange) }
        clockBehind = bits & BodyBits.clockBehind == 0 ? 0 : try reader.varint()
        noteBytes = bits & BodyBits.note == 0 ? body.extracting(first: 0) : try reader.span(try reader.count())
        count = try reader.count()
        left = count
        self.reader = reader
        stateBytes = body.extracting(first: 0)
    }

    /// To the next change; false behind the last one.
    @_lifetime(self: copy self)
    @inline(__always)
    public mutating func next() throws(DecodingFailure) -> Bool {
        guard left > 0 else {
            try reader.finish()
            return false
        }
        left -= 1
        let kind: UInt8 = try reader.integer()
        guard let itemKind = ItemKind(rawValue: kind) else {
            throw DecodingFailure(offset: reader.offset, reason: .unknownKind(kind))
        }
        item = ItemID(itemKind, try reader.varint32())
        guard let kinds = UInt16(exactly: try reader.varint()) else {
            throw DecodingFailure(offset: reader.offset, reason: .outOfRange)
        }
        self.kinds = ChangeKinds(rawValue: kinds)
        stateBytes = try reader.span(try reader.count())
        return true
    }

    /// The canonical bytes of the state.
    public var state: RawSpan {
        @_lifetime(copy self) get { stateBytes }
    }

    /// Whether the state says deleted.
    public var isDeleted: Bool {
        stateBytes.byteCount > 0 && stateBytes.unsafeLoadUnaligned(as: UInt8.self) & 1 != 0
    }

    /// The note, when there is one.
    public func note() throws(DecodingFailure) -> Note? {
        guard noteBytes.byteCount > 0 else { return nil }
        return try Note(decoding: noteBytes)
    }
}

extension ChangeReader {
    /// Whether there is a note.
    public var hasNote: Bool { noteBytes.byteCount > 0 }

    /// Writes a body that has of this one, which nothing has been read of yet, the changes that `keeps` is true for and, with
    /// `keepsNote`, the note. Returns how many changes it has.
    @_lifetime(self: copy self)
    public mutating func rewrite(
        into writer: inout ByteWriter, keepsNote: Bool, keeps: (ItemID) -> Bool
    ) throws(DecodingFailure) -> Int {
        let note = keepsNote && hasNote
        writer.integer((note ? BodyBits.note : 0) | (clockBehind == 0 ? 0 : BodyBits.clockBehind))
        if clockBehind != 0 { writer.varint(clockBehind) }
        if note {
            writer.varint(noteBytes.byteCount)
            writer.raw(noteBytes)
        }
        var kept = ByteWriter(capacity: 256)
        var count = 0
        while try next() {
            guard keeps(item) else { continue }
            count += 1
            let state = state
            Change.encode(item, kinds, into: &kept) { $0.raw(state) }
        }
        writer.varint(count)
        writer.raw(kept.span)
        return count
    }
}

extension JournalEntry {
    /// Decodes a whole body.
    public init(
        account: AccountNumber, origin: Origin, decodingBody body: RawSpan
    ) throws(DecodingFailure) {
        var reader = try ChangeReader(body)
        let note = try reader.note()
        var changes: [Change] = []
        changes.reserveCapacity(min(reader.count, 4096))
        while try reader.next() {
            changes.append(
                Change(reader.item, reader.kinds, try ItemState(reader.item.kind, decoding: reader.state)))
        }
        self.init(account: account, origin: origin, changes: changes, note: note)
    }
}

extension Note {
    func encode(into writer: inout ByteWriter) {
        var own = ByteWriter(capacity: 64)
        own.integer(kind.rawValue)
        own.varint(fields.count)
        for field in fields {
            own.bytes(Array(field.name.utf8))
            switch field.value {
            case .number(let value):
                own.integer(UInt8(1))
                own.integer(value)
            case .time(let value):
                own.integer(UInt8(2))
                own.integer(value.rawValue)
            case .text(let value):
                own.integer(UInt8(3))
                own.bytes(value)
            case .flag(let value):
                own.integer(UInt8(4))
                own.integer(UInt8(value ? 1 : 0))
            }
        }
        writer.bytes(own.bytes)
    }

    init(decoding bytes: RawSpan) throws(DecodingFailure) {
        var reader = ByteReader(bytes)
        let kind: UInt8 = try reader.integer()
        guard let known = Kind(rawValue: kind) else {
            throw DecodingFailure(offset: 0, reason: .unknownKind(kind))
        }
        self.kind = known
        fields = []
        for _ in 0..<(try reader.count()) {
            let name = String(decoding: try reader.bytes(), as: UTF8.self)
            let type: UInt8 = try reader.integer()
            switch type {
            case 1: fields.append(Field(name, .number(try reader.integer())))
            case 2: fields.append(Field(name, .time(Timestamp(rawValue: try reader.integer()))))
            case 3: fields.append(Field(name, .text(try reader.bytes())))
            case 4:
                let flag: UInt8 = try reader.integer()
                guard flag <= 1 else { throw DecodingFailure(offset: reader.offset, reason: .outOfRange) }
                fields.append(Field(name, .flag(flag != 0)))
            default: throw DecodingFailure(offset: reader.offset, reason: .unknownKind(type))
            }
        }
        try reader.finish()
    }
}
