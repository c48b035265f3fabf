public import Events
internal import IMAP
public import Network

/// The mailboxes of one user on an IMAP server as a ``Target``.
///
/// What the server has confirmed is durable there; ``sync()`` only waits for what was held back. After a connection has
/// broken, nobody knows whether the last messages arrived: the target is of no more use, and whoever goes on looks first.
public final class IMAPTarget: Target {
    let session: IMAPSession
    private let naming: IMAPNaming
    private var folders: [MailboxName: IMAPTargetFolder] = [:]
    /// The mailbox that is open for writing.
    private var selected: (name: MailboxName, box: OpenMailbox)?

    /// What `SELECT` said.
    struct OpenMailbox {
        var uidValidity: UInt32
        /// Flags that stay; nil when the server does not say.
        var permanentFlags: [[UInt8]]?
    }

    /// Connects and signs in. Throws ``TargetFailure``, and a ``Failure`` where the server refuses the user.
    public init(_ access: ServerAccess, patience: IMAPPatience = IMAPPatience()) throws {
        do {
            session = try IMAPSession(access, patience: patience)
            naming = try IMAPNaming(session)
        } catch let failure as SourceFailure {
            throw TargetFailure.broken(failure)
        }
    }

    public func folder(_ state: FolderState) throws -> any TargetFolder {
        let name = try naming.name(of: state)
        if let known = folders[name] { return known }
        let folder = try TargetFailure.from {
            var status = try select(name)
            if status.condition != .ok {
                status = try session.attempt(.create(name))
                // Another connection may have made it meanwhile.
                if status.condition == .ok || status.code == .word(.alreadyExists) { status = try select(name) }
            }
            guard let (_, box) = selected else {
                throw TargetFailure.refused("the folder cannot be made: \(IMAPSession.shown(status.text))")
            }
            return IMAPTargetFolder(self, name, box)
        }
        folders[name] = folder
        return folder
    }

    /// Opens the mailbox for writing, unless it is open.
    private func select(_ name: MailboxName) throws -> StatusLine {
        selected = nil
        var validity: UInt32?
        var permanent: [[UInt8]]?
        let status = try session.attempt(.select(name, isReadOnly: false, nil)) { response in
            guard case .status(let status) = response else { return }
            switch status.code {
            case .uidValidity(let found): validity = found
            case .permanentFlags(let found): permanent = found
            case .word(.closed): (validity, permanent) = (nil, nil)
            default: break
            }
        }
        guard status.condition == .ok else { return status }
        guard let validity, validity > 0 else {
            throw SourceFailure.unavailable(
                "the server does not say which \(String(decoding: name.bytes, as: UTF8.self)) it opened")
        }
        selected = (name, OpenMailbox(uidValidity: validity, permanentFlags: permanent))
        return status
    }

    /// The mailbox, opened for writing, as long as it is still the one with that validity.
    func open(_ name: MailboxName, _ uidValidity: UInt32) throws {
        if let selected, selected.name == name, selected.box.uidValidity == uidValidity { return }
        let status = try select(name)
        guard status.condition == .ok, selected?.box.uidValidity == uidValidity else { throw TargetFailure.vanished }
    }

    /// Removes a folder of ours that has nothing in it.
    func removeEmptyFolder(_ path: [UInt8]) throws {
        try removeFolder(try naming.name(of: FolderState(path: [path], sourceName: [])).bytes)
    }

    /// A message that comes between the look and the removal is lost with the folder: IMAP has no word for both at once.
    public func removeFolder(_ bytes: [UInt8]) throws {
        let name = MailboxName(bytes)
        folders[name] = nil
        selected = nil
        try TargetFailure.from {
            var count: UInt32?
            try session.run(.status(name, [.messages])) {
                if case .mailboxStatus(let found) = $0 { count = found.messages }
            }
            guard count == 0 else { throw TargetFailure.refused("it is not empty") }
            try session.unselectAny()
            let status = try session.attempt(.delete(name))
            guard status.condition == .ok else { throw TargetFailure.refused(IMAPSession.shown(status.text)) }
        }
    }

    public func setSubscriptions(_ paths: [[[UInt8]]]) throws -> [[[UInt8]]] {
        try TargetFailure.from {
            let rows = try IMAPFolders(session: session).rows()
            var wanted: [MailboxName: [[UInt8]]] = [:]
            var lost: [[[UInt8]]] = []
            for path in paths {
                // One that can have no name here cannot be subscribed either.
                if let name = try? naming.name(of: FolderState(path: path, sourceName: [])) {
                    wanted[name] = path
                } else {
                    lost.append(path)
                }
            }
            for row in rows where row.isSubscribed && wanted[row.entry.name] == nil {
                _ = try session.attempt(.unsubscribe(row.entry.name))
            }
            let there = Dictionary(rows.map { ($0.entry.name, $0.isSubscribed) }, uniquingKeysWith: { one, _ in one })
            for (name, path) in wanted where there[name] != true {
                let status = try session.attempt(.subscribe(name))
                if status.condition != .ok { lost.append(path) }
            }
            return lost
        }
    }

    public func sync() throws {
        for folder in folders.values { try folder.flush() }
    }
}

extension TargetFailure {
    /// What a broken connection means for whoever writes.
    static func broken(_ failure: SourceFailure) -> TargetFailure {
        .unavailable("\(failure)", isNoSpace: false, isPermission: false)
    }

    static func from<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let failure as SourceFailure { throw broken(failure) }
    }
}
