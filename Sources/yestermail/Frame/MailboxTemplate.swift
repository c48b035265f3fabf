internal import Events
internal import Glibc

/// A path for many mailboxes: `/var/mail/%d/%n`, where `%d` stands for the domain, `%n` for the local part and `%u` for
/// the whole address.
struct MailboxTemplate {
    private let components: [[Piece]]

    private enum Piece: Equatable {
        case text([UInt8])
        case domain, local
    }

    /// Reads an absolute path; nil when nothing in it stands for an address. `%%` is a percent sign.
    init?(_ path: String) throws {
        var components: [[Piece]] = []
        var hasPlaceholder = false
        for part in path.split(separator: "/") {
            var pieces: [Piece] = []
            var text: [UInt8] = []
            var bytes = Array(part.utf8)[...]
            func end() {
                if !text.isEmpty { pieces.append(.text(text)) }
                text = []
            }
            while let byte = bytes.popFirst() {
                guard byte == UInt8(ascii: "%") else {
                    text.append(byte)
                    continue
                }
                switch bytes.popFirst() {
                case UInt8(ascii: "d"):
                    end()
                    pieces.append(.domain)
                    hasPlaceholder = true
                case UInt8(ascii: "n"):
                    end()
                    pieces.append(.local)
                    hasPlaceholder = true
                case UInt8(ascii: "u"):
                    end()
                    pieces += [.local, .text([UInt8(ascii: "@")]), .domain]
                    hasPlaceholder = true
                case UInt8(ascii: "%"): text.append(UInt8(ascii: "%"))
                default:
                    throw Failure(
                        .usage, "in \(path), a percent sign is followed by something that has no meaning",
                        hint: "%d is the domain, %n the local part, %u the whole address, %% a percent sign")
                }
            }
            end()
            components.append(pieces)
        }
        guard hasPlaceholder else { return nil }
        self.components = components
    }

    /// The path of one address; nil when the address cannot be part of a path.
    func path(_ address: Address) -> String? {
        var path = ""
        for pieces in components {
            var bytes: [UInt8] = []
            for piece in pieces {
                switch piece {
                case .text(let text): bytes += text
                case .domain: bytes += address.domain.utf8
                case .local: bytes += address.local.utf8
                }
            }
            guard !bytes.contains(UInt8(ascii: "/")), bytes != Array("..".utf8), bytes != Array(".".utf8) else {
                return nil
            }
            path += "/" + String(decoding: bytes, as: UTF8.self)
        }
        return path
    }

    /// An address found on the disk, and the directory that is its mailbox.
    struct Found {
        var address: Address
        var path: String
    }

    /// The existing Maildirs whose address `pattern` lets through, by address; `passedOver` gets the directories that
    /// would be mailboxes but whose names are no part of an address.
    func existing(_ pattern: AddressPattern, passedOver: (String) -> Void) -> [Found] {
        var found: [Found] = []
        walk("", components[...], local: nil, domain: nil, pattern, &found, passedOver)
        return found.sorted { ($0.address.domain, $0.address.local) < ($1.address.domain, $1.address.local) }
    }

    private func walk(
        _ path: String, _ rest: ArraySlice<[Piece]>, local: String?, domain: String?, _ pattern: AddressPattern,
        _ found: inout [Found], _ passedOver: (String) -> Void
    ) {
        guard let pieces = rest.first else {
            guard let local, let domain, MailboxTemplate.isMaildir(path) else { return }
            guard let address = Address(local: local, domain: domain) else { return passedOver(path) }
            found.append(Found(address: address, path: path))
            return
        }
        func goOn(_ name: String, _ local: String?, _ domain: String?) {
            walk(path + "/" + name, rest.dropFirst(), local: local, domain: domain, pattern, &found, passedOver)
        }
        if case .text(let text)? = pieces.first, pieces.count == 1 {
            return goOn(String(decoding: text, as: UTF8.self), local, domain)
        }
        for name in MailboxTemplate.directories(in: path.isEmpty ? "/" : path) {
            guard let name else {
                passedOver("\(path)/ (a name that is not UTF-8)")
                continue
            }
            guard let match = MailboxTemplate.match(Array(name.utf8)[...], pieces[...], local, domain) else { continue }
            if let part = match.domain, !pattern.matches(domain: part) { continue }
            if let part = match.local, !pattern.matches(local: part) { continue }
            // A hostile name must not become somebody's address.
            if let part = match.domain, !Address.isDomain(part) {
                passedOver(path + "/" + name)
            } else if let part = match.local, !Address.isLocalPart(part) {
                passedOver(path + "/" + name)
            } else {
                goOn(name, match.local, match.domain)
            }
        }
    }

    /// What the pieces stand for in `name`; a part that is known already must be the same.
    private static func match(
        _ name: ArraySlice<UInt8>, _ pieces: ArraySlice<Piece>, _ local: String?, _ domain: String?
    ) -> (local: String?, domain: String?)? {
        guard let piece = pieces.first else { return name.isEmpty ? (local, domain) : nil }
        switch piece {
        case .text(let text):
            guard name.starts(with: text) else { return nil }
            return match(name.dropFirst(text.count), pieces.dropFirst(), local, domain)
        case .local, .domain:
            let known = piece == .local ? local : domain
            if let known {
                guard name.starts(with: known.utf8) else { return nil }
                return match(name.dropFirst(known.utf8.count), pieces.dropFirst(), local, domain)
            }
            // The longest that lets the rest match: an at sign belongs to no part.
            for count in stride(from: name.count, to: 0, by: -1) {
                let part = name.prefix(count)
                if pieces.count > 1, part.contains(UInt8(ascii: "@")) { continue }
                let text = String(decoding: part, as: UTF8.self)
                let found = match(
                    name.dropFirst(count), pieces.dropFirst(), piece == .local ? text : local,
                    piece == .domain ? text : domain)
                if let found { return found }
            }
            return nil
        }
    }

    /// The names of the directories in `path` that do not begin with a dot, sorted; nil for one that is not UTF-8.
    private static func directories(in path: String) -> [String?] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String?] = []
        while let entry = readdir(directory) {
            let bytes = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: UInt8.self, capacity: 256) { name in
                    Array(
                        UnsafeBufferPointer(
                            start: name, count: strnlen(UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self), 256)
                        ))
                }
            }
            if bytes.first == UInt8(ascii: ".") { continue }
            guard isUTF8(bytes.span) else {
                names.append(nil)
                continue
            }
            let name = String(decoding: bytes, as: UTF8.self)
            if isDirectory(path + "/" + name) { names.append(name) }
        }
        return names.sorted { ($0 ?? "") < ($1 ?? "") }
    }

    private static func isDirectory(_ path: String) -> Bool {
        var found = stat()
        return stat(path, &found) == 0 && found.st_mode & S_IFMT == S_IFDIR
    }

    static func isMaildir(_ path: String) -> Bool { isDirectory(path + "/cur") || isDirectory(path + "/new") }
}
