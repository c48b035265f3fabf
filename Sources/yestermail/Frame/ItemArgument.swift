internal import Events
internal import Journal
internal import MIME
internal import Presentation
internal import Projections
internal import Vault

extension AccountView {
    /// The items a person means: by id, or all that carry a `<message-id>`.
    func items(_ text: String) throws -> [ItemID] {
        if let item = ItemID(text) { return [item] }
        guard text.hasPrefix("<"), text.hasSuffix(">"), text.utf8.count > 2 else {
            throw Failure(
                .usage, "'\(TerminalText.safe(text, maxColumns: 60))' is not an item",
                hint: "Write an id such as m1042 (ls, find and log print them) or a <message-id>")
        }
        let wanted = Array(text.utf8)
        let reading = MessageReading(vault)
        let pointers = try pointers { $0.item.kind == .message }
        var (live, deleted): ([ItemID], [ItemID]) = ([], [])
        try inBlocks(pointers) { states in
            let headers = try reading.headers(of: states.map(\.state.message))
            for (state, header) in zip(states, headers) where header?.messageIDs.contains(wanted) == true {
                if state.state.isDeleted { deleted.append(state.item) } else { live.append(state.item) }
            }
        }
        let found = live.isEmpty ? deleted : live
        guard !found.isEmpty else {
            throw Failure(.notFound, "no message of \(account.state.address) carries \(TerminalText.safe(text))")
        }
        return found
    }

    /// The states at `pointers`, so many at a time that they fit into memory.
    func inBlocks(_ pointers: [ItemPointer], _ body: ([RecordedState]) throws -> Void) throws {
        var index = 0
        while index < pointers.count {
            let end = min(pointers.count, index + 2048)
            var states: [RecordedState] = []
            states.reserveCapacity(end - index)
            try vault.journal.states(Array(pointers[index..<end])) { states.append($0) }
            try body(states)
            index = end
        }
    }
}
