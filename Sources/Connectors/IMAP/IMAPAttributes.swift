internal import Events
internal import IMAP

/// What a server keeps about folders, given to them: rights (RFC 4314) and annotations (RFC 5464).
struct IMAPAttributes {
    let session: IMAPSession

    /// One command, and what it is about, for a person.
    private struct Wish {
        var attribute: [UInt8]
        var command: Command
    }

    func apply(
        _ wanted: [FolderAttribute], removing gone: [[UInt8]], to name: MailboxName
    ) throws -> [RefusedAttribute] {
        var unkept: [RefusedAttribute] = []
        var wishes: [Wish] = []
        func want(_ attribute: [UInt8], _ value: [UInt8]?) {
            switch command(attribute, value, name) {
            case .success(let found): wishes += found.map { Wish(attribute: attribute, command: $0) }
            case .failure(let refusal): unkept.append(RefusedAttribute(name: attribute, why: refusal.why))
            }
        }
        for attribute in wanted {
            want(attribute.name, attribute.value)
            for lost in lostRights(attribute) {
                unkept.append(
                    RefusedAttribute(
                        name: attribute.name, why: "the server has no right \(Character(UnicodeScalar(lost)))"))
            }
        }
        for attribute in gone { want(attribute, nil) }
        for wish in wishes {
            // `BAD` is how servers refuse a right or an identifier they do not know.
            do {
                let status = try session.attempt(wish.command)
                if status.condition != .ok {
                    unkept.append(RefusedAttribute(name: wish.attribute, why: IMAPSession.shown(status.text)))
                }
            } catch let failure as SourceFailure {
                guard session.isUsable else { throw failure }
                unkept.append(RefusedAttribute(name: wish.attribute, why: "\(failure)"))
            }
        }
        return unkept
    }

    private struct Refusal: Error { var why: String }

    private func command(
        _ attribute: [UInt8], _ value: [UInt8]?, _ name: MailboxName
    ) -> Result<[Command], Refusal> {
        if attribute.starts(with: FolderAttribute.accessControl) {
            guard session.capabilities.has("ACL") else { return .failure(Refusal(why: "the server keeps no rights")) }
            let identifier = Array(attribute.dropFirst(FolderAttribute.accessControl.count))
            guard let value else { return .success([.deleteACL(name, identifier: identifier)]) }
            return .success([.setACL(name, identifier: identifier, rights: IMAPRights.known(value, session))])
        }
        if attribute.starts(with: FolderAttribute.metadata) {
            guard session.capabilities.has("METADATA") else {
                return .failure(Refusal(why: "the server keeps no annotations"))
            }
            let entry = Array(attribute.dropFirst(FolderAttribute.metadata.count))
            return .success([.setMetadata(name, [MetadataEntry(name: entry, value: value)])])
        }
        return .failure(Refusal(why: "it cannot be given to a folder that is there"))
    }

    private func lostRights(_ attribute: FolderAttribute) -> [UInt8] {
        guard attribute.name.starts(with: FolderAttribute.accessControl), session.capabilities.has("ACL") else {
            return []
        }
        return IMAPRights.lost(attribute.value, session)
    }
}

/// The letters of rights. `c` and `d` are those of RFC 2086, which mean several of today's.
enum IMAPRights {
    private static let standard = Set("lrswipkxtea".utf8)

    /// In today's letters, each once, in their order of old.
    static func modern(_ rights: [UInt8]) -> [UInt8] {
        var found = rights.filter { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }
        func replace(_ old: Character, _ new: String) {
            guard let letter = old.asciiValue, found.contains(letter) else { return }
            found.removeAll { $0 == letter }
            // A server that says both says exactly.
            if !new.utf8.contains(where: { found.contains($0) }) { found += Array(new.utf8) }
        }
        replace("c", "kx")
        replace("d", "te")
        var seen: Set<UInt8> = []
        return found.filter { seen.insert($0).inserted }
    }

    fileprivate static func known(_ rights: [UInt8], _ session: IMAPSession) -> [UInt8] {
        let extra = offered(session)
        return modern(rights).filter { standard.contains($0) || extra.contains($0) }
    }

    fileprivate static func lost(_ rights: [UInt8], _ session: IMAPSession) -> [UInt8] {
        let known = Set(known(rights, session))
        return modern(rights).filter { !known.contains($0) }
    }

    /// `RIGHTS=kxten`: what the server has beyond RFC 2086's. Digits are each site's own.
    private static func offered(_ session: IMAPSession) -> Set<UInt8> {
        guard let words = session.capabilities.names.first(where: { $0.hasPrefix("RIGHTS=") }) else { return [] }
        return Set(words.dropFirst(7).lowercased().utf8)
    }
}
