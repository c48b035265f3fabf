// How each command is said, one production each.

extension Command {
    /// The parts of the command; before each but the first the server has to ask for it.
    func encode(tag: [UInt8], literals: LiteralKind) throws(EncodingRefusal) -> [[UInt8]] {
        var writer = CommandWriter(literals)
        writer.raw(tag: tag)
        writer.words(" ")
        try write(into: &writer)
        writer.words("\r\n")
        return writer.parts
    }

    private func write(into writer: inout CommandWriter) throws(EncodingRefusal) {
        switch self {
        case .capability: writer.words("CAPABILITY")
        case .noop: writer.words("NOOP")
        case .logout: writer.words("LOGOUT")
        case .startTLS: writer.words("STARTTLS")
        case .namespace: writer.words("NAMESPACE")
        case .unselect: writer.words("UNSELECT")
        case .close: writer.words("CLOSE")
        case .idle: writer.words("IDLE")
        case .login(let user, let password):
            writer.words("LOGIN ")
            try writer.string(user)
            writer.words(" ")
            try writer.string(password)
        case .authenticate(let response, let isInitial):
            switch response.mechanism {
            case .plain: writer.words("AUTHENTICATE PLAIN")
            case .xoauth2: writer.words("AUTHENTICATE XOAUTH2")
            case .oauthbearer: writer.words("AUTHENTICATE OAUTHBEARER")
            }
            if isInitial {
                writer.words(" ")
                writer.base64(response.response)
            }
        case .enable(let extensions):
            writer.words("ENABLE")
            for name in extensions {
                writer.words(" ")
                writer.words(name.words)
            }
        case .id(let fields): try writer.pairs("ID ", fields)
        case .list(let request): try writer.list(request)
        case .subscribedList(let pattern):
            writer.words("LSUB \"\" ")
            try writer.string(pattern)
        case .status(let name, let items):
            try writer.mailbox("STATUS ", name)
            writer.words(" ")
            writer.statusItems(items)
        case .select(let name, let isReadOnly, let parameter):
            try writer.mailbox(isReadOnly ? "EXAMINE " : "SELECT ", name)
            writer.selectParameter(parameter)
        case .fetch(let selection, let items, let since, let wantsVanished):
            writer.fetch(selection, items, since, wantsVanished)
        case .searchAll(let isExtended):
            writer.words(isExtended ? "UID SEARCH RETURN (ALL) ALL" : "UID SEARCH ALL")
        case .store(let uids, let action, let flags, let unchangedSince):
            writer.store(uids, action, flags, unchangedSince)
        case .copy(let uids, let name):
            writer.words("UID COPY ")
            writer.set(uids)
            try writer.mailbox(" ", name)
        case .move(let uids, let name):
            writer.words("UID MOVE ")
            writer.set(uids)
            try writer.mailbox(" ", name)
        case .expunge(let uids):
            writer.words("UID EXPUNGE ")
            writer.set(uids)
        case .create(let name, let use):
            try writer.mailbox("CREATE ", name)
            writer.specialUse(use)
        case .delete(let name): try writer.mailbox("DELETE ", name)
        case .rename(let name, let new):
            try writer.mailbox("RENAME ", name)
            try writer.mailbox(" ", new)
        case .subscribe(let name): try writer.mailbox("SUBSCRIBE ", name)
        case .unsubscribe(let name): try writer.mailbox("UNSUBSCRIBE ", name)
        case .getACL(let name): try writer.mailbox("GETACL ", name)
        case .setACL(let name, let identifier, let rights):
            try writer.mailbox("SETACL ", name)
            writer.words(" ")
            try writer.string(identifier)
            writer.words(" ")
            try writer.string(rights)
        case .deleteACL(let name, let identifier):
            try writer.mailbox("DELETEACL ", name)
            writer.words(" ")
            try writer.string(identifier)
        case .myRights(let name): try writer.mailbox("MYRIGHTS ", name)
        case .getMetadata(let name):
            try writer.mailbox("GETMETADATA (DEPTH infinity) ", name)
            writer.words(" (/private /shared)")
        case .setMetadata(let name, let entries):
            try writer.mailbox("SETMETADATA ", name)
            try writer.pairs(" ", entries)
        case .getQuotaRoot(let name): try writer.mailbox("GETQUOTAROOT ", name)
        case .notifyPersonal:
            writer.words(
                "NOTIFY SET STATUS (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))")
        case .notifyNone: writer.words("NOTIFY NONE")
        }
    }
}

