internal import Connectors
internal import Events
public import Vault

/// Who is who: under which identifiers accounts are known where mail comes from, and where it goes. What rights of folders and
/// mount points are remapped through: those of an external restore, and those that `shares` looks at.
public struct IdentityMap: Sendable {
    /// An account, and what has become of it.
    struct Person: Sendable {
        var address: Address
        /// Other names it signs in under.
        var users: [String]
        /// Nil: it is nobody's where mail goes.
        var own: (address: Address, users: [String])?
        var account: Account
    }

    struct Address: Hashable, Sendable {
        var text: String
        var local: String
        var domain: String

        init(_ text: String) {
            self.text = text
            let at = text.lastIndex(of: "@") ?? text.endIndex
            (local, domain) = (String(text[..<at]), String(text[at...].dropFirst()).lowercased())
        }
    }

    let people: [Person]
    /// Whether nothing has gone anywhere: a name nobody knows stays as it is.
    let isUnchanged: Bool

    /// The accounts of one vault, which are where they were.
    public init(unchanged accounts: [Account]) {
        isUnchanged = true
        people = accounts.map { account in
            let address = Address(account.state.address)
            let users = IdentityMap.users(of: account.state.sources)
            return Person(
                address: address, users: users, own: account.isDeleted ? nil : (address, users), account: account)
        }
    }

    /// Accounts of another vault, each with the account of ours it has become, or the address and target it will have.
    public init(_ pairs: [(foreign: Account, own: (address: String, target: String)?)]) {
        isUnchanged = false
        people = pairs.map { foreign, own in
            Person(
                address: Address(foreign.state.address), users: IdentityMap.users(of: foreign.state.sources),
                own: own.map { (Address($0.address), IdentityMap.users(of: [$0.target])) }, account: foreign)
        }
    }

    /// Which account of ours each account of another vault has become, as the journal has it: by what was restored, else by address.
    public static func pairs(
        _ vault: OpenVault, of source: OpenVault
    ) throws -> [(foreign: Account, own: Account?)] {
        let ours = try vault.accounts()
        let operations = try vault.operations().filter { $0.source?.vault == source.id.description }
        return try source.accounts().map { foreign in
            let id = foreign.state.id.description
            let number = operations.last { $0.source?.account == id }?.account
            let own =
                ours.first { $0.number == number && !$0.isDeleted }
                ?? ours.first { !$0.isDeleted && $0.state.address == foreign.state.address }
            return (foreign, own)
        }
    }

    private static func users(of sources: [String]) -> [String] {
        sources.compactMap { text in
            // A source that this program cannot use any more names nobody.
            guard case .server(let server)? = try? Location(text) else { return nil }
            return server.user
        }
    }

    // MARK: Answers

    enum Answer {
        /// It names no account but everybody, a group, the owner; or nothing has gone anywhere.
        case same
        case renamed([UInt8])
        /// An account that is not where mail goes.
        case absent(String)
        /// Nobody the vault knows.
        case unknown
    }

    /// What an identifier of an `acl` attribute is where mail goes; `owner`: whose folder it is.
    func answer(_ identifier: [UInt8], owner: Account) -> Answer {
        let sign = identifier.prefix(identifier.first == UInt8(ascii: "-") ? 1 : 0)
        let name = String(decoding: identifier.dropFirst(sign.count), as: UTF8.self)
        if IdentityMap.isSpecial(name) { return .same }
        guard let (person, form) = person(called: name, near: Address(owner.state.address).domain) else {
            return .unknown
        }
        guard let own = person.own else { return .absent(person.address.text) }
        if isUnchanged { return .same }
        let new: String
        switch (own.users.first, form) {
        case (let user?, _): new = user
        case (nil, .whole): new = own.address.text
        case (nil, .local): new = own.address.local
        }
        return Array(new.utf8) == Array(name.utf8) ? .same : .renamed(sign + Array(new.utf8))
    }

    enum Form { case whole, local }

    /// The account that is called that; of several with one local part, the one of that domain.
    func person(called name: String, near domain: String) -> (person: Person, form: Form)? {
        let wanted = name.lowercased()
        if let person = people.first(where: { $0.address.text.lowercased() == wanted }) { return (person, .whole) }
        let called = people.filter { person in person.users.contains { $0.lowercased() == wanted } }
        let locals = called.isEmpty ? people.filter { $0.address.local.lowercased() == wanted } : called
        let near = locals.filter { $0.address.domain == domain }
        guard let person = near.count == 1 ? near[0] : locals.count == 1 ? locals[0] : nil else { return nil }
        return (person, wanted == person.address.local.lowercased() ? .local : .whole)
    }

    /// Names that are no account's: RFC 4314, 2, and those of groups with Dovecot and Cyrus.
    static func isSpecial(_ name: String) -> Bool {
        let words = ["anyone", "anonymous", "authenticated", "owner", "administrators"]
        let prefixes = ["$", "!$", "#", "group:", "group=", "group-override="]
        return words.contains(name) || prefixes.contains { name.hasPrefix($0) }
    }
}

/// Rights as RFC 4314 has them, to be compared: a set of letters, the old ones in the new ones' place.
struct Rights: Hashable {
    private let letters: Set<UInt8>
    private let rest: [UInt8]

    init(_ value: [UInt8]) {
        // Dovecot's rights of its own stand behind a colon.
        let end = value.firstIndex(of: UInt8(ascii: ":")) ?? value.endIndex
        var letters = Set(value[..<end])
        letters.remove(UInt8(ascii: " "))
        let (create, delete) = (Set("kx".utf8), Set("te".utf8))
        if letters.remove(UInt8(ascii: "c")) != nil, letters.isDisjoint(with: create) { letters.formUnion(create) }
        if letters.remove(UInt8(ascii: "d")) != nil, letters.isDisjoint(with: delete) { letters.formUnion(delete) }
        (self.letters, rest) = (letters, Array(value[end...]))
    }
}
