internal import Events
internal import Journal
internal import Projections
internal import Query
internal import Vault

/// Answers whether a hold by query covers an item, by any state it ever had. What cannot be read is covered.
final class HoldQueries: @unchecked Sendable {
    // One command, one thread: the purge asks on the thread it runs on.
    private let vault: OpenVault
    private let projections: OpenProjections
    private let subjects: SubjectReading
    private let context: CommandContext
    private var parsed: [Int: Query] = [:]

    init(_ vault: OpenVault, _ context: CommandContext) throws {
        (self.vault, self.context) = (vault, context)
        projections = try context.projections(vault)
        subjects = SubjectReading(MessageReading(vault))
    }

    func covers(_ hold: LegalHold, _ account: Account, _ item: ItemID) throws -> Bool {
        guard let text = hold.query else { return true }
        let query: Query
        if let known = parsed[hold.number] {
            query = known
        } else {
            query = try Query.parse(text, now: context.now, zone: context.zone)
            parsed[hold.number] = query
        }
        let pointers = try projections.states(account.number, item).map { ItemPointer(item, $0) }
        var states: [RecordedState] = []
        try vault.journal.states(pointers) { states.append($0) }
        for state in states {
            let path = try state.state.message.flatMap {
                try projections.folderPath(account.number, $0.folder, asOf: state.transaction, vault.journal)
            }
            if query.matches(StateSubject(state, path ?? state.state.folder?.joinedPath, subjects)) { return true }
        }
        return subjects.unreadable.contains(item)
    }
}
