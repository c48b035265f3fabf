internal import Events
internal import Maildir

/// Rights in a Maildir as attributes of its folders, under the identifiers that Dovecot's IMAP has for them (RFC 4314):
/// `user=anna` is `anna`, `group=staff` is `$staff`, `group-override=staff` is `!$staff`, each after a `-` where it is taken away.
enum MaildirRights {
    private static let words = ["anyone", "authenticated", "owner"].map { Array($0.utf8) }
    private static let prefixes: [(file: [UInt8], shown: [UInt8])] = [
        ("user=", ""), ("group=", "$"), ("group-override=", "!$"),
    ].map { (Array($0.0.utf8), Array($0.1.utf8)) }

    static func attributes(_ list: DovecotAccessList, mounts: [[[UInt8]]]) -> [FolderAttribute] {
        if list.entries.isEmpty, mounts.isEmpty { return [] }
        // What Dovecot does not read either is nobody's right.
        let rights = list.entries.compactMap { entry -> FolderAttribute? in
            let name = FolderAttribute.accessControl + shown(entry.identifier)
            guard identifier(ofAttribute: name) == entry.identifier else { return nil }
            return FolderAttribute(name: name, value: entry.rights)
        }
        let paths = Set(mounts.map { Array($0.joined(separator: [UInt8(ascii: "/")])) })
        return (rights + paths.map { FolderAttribute(name: FolderAttribute.mount + $0, value: []) })
            .sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    /// What the file calls it; nil for an attribute that is no right.
    static func identifier(ofAttribute name: [UInt8]) -> [UInt8]? {
        guard name.starts(with: FolderAttribute.accessControl) else { return nil }
        var rest = name.dropFirst(FolderAttribute.accessControl.count)
        var sign: [UInt8] = []
        if rest.first == UInt8(ascii: "-") { sign = [rest.removeFirst()] }
        guard !rest.isEmpty else { return nil }
        if words.contains(where: { rest.elementsEqual($0) }) { return sign + rest }
        // A name that would be read as something else stands as the file has it.
        for prefix in prefixes where rest.starts(with: prefix.file) { return sign + rest }
        for prefix in prefixes.reversed() where rest.starts(with: prefix.shown) {
            return sign + prefix.file + rest.dropFirst(prefix.shown.count)
        }
        return nil
    }

    private static func shown(_ identifier: [UInt8]) -> [UInt8] {
        let isNegative = identifier.first == UInt8(ascii: "-")
        let plain = isNegative ? identifier.dropFirst() : identifier[...]
        let sign = identifier.prefix(isNegative ? 1 : 0)
        for prefix in prefixes where plain.starts(with: prefix.file) {
            let short = sign + prefix.shown + plain.dropFirst(prefix.file.count)
            if self.identifier(ofAttribute: FolderAttribute.accessControl + short) == identifier { return Array(short) }
        }
        return identifier
    }

    /// Subscriptions of mailboxes that are somebody else's: paths of several parts that begin like none of one's own folders.
    static func mounts(among subscribed: Set<[[UInt8]]>, beside folders: [[[UInt8]]]) -> [[[UInt8]]] {
        let own = Set(folders.compactMap(\.first) + [Array("INBOX".utf8)])
        return subscribed.filter { path in path.count > 1 && !own.contains(path[0]) }
    }
}
