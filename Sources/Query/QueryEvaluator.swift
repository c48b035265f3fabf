import Events
import MIME

/// Asks one subject, and asks it for its blob at most once.
struct QueryEvaluator<Subject: QuerySubject> {
    private let subject: Subject
    private var headers: MIMEHeaders??
    private var preview: MIMEPreview??
    private var texts: [Field: [UInt8]] = [:]

    private enum Field { case from, to, cc, subject, body }

    init(_ subject: Subject) { self.subject = subject }

    mutating func matches(_ term: Query.Term) -> Bool {
        switch term {
        case .all(let terms):
            // The parser has put cheap terms first.
            for term in terms where !matches(term) { return false }
            return true
        case .any(let terms):
            for term in terms where matches(term) { return true }
            return false
        case .not(let term): return !matches(term)
        case .word(let text):
            for field in [Field.subject, .from, .to, .cc] where contains(field, text) { return true }
            return false
        case .from(let text): return contains(.from, text)
        case .to(let text): return contains(.to, text) || contains(.cc, text)
        case .cc(let text): return contains(.cc, text)
        case .subject(let text): return contains(.subject, text)
        case .body(let text): return contains(.body, text)
        case .folder(let path): return isIn(path)
        case .flag(let name): return hasFlag(name)
        case .unseen: return subject.kind == .message && !hasFlag("seen")
        case .kind(let kind): return subject.kind == kind
        case .larger(let size): return subject.byteCount > size
        case .smaller(let size): return subject.byteCount < size
        case .before(let time): return subject.internalDate.map { $0 < time } ?? false
        case .after(let time): return subject.internalDate.map { $0 >= time } ?? false
        case .hasAttachment: return loadPreview()?.hasAttachment ?? false
        case .deleted(let flag): return subject.isDeleted == flag
        case .digest(let prefix): return subject.digest?.hex.hasPrefix(prefix) ?? false
        case .messageID(let id):
            return loadHeaders()?.messageIDs.contains { QueryEvaluator.withoutBrackets($0) == id } ?? false
        }
    }

    private static func withoutBrackets(_ id: [UInt8]) -> [UInt8] {
        id.first == UInt8(ascii: "<") && id.last == UInt8(ascii: ">") ? Array(id.dropFirst().dropLast()) : id
    }

    private func isIn(_ path: FoldedText) -> Bool {
        guard let folder = subject.folderPath else { return false }
        let folded = FoldedText.fold(folder)
        return folded.starts(with: path.bytes)
            && (folded.count == path.bytes.count || folded[path.bytes.count] == UInt8(ascii: "/"))
    }

    private func hasFlag(_ name: String) -> Bool {
        subject.flags.contains { flag in
            let text = String(decoding: flag, as: UTF8.self).lowercased()
            return text == name || text == "\\" + name
        }
    }

    private mutating func contains(_ field: Field, _ text: FoldedText) -> Bool {
        let folded: [UInt8]
        if let known = texts[field] {
            folded = known
        } else {
            folded = load(field).map { FoldedText.fold($0) } ?? []
            texts[field] = folded
        }
        return FoldedText.contains(folded, text.bytes)
    }

    private mutating func load(_ field: Field) -> String? {
        switch field {
        case .from: loadHeaders()?.from
        case .to: loadHeaders()?.to
        case .cc: loadHeaders()?.cc
        case .subject: loadHeaders()?.subject
        case .body: loadPreview()?.text
        }
    }

    private mutating func loadHeaders() -> MIMEHeaders? {
        if let headers { return headers }
        let loaded = subject.headers()
        headers = .some(loaded)
        return loaded
    }

    private mutating func loadPreview() -> MIMEPreview? {
        if let preview { return preview }
        let loaded = subject.preview()
        preview = .some(loaded)
        return loaded
    }
}
