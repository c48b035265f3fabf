internal import Events
internal import Headers
internal import Journal
internal import LMDB
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
        let pointers = try pointers(mayCarry: wanted, reading)
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

    /// The messages as of the view's moment that may carry a message ID: by the header index, or all where there is none
    /// and none can be made.
    func pointers(mayCarry id: [UInt8], _ reading: MessageReading) throws -> [ItemPointer] {
        let items: [ItemID]
        do {
            guard let found = try indexed(id, reading) else { return try pointers { $0.item.kind == .message } }
            items = found
        } catch {
            // Whatever is wrong with the index, it is begun anew; what is wrong with the journal is told then.
            guard error is HeaderIndexUnusable || error is DecodingFailure || (error as? LMDBError)?.isDamage == true
            else { throw error }
            try vault.removeHeaderIndex()
            items = try indexed(id, reading) ?? []
        }
        return try items.compactMap { item in
            try projections.pointer(account.number, item, asOf: point.transaction).map { ItemPointer(item, $0) }
        }
    }

    private func indexed(_ id: [UInt8], _ reading: MessageReading) throws -> [ItemID]? {
        guard let index = try vault.headerIndex() else { return nil }
        try reading.bringUp(index, vault.journal)
        return try index.items(account.number, carrying: MessageIDHash(id))
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
