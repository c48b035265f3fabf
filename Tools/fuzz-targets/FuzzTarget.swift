internal import Blobs
internal import Connectors
internal import Events
internal import Glibc
internal import IMAP
internal import Journal
internal import MIME
internal import Maildir
internal import Mbox
internal import Query
internal import SystemPackage
internal import TimeLanguage
internal import Transparency

/// The decoders, each as a function of bytes: whatever the bytes are, it comes to an end and ends nothing else. What it finds wrong it
/// throws, and that is right; a trap, a signal or no end is a finding.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case record, segment, sealed, pack, checkpoint, proof, headers, maildir, mbox, time, query, imap

    /// Decodes `bytes`. `file` is a path that may be written over, for decoders that read files.
    public func run(_ bytes: [UInt8], file: String) {
        // What it says against the bytes is its right.
        _ = try? decode(bytes, file)
    }

    private func decode(_ bytes: [UInt8], _ file: String) throws {
        switch self {
        case .record: try FuzzTarget.record(RecordView(bytes.span.bytes))
        case .segment, .sealed:
            FuzzTarget.write(bytes, file)
            try SegmentReading.read(
                FilePath(file), first: TransactionID(rawValue: 1), isSealed: self == .sealed
            ) { try FuzzTarget.record($0) }
        case .pack:
            FuzzTarget.write(bytes, file)
            try PackReading.read(file, pack: 1, vault: [UInt8](repeating: 0, count: 16), size: bytes.count)
        case .checkpoint:
            let note = try SignedNote(bytes)
            let checkpoint = try Checkpoint(note)
            _ = (note.bytes, checkpoint.text)
            _ = try NoteVerifier(String(decoding: bytes, as: UTF8.self))
        case .proof:
            let proof = try RecordProof(bytes)
            guard try RecordProof(proof.bytes) == proof else { fatalError("a proof that was written is another") }
            if let record = proof.record { try FuzzTarget.record(RecordView(record.span.bytes)) }
        case .headers:
            let headers = MIMEHeaders.parse(bytes)
            for index in 0..<headers.count { _ = headers[index].text }
            _ = (headers.subject, headers.from, headers.to, headers.date, headers.messageIDs)
            _ = MIMEHeaders.messageIDs(in: bytes.span.bytes)
            _ = MIMEPreview(bytes, maxTextBytes: 4_096)
        case .maildir:
            let name = MaildirFileName(parsing: bytes)
            _ = (name.bytes, name.sizeHint, name.wireSizeHint)
            for escapes in [ModifiedUTF7.Escapes.none, .maildirPlusPlus] {
                if let text = ModifiedUTF7.decode(bytes, escaping: escapes) {
                    _ = ModifiedUTF7.encode(text, escaping: escapes)
                }
            }
            _ = DovecotUIDList(parsing: bytes)
        case .mbox:
            FuzzTarget.write(bytes, file)
            var reader = try MboxReader(path: file)
            var content: [UInt8] = []
            while let message = try reader.next() { try reader.read(message, into: &content, limit: 1 << 24) }
        case .time:
            let (now, zone) = (Timestamp(seconds: 1_772_000_000), Zone(offset: 3_600))
            let text = String(decoding: bytes, as: UTF8.self)
            for role in [TimeExpression.Role.at, .from, .to] {
                _ = try TimeExpression.parse(text, role: role, now: now, zone: zone)
            }
        case .query:
            _ = try Query.parse(
                String(decoding: bytes, as: UTF8.self), now: Timestamp(seconds: 1_772_000_000), zone: Zone(offset: 0))
        case .imap:
            var limits = ResponseParser.Limits()
            limits.responseBytes = 1 << 16
            var parser = ResponseParser(limits: limits)
            let listener = Listener()
            try bytes.withUnsafeBytes { try parser.receive($0, listener) }
        }
    }

    private static func record(_ record: borrowing RecordView) throws {
        _ = record.leafHash
        _ = try record.transaction()
        var changes = try ChangeReader(record.body)
        while try changes.next() {
            _ = changes.isDeleted
            _ = try ItemState(changes.item.kind, decoding: changes.state)
        }
        _ = try changes.note()
    }

    private static func write(_ bytes: [UInt8], _ file: String) {
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0, bytes.withUnsafeBytes({ pwrite(descriptor, $0.baseAddress, $0.count, 0) }) == bytes.count
        else { fatalError("\(file) cannot be written: errno \(errno)") }
        close(descriptor)
    }

    private final class Listener: ResponseHandler {
        func response(_ response: Response) {}
        func bodyBegins(_ row: FetchedAttributes, section: [UInt8], size: UInt64) {}
        func bodyBytes(_ bytes: UnsafeRawBufferPointer) {}
        func bodyEnds() {}
    }
}
