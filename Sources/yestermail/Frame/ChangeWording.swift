internal import Events
internal import Journal
internal import Presentation
internal import Projections
internal import Vault

/// What happened to an item, in words.
final class ChangeWording {
    private let vault: OpenVault
    private let projections: OpenProjections
    private let account: AccountNumber

    init(_ vault: OpenVault, _ projections: OpenProjections, _ account: AccountNumber) {
        (self.vault, self.projections, self.account) = (vault, projections, account)
    }

    /// The state of an item just before a transaction.
    func before(_ item: ItemID, _ transaction: TransactionID) throws -> RecordedState? {
        guard let pointer = try projections.pointer(account, item, asOf: transaction.previous) else { return nil }
        return try vault.journal.state(item, at: pointer)
    }

    func text(_ now: RecordedState, before: RecordedState?) throws -> String {
        var parts: [String] = []
        let kinds = now.kinds
        if kinds.contains(.created) {
            parts.append(now.item.kind == .message ? "arrived" + (try place(now, "in")) : "made")
        }
        if kinds.contains(.returned) { parts.append("came back" + (try place(now, "in"))) }
        if kinds.contains(.moved) {
            let from = try before.flatMap { try path($0) }
            parts.append("moved" + (from.map { " from \($0)" } ?? "") + (try place(now, "to")))
        }
        if kinds.contains(.renamed), let folder = now.state.folder {
            let old = before?.state.folder.map { " from \(TerminalText.safe($0.joinedPath))" } ?? ""
            parts.append("renamed\(old) to \(TerminalText.safe(folder.joinedPath))")
        }
        if kinds.contains(.flags) { parts.append("flags" + flagChanges(now, before)) }
        if kinds.contains(.tags) { parts.append("tags" + tagChanges(now, before)) }
        if kinds.contains(.content) {
            parts.append("content" + (now.state.message?.digest.map { " \($0.hex.prefix(12))" } ?? ""))
        }
        if kinds.contains(.subscription), let folder = now.state.folder {
            parts.append(folder.isSubscribed ? "subscribed" : "unsubscribed")
        }
        if kinds.contains(.metadata) { parts.append("details changed") }
        if kinds.contains(.deleted) { parts.append("deleted" + (try place(now, "from"))) }
        return parts.joined(separator: ", ")
    }

    private func place(_ state: RecordedState, _ word: String) throws -> String {
        try path(state).map { " \(word) \($0)" } ?? ""
    }

    /// Where a message is; for a folder, itself.
    private func path(_ recorded: RecordedState) throws -> String? {
        switch recorded.state.content {
        case .message(let message):
            try projections.folderPath(account, message.folder, asOf: recorded.transaction, vault.journal)
                .map { TerminalText.safe($0) }
        case .folder, .account, .other: nil
        }
    }

    private func flagChanges(_ now: RecordedState, _ before: RecordedState?) -> String {
        let (new, old) = (now.state.message?.flags ?? [], before?.state.message?.flags ?? [])
        var text = ""
        for (flag, name, _) in MessageFlags.names where new.contains(flag) != old.contains(flag) {
            text += (new.contains(flag) ? " +" : " -") + "\(name)"
        }
        return text
    }

    private func tagChanges(_ now: RecordedState, _ before: RecordedState?) -> String {
        func tags(_ state: RecordedState?) -> Set<[UInt8]> {
            guard let message = state?.state.message else { return [] }
            return Set(message.keywords + (message.flags.contains(.passed) ? [Array("$Forwarded".utf8)] : []))
        }
        let (new, old) = (tags(now), tags(before))
        let added = new.subtracting(old).map { " +" + TerminalText.safe($0, maxColumns: 60) }.sorted()
        let gone = old.subtracting(new).map { " -" + TerminalText.safe($0, maxColumns: 60) }.sorted()
        return (added + gone).joined()
    }
}