extension CommandWriter {
    fileprivate mutating func mailbox(_ words: StaticString, _ name: MailboxName) throws(EncodingRefusal) {
        self.words(words)
        try string(name.bytes)
    }

    fileprivate mutating func pairs(_ words: StaticString, _ entries: [MetadataEntry]) throws(EncodingRefusal) {
        self.words(words)
        if entries.isEmpty { return self.words("NIL") }
        self.words("(")
        for (index, entry) in entries.enumerated() {
            if index > 0 { self.words(" ") }
            try string(entry.name)
            self.words(" ")
            try optionalString(entry.value)
        }
        self.words(")")
    }

    fileprivate mutating func statusItems(_ items: [Command.StatusItem]) {
        words("(")
        for (index, item) in items.enumerated() {
            if index > 0 { words(" ") }
            words(item.words)
        }
        words(")")
    }

    fileprivate mutating func list(_ request: ListRequest) throws(EncodingRefusal) {
        words("LIST \"\" ")
        try string(request.pattern)
        guard request.wantsSubscribed || request.wantsSpecialUse || !request.status.isEmpty else { return }
        words(" RETURN (")
        var isFirst = true
        func separate(_ writer: inout CommandWriter) {
            if !isFirst { writer.words(" ") }
            isFirst = false
        }
        if request.wantsSubscribed {
            separate(&self)
            words("SUBSCRIBED")
        }
        if request.wantsSpecialUse {
            separate(&self)
            words("SPECIAL-USE")
        }
        if !request.status.isEmpty {
            separate(&self)
            words("STATUS ")
            statusItems(request.status)
        }
        words(")")
    }

    fileprivate mutating func selectParameter(_ parameter: Command.SelectParameter?) {
        switch parameter {
        case nil: break
        case .condstore: words(" (CONDSTORE)")
        case .qresync(let uidValidity, let modSequence):
            words(" (QRESYNC (")
            number(UInt64(uidValidity))
            words(" ")
            number(modSequence)
            words("))")
        }
    }

    fileprivate mutating func fetch(
        _ selection: Command.UIDSelection, _ items: [Command.FetchItem], _ since: UInt64?, _ wantsVanished: Bool
    ) {
        words("UID FETCH ")
        switch selection {
        case .all: words("1:*")
        case .set(let uids): set(uids)
        case .from(let uid):
            number(UInt64(uid))
            words(":*")
        }
        words(" (")
        for (index, item) in items.enumerated() {
            if index > 0 { words(" ") }
            words(item.words)
        }
        words(")")
        if let since {
            words(" (CHANGEDSINCE ")
            number(since)
            if wantsVanished { words(" VANISHED") }
            words(")")
        }
    }

    fileprivate mutating func store(
        _ uids: UIDSet, _ action: Command.StoreAction, _ names: [FlagName], _ unchangedSince: UInt64?
    ) {
        words("UID STORE ")
        set(uids)
        if let unchangedSince {
            words(" (UNCHANGEDSINCE ")
            number(unchangedSince)
            words(")")
        }
        switch action {
        case .set: words(" FLAGS.SILENT ")
        case .add: words(" +FLAGS.SILENT ")
        case .remove: words(" -FLAGS.SILENT ")
        }
        flags(names)
    }

    fileprivate mutating func specialUse(_ use: [Command.SpecialUse]) {
        guard !use.isEmpty else { return }
        words(" (USE (")
        for (index, name) in use.enumerated() {
            if index > 0 { words(" ") }
            switch name {
            case .all: words("\\All")
            case .archive: words("\\Archive")
            case .drafts: words("\\Drafts")
            case .flagged: words("\\Flagged")
            case .important: words("\\Important")
            case .junk: words("\\Junk")
            case .sent: words("\\Sent")
            case .trash: words("\\Trash")
            }
        }
        words("))")
    }
}
