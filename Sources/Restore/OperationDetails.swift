public import Events
internal import Journal
internal import Projections
public import Vault

/// What of a restore is more than a count: item by item, as the journal keeps it, to be printed again at any time.
public struct OperationDetails: Hashable, Sendable {
    public var unrestored: [Unrestored] = []
    /// Items that are there in another way than was asked for, and were left alone.
    public var passedOver: [PassedOver] = []
    /// Keywords, subscriptions and rights the target could not keep.
    public var losses: [String] = []
    public var warnings: [String] = []

    public struct PassedOver: Hashable, Sendable {
        public var item: ItemID
        public var why: String
    }

    /// What one field may say; a target may be wordy.
    private static let longest = 2_000

    /// As fields of notes, at most `count` in each (`Specs/Format/Events.md`, "Steps").
    func fields(at count: Int) -> [[Note.Field]] {
        func field(_ name: String, _ parts: String...) -> Note.Field {
            let parts = parts.map { $0.utf8.filter { $0 != 0 }.prefix(OperationDetails.longest) }
            return Note.Field(name, .text(Array(parts.joined(separator: [0]))))
        }
        let all =
            unrestored.map { field("unrestored \($0.item?.description ?? "-")", $0.cause.rawValue, $0.detail) }
            + passedOver.map { field("passed \($0.item)", $0.why) } + losses.map { field("loss -", $0) }
            + warnings.map { field("warning -", $0) }
        return stride(from: 0, to: all.count, by: count).map { Array(all[$0..<min(all.count, $0 + count)]) }
    }

    /// Takes in a field that ``fields(at:)`` wrote; what is something else is left alone.
    mutating func take(_ field: Note.Field) {
        guard case .text(let bytes) = field.value else { return }
        let words = field.name.split(separator: " ")
        guard words.count == 2 else { return }
        let item = ItemID(String(words[1]))
        let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        switch (words[0], parts.count) {
        case ("unrestored", 2):
            if let cause = Unrestored.Cause(rawValue: parts[0]) { unrestored.append(Unrestored(item, cause, parts[1])) }
        case ("passed", 1): if let item { passedOver.append(PassedOver(item: item, why: parts[0])) }
        case ("loss", 1): losses.append(parts[0])
        case ("warning", 1): warnings.append(parts[0])
        default: return
        }
    }
}

extension OpenVault {
    /// What the journal has of an operation besides its counts.
    public func details(of operation: RecordedOperation) throws -> OperationDetails {
        var found = OperationDetails()
        try eachStepNote(of: operation) { note in for field in note.fields { found.take(field) } }
        return found
    }

    /// The notes an operation left between its beginning and its end, in order.
    func eachStepNote(of operation: RecordedOperation, _ body: (Note) throws -> Void) throws {
        let wanted = Array(operation.id.description.utf8)
        for (id, kind) in try projections().notes(operation.account, from: operation.began)
        where kind == .operationStep {
            if let ended = operation.ended, id > ended { break }
            guard let note = try journal.transaction(id)?.entry.note, note.text("operation") == wanted else { continue }
            try body(note)
        }
    }
}
