/// What is laid over the ordinary traffic of an account, each at a fixed share of the time, so that tests can name it.
public enum Scenario: String, CaseIterable, Sendable {
    /// Add, flag, move and delete one message within one second, for ten messages interleaved.
    case sameSecond = "same-second"
    /// A broken client deletes 1 % of INBOX a day for 60 days (at most a third of the time).
    case slowLeak = "slow-leak"
    /// \Seen on everything in INBOX and its largest neighbours within one second.
    case markAllRead = "mark-all-read"
    /// The parent of 40 folders (XS: 8) is renamed, renamed back, and one child deleted and made again, empty.
    case renameTree = "rename-tree"
    /// Many messages appended at once with internal dates of years ago.
    case importOld = "import"
    /// Every UID of every folder changes, all content stays.
    case uidValidity = "uidvalidity"
    /// One message in six folders, as labels do; then taken out of three.
    case labelStorm = "label-storm"
    /// The clock of the source stands two hours back, for two hours: internal dates go back.
    case clockBack = "clock-back"
    /// A year of mail (XS: a third of it) is moved to Trash, and Trash is emptied.
    case oopsEmpty = "oops-empty"
    /// 21 days of nothing (at most a tenth of the time).
    case vacation
    /// All folders are emptied within five minutes.
    case ransom
    /// The account is removed and, an hour later, made again under its name.
    case accountRemoved = "account-removed"

    /// When it begins, per mille of the time of the history.
    var begin: Int {
        switch self {
        case .sameSecond: 150
        case .slowLeak: 250
        case .markAllRead: 300
        case .renameTree: 380
        case .importOld: 450
        case .uidValidity: 520
        case .labelStorm: 560
        case .clockBack: 620
        case .oopsEmpty: 700
        case .vacation: 730
        case .ransom: 850
        case .accountRemoved: 930
        }
    }
}

/// How large a history is.
public struct HistorySize: Sendable {
    public var accounts, months, messagesPerAccount: Int
    /// Octets beyond which the text of a message, or an attachment, is cut.
    public var textCut, attachmentCut: Int
    /// Children of the tree of ``Scenario/renameTree``, and messages of ``Scenario/importOld``.
    public var treeWidth, importCount: Int

    public init(
        accounts: Int, months: Int, messagesPerAccount: Int, textCut: Int = 1 << 20, attachmentCut: Int = 2 << 20,
        treeWidth: Int = 40, importCount: Int = 5_000
    ) {
        (self.accounts, self.months, self.messagesPerAccount) = (accounts, months, messagesPerAccount)
        (self.textCut, self.attachmentCut) = (textCut, attachmentCut)
        (self.treeWidth, self.importCount) = (treeWidth, importCount)
    }

    /// For unit tests: 1 account, 3 months, 500 messages.
    public static let extraSmall = HistorySize(
        accounts: 1, months: 3, messagesPerAccount: 500, attachmentCut: 256 << 10, treeWidth: 8, importCount: 60)
    /// For integration: 10 accounts, 6 months, 20,000 messages.
    public static let small = HistorySize(
        accounts: 10, months: 6, messagesPerAccount: 2_000, textCut: 16 << 10, attachmentCut: 128 << 10, treeWidth: 20,
        importCount: 300)
    /// For performance and crash tests: 100 accounts, 12 months, 500,000 messages.
    public static let medium = HistorySize(
        accounts: 100, months: 12, messagesPerAccount: 5_000, textCut: 8 << 10, attachmentCut: 8 << 10, importCount: 500
    )
}
