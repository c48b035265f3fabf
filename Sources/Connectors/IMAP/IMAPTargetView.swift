internal import Events
internal import IMAP
internal import Network

/// What is on a server before a restore, and what it would call things there.
struct IMAPTargetView: TargetView {
    private let source: IMAPSource
    private let naming: IMAPNaming
    /// What the server can do.
    private let kept: Set<String>

    init(_ access: ServerAccess, patience: IMAPPatience = IMAPPatience()) throws {
        source = IMAPSource(access, patience: patience)
        (naming, kept) = try source.withSession { (try IMAPNaming($0), $0.capabilities.names) }
    }

    func folders() throws -> [SourceFolder] { try source.folders() }
    func list(_ folder: SourceFolder) throws -> any SourceListing { try source.list(folder) }
    func name(of state: FolderState) throws -> [UInt8] { try naming.name(of: state).bytes }

    /// A UID is the server's to give.
    var takesNames: Bool { false }
    func accepts(name: [UInt8]) -> Bool { IMAPMessageName(name) != nil }
    var forms: [DeliveredForm] { [.networkLines, .networkLinesWithoutZero] }

    func obstacle(removing folder: SourceFolder) throws -> String? {
        let name = MailboxName(folder.name)
        guard name != .inbox else { return "every user has an INBOX" }
        guard !source.hasUse(name) else { return "the server says what it is for" }
        return nil
    }

    func attributes(of folder: SourceFolder) throws -> [FolderAttribute]? { try source.attributes(of: folder) }

    func canHave(attribute name: [UInt8]) -> Bool {
        name.starts(with: FolderAttribute.accessControl) && kept.contains("ACL")
            || name.starts(with: FolderAttribute.metadata) && kept.contains("METADATA")
    }

    func capabilities() throws -> [String] { try source.withSession { $0.capabilities.names.sorted() } }

    func room() throws -> UInt64? {
        try source.withSession { session in
            guard session.capabilities.has("QUOTA") else { return nil }
            var room: UInt64?
            // One that may not be asked says nothing about the room.
            _ = try session.attempt(.getQuotaRoot(.inbox)) { response in
                guard case .quota(_, let resources) = response else { return }
                for resource in resources where resource.name.uppercased() == "STORAGE" && resource.limit < 1 << 50 {
                    let left = resource.limit > resource.used ? (resource.limit - resource.used) * 1_024 : 0
                    room = min(room ?? left, left)
                }
            }
            return room
        }
    }
}
