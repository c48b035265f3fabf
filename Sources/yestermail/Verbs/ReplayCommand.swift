internal import ArgumentParser
internal import Events
internal import Journal
internal import Projections
internal import Vault

struct ReplayCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Replays the journal to a time and prints the account's state as JSON.",
        discussion: """
            Nothing but the journal is read: no index, no projection. With --verify the result is held against what the \
            projections say, item by item and state by state; where they differ it says so and ends with 5.

            Examples:
              yestermail replay anna --at 2026-03-03
              yestermail replay anna --at @184467 --verify | jq -r .digest
            """)

    @OptionGroup(title: "Global options") var global: GlobalOptions

    @Argument(help: "The account.") var account: String

    @Option(help: ArgumentHelp("As of when. Default: last.", valueName: "time")) var at: String?

    @Flag(help: "Compare with the projections.") var verify = false

    func run(_ context: CommandContext) throws {
        let vault = try context.vault()
        let journal = vault.journal
        let directory = try DirectoryAt(journal, try journal.head().transaction)
        let account = try OpenVault.account(account, among: directory.accounts)
        let landmarks = JournalLandmarks(
            journal: journal, account: account.number,
            created: directory.created[account.number] ?? TransactionID(rawValue: 1))
        let point = try context.point(at, landmarks, vault)
        var fold = AccountFold(account: account.number, without: try journal.purgedItems())
        try fold.fold(journal, through: point.transaction)
        let live = fold.live()
        let digest = try journal.stateDigest(of: live)
        // A folder's path is what it was when the message's state began: as the transaction itself would have said.
        let paths = try FolderPathTimeline(journal, account.number, through: point.transaction)
        var json = JSONWriter(capacity: 1 << 20)
        json.beginObject()
        json.accountNames(account)
        json.resolved(point)
        try ReplayCommand.write(live, journal, paths, &json, context)
        json.key("digest")
        json.value(digest)
        var differences: [ReplayDifference] = []
        if verify {
            let projections = try context.projections(vault)
            differences = try ReplayVerification(vault, projections, account.number, point.transaction)
                .differences(live, digest, paths)
            json.key("verified")
            json.value(differences.isEmpty)
            json.key("differences")
            json.beginArray()
            for difference in differences {
                json.beginObject()
                json.key("item")
                json.optional(difference.item)
                json.key("detail")
                json.value(difference.detail)
                json.endObject()
            }
            json.endArray()
        }
        json.endObject()
        json.endLine()
        try context.output.write(json.bytes.span.bytes)
        guard differences.isEmpty else {
            context.remark(
                "the projections differ from the journal in \(differences.count) places; make them anew with: yestermail rebuild"
            )
            throw ExitStatus(.differences)
        }
        if verify { context.remark("The projections say the same.") }
    }

    /// `folders` and `items`, as the journal has them. What is finished goes out at once: an account may be large.
    private static func write(
        _ live: [ItemPointer], _ journal: OpenJournal, _ paths: FolderPathTimeline, _ json: inout JSONWriter,
        _ context: CommandContext
    ) throws {
        json.key("folders")
        json.beginArray()
        try journal.states(live.filter { $0.item.kind == .folder }) { recorded in
            json.beginObject()
            json.stateMembers(recorded.state, StateContext(recorded, paths))
            json.key("flags")
            json.beginArray()
            if recorded.state.folder?.isSubscribed == true { json.value("\\Subscribed") }
            json.endArray()
            json.endObject()
        }
        json.endArray()
        json.key("items")
        json.beginArray()
        try journal.states(live.filter { $0.item.kind != .folder }) { recorded in
            json.beginObject()
            json.stateMembers(recorded.state, StateContext(recorded, paths))
            json.endObject()
            if json.bytes.count >= 1 << 18 {
                try context.output.write(json.bytes.span.bytes)
                json.forgetWritten()
            }
        }
        json.endArray()
    }
}

extension StateContext {
    /// As the transaction itself would have told the state.
    init(_ recorded: RecordedState, _ paths: FolderPathTimeline) {
        self.init(
            transaction: recorded.transaction, start: recorded.time, item: recorded.item, kinds: recorded.kinds,
            origin: recorded.origin,
            folderPath: recorded.state.message.flatMap { paths.path($0.folder, at: recorded.transaction) })
    }
}
