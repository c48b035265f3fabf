internal import Connectors
public import Events
internal import Projections
internal import Vault

/// A right or an annotation of a folder that is to be given, changed or taken away.
public struct PlannedAttribute: Sendable {
    public var item: ItemID?
    /// Index into ``RestorePlan/folders``.
    public var folder: Int
    /// As in ``FolderAttribute``.
    public var name: [UInt8]
    /// Nil: it is taken away.
    public var value: [UInt8]?
    /// As it is before; nil: it is not there.
    public var before: [UInt8]?
}

/// Something about the shares of a folder that is not as it should be.
public struct ShareFinding: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// It is not there.
        case missing
        /// There are other rights.
        case differs
        /// It is there, and was not then.
        case extra
        /// It is given to somebody who is no account of the vault.
        case unknown
        /// It is given to an account that is not where the folder is.
        case unmapped
        /// The target has no rights, or not this one.
        case unsupported
        /// The folder is not there.
        case noFolder = "no-folder"
        /// A mount point that leads nowhere.
        case nowhere
    }

    public var kind: Kind
    public var item: ItemID
    public var path: [UInt8]
    /// Whom it is given to, or the path of a mount point.
    public var identifier: [UInt8]
    /// As they should be; nil: none.
    public var rights: [UInt8]?
    /// As they are; nil: none.
    public var present: [UInt8]?
    public var detail: String

    /// Whether a `fix` puts it right.
    public var isFixable: Bool { kind == .missing || kind == .differs }
    /// Whether it was asked for and cannot be.
    public var isLost: Bool { [.unmapped, .unsupported, .noFolder, .nowhere].contains(kind) }
}

extension RestorePlanner {
    /// Compares rights and annotations of a folder with what there is. `state`: as they should be.
    mutating func planAttributes(of item: ItemID, _ state: FolderState) throws {
        guard !request.rights.isLeft else { return }
        let isAboutShares = request.only == .shares
        let owners = ownRights
        let isWanted = { (name: [UInt8]) in
            name.starts(with: FolderAttribute.accessControl) && !owners.contains(name)
                || !isAboutShares && name.starts(with: FolderAttribute.metadata)
        }
        var wanted: [[UInt8]: [UInt8]] = [:]
        var unsupported: [FolderAttribute] = []
        for attribute in state.attributes where isWanted(attribute.name) {
            guard let name = mapped(attribute, of: item, state) else { continue }
            if target.canHave(attribute: name) {
                wanted[name] = attribute.value
            } else {
                unsupported.append(FolderAttribute(name: name, value: attribute.value))
            }
        }
        for attribute in unsupported where isAboutShares {
            report(.unsupported, item, state, attribute, nil, "the target has nothing of the kind")
        }
        if !isAboutShares { warnOfRights(unsupported, state) }
        guard !wanted.isEmpty || request.isExact || isAboutShares else { return }
        // A folder that can have no name there is not there; that it cannot is said where it would be made.
        let name = try? target.name(of: state)
        let place = present.first { $0.folder.name == name }
        guard name != nil || isAboutShares else { return }
        if isAboutShares, place == nil {
            for (name, value) in wanted.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                report(
                    .noFolder, item, state, FolderAttribute(name: name, value: value), nil, "the folder is not there")
            }
            return
        }
        var live: [[UInt8]: [UInt8]] = [:]
        if let place, place.folder.problem == nil {
            guard let found = try target.attributes(of: place.folder) else {
                // Who may not see them does not know that there are none.
                for (name, value) in wanted where isAboutShares {
                    let attribute = FolderAttribute(name: name, value: value)
                    report(.unsupported, item, state, attribute, nil, "the target does not say which rights there are")
                }
                if !isAboutShares {
                    warnOfRights(wanted.map { FolderAttribute(name: $0.key, value: $0.value) }, state)
                }
                return
            }
            for attribute in found where isWanted(attribute.name) { live[attribute.name] = attribute.value }
        }
        try compare(wanted, live, item, state)
    }

    /// What the mailboxes' own users may do is the servers' to say: of whose they were, and of whose they will be.
    private var ownRights: Set<[UInt8]> {
        let sources = request.account.state.sources.compactMap { try? Location($0) }
        return Set((sources + [request.target]).compactMap(\.owner).map { FolderAttribute.accessControl + $0 })
    }

    private mutating func compare(
        _ wanted: [[UInt8]: [UInt8]], _ live: [[UInt8]: [UInt8]], _ item: ItemID, _ state: FolderState
    ) throws {
        let mayChange = request.isExact || [.changed, .all, .shares].contains(request.only)
        for (name, value) in wanted.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let attribute = FolderAttribute(name: name, value: value)
            if let there = live[name] {
                let isRight = name.starts(with: FolderAttribute.accessControl)
                guard isRight ? Rights(there) != Rights(value) : there != value else { continue }
                guard mayChange else {
                    plan.conflicts.append((item, "\(text(attribute)): is \(text(there)) now: kept"))
                    continue
                }
                report(.differs, item, state, attribute, there, "")
            } else {
                report(.missing, item, state, attribute, nil, "")
            }
            guard let folder = try plannedFolder(state, for: item) else { return }
            plan.attributes.append(
                PlannedAttribute(item: item, folder: folder, name: name, value: value, before: live[name]))
        }
        for (name, there) in live.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) where wanted[name] == nil {
            let attribute = FolderAttribute(name: name, value: there)
            if request.only == .shares { reportPresent(attribute, item, state) }
            guard request.isExact, name.starts(with: FolderAttribute.accessControl),
                let folder = try plannedFolder(state, for: item)
            else { continue }
            plan.attributes.append(PlannedAttribute(item: item, folder: folder, name: name, value: nil, before: there))
        }
    }

    /// The name of the attribute where it goes; nil when it is a right of somebody who is not there, which is reported.
    private mutating func mapped(_ attribute: FolderAttribute, of item: ItemID, _ state: FolderState) -> [UInt8]? {
        guard attribute.name.starts(with: FolderAttribute.accessControl),
            case .remapped(let identities) = request.rights
        else { return attribute.name }
        let identifier = Array(attribute.name.dropFirst(FolderAttribute.accessControl.count))
        switch identities.answer(identifier, owner: request.account) {
        case .same: return attribute.name
        case .renamed(let name): return FolderAttribute.accessControl + name
        case .absent(let address):
            let why = identities.isUnchanged ? "\(address) was removed" : "\(address) has no account here"
            report(identities.isUnchanged ? .unknown : .unmapped, item, state, attribute, nil, why)
            return identities.isUnchanged ? attribute.name : nil
        case .unknown:
            report(
                identities.isUnchanged ? .unknown : .unmapped, item, state, attribute, nil, "no account is called that")
            return identities.isUnchanged ? attribute.name : nil
        }
    }

    /// A right that is there and was not then.
    private mutating func reportPresent(_ attribute: FolderAttribute, _ item: ItemID, _ state: FolderState) {
        var why = "given since"
        if case .remapped(let identities) = request.rights, identities.isUnchanged {
            let identifier = Array(attribute.name.dropFirst(FolderAttribute.accessControl.count))
            switch identities.answer(identifier, owner: request.account) {
            case .unknown: why += ", to nobody the vault knows"
            case .absent(let address): why += ", to \(address), which was removed"
            case .same, .renamed: break
            }
        }
        report(.extra, item, state, FolderAttribute(name: attribute.name, value: attribute.value), attribute.value, why)
    }

    mutating func report(
        _ kind: ShareFinding.Kind, _ item: ItemID, _ state: FolderState, _ attribute: FolderAttribute,
        _ present: [UInt8]?, _ detail: String
    ) {
        guard attribute.name.starts(with: FolderAttribute.accessControl) else { return }
        let finding = ShareFinding(
            kind: kind, item: item, path: state.joinedPath,
            identifier: Array(attribute.name.dropFirst(FolderAttribute.accessControl.count)),
            rights: kind == .extra ? nil : attribute.value, present: present, detail: detail)
        add(finding)
    }

    /// What cannot be as it should is unrestored, and so never passed over in silence.
    mutating func add(_ finding: ShareFinding) {
        plan.shares.append(finding)
        guard finding.isLost else { return }
        let what = finding.rights.map { "the right \(text($0)) of \(text(finding.identifier)) on" } ?? "the mount point"
        plan.unrestored.append(
            Unrestored(finding.item, .refused, "\(what) \(text(finding.path)): \(finding.detail)"))
    }

    /// What a target has no room for is named.
    private mutating func warnOfRights(_ attributes: [FolderAttribute], _ state: FolderState) {
        let rights = attributes.filter { $0.name.starts(with: FolderAttribute.accessControl) }
        guard !rights.isEmpty, !isHome || !present.contains(where: { $0.folder.path == state.path }) else { return }
        plan.warnings.append(
            "rights that are not given again, of \(text(state.joinedPath)): "
                + rights.map(text).joined(separator: ", "))
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private func text(_ attribute: FolderAttribute) -> String {
        guard attribute.name.starts(with: FolderAttribute.accessControl) else { return text(attribute.name) }
        return "\(text(Array(attribute.name.dropFirst(FolderAttribute.accessControl.count)))) \(text(attribute.value))"
    }

    // MARK: Mount points

    /// Those that should be there and are not.
    mutating func newMountPoints(_ folders: [(item: ItemID, state: FolderState)]) throws -> [[[UInt8]]] {
        let wanted = try mountPoints(folders)
        guard !wanted.isEmpty else { return [] }
        let there = present.flatMap { $0.folder.attributes ?? [] }.map(\.name)
        return wanted.filter { path in
            let joined = Array(path.joined(separator: [UInt8(ascii: "/")]))
            guard !there.contains(FolderAttribute.mount + joined) else { return false }
            if let item = folders.first(where: { $0.state.path == [Array("INBOX".utf8)] })?.item {
                let finding = ShareFinding(
                    kind: .missing, item: item, path: joined, identifier: joined, rights: nil, present: nil,
                    detail: "the mount point is not there")
                plan.shares.append(finding)
            }
            return true
        }
    }

    /// The mount points that should be there, as paths to be subscribed; those that lead nowhere are reported.
    mutating func mountPoints(_ folders: [(item: ItemID, state: FolderState)]) throws -> [[[UInt8]]] {
        guard !request.rights.isLeft else { return [] }
        var found: [[[UInt8]]] = []
        for (item, state) in folders {
            for attribute in state.attributes where attribute.name.starts(with: FolderAttribute.mount) {
                let path = attribute.name.dropFirst(FolderAttribute.mount.count)
                    .split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { Array($0) }
                if let mapped = try mapped(path, item) { found.append(mapped) }
            }
        }
        return found
    }

    /// A mount point's path where it goes.
    private mutating func mapped(_ path: [[UInt8]], _ item: ItemID) throws -> [[UInt8]]? {
        guard case .remapped(let identities) = request.rights else { return path }
        func nowhere(_ why: String) -> ShareFinding {
            let joined = Array(path.joined(separator: [UInt8(ascii: "/")]))
            return ShareFinding(
                kind: .nowhere, item: item, path: joined, identifier: joined, rights: nil, present: nil, detail: why)
        }
        let domain = IdentityMap.Address(request.account.state.address).domain
        let places = path.indices.dropLast().compactMap { index in
            identities.person(called: text(path[index]), near: domain).map { (index, $0.person) }
        }
        guard let (index, person) = places.first else {
            add(nowhere("nobody the vault knows has it"))
            return identities.isUnchanged ? path : nil
        }
        let wanted = Array(path[(index + 1)...])
        guard try isThere(wanted, in: person.account.number) else {
            add(nowhere("\(person.address.text) has no folder \(text(Array(wanted.joined(separator: [47]))))"))
            return identities.isUnchanged ? path : nil
        }
        var mapped = path
        switch identities.answer(path[index], owner: request.account) {
        case .same: break
        case .renamed(let name): mapped[index] = name
        case .absent, .unknown:
            add(nowhere("\(person.address.text) \(identities.isUnchanged ? "was removed" : "has no account here")"))
            return identities.isUnchanged ? path : nil
        }
        return mapped
    }

    private func isThere(_ path: [[UInt8]], in account: AccountNumber) throws -> Bool {
        var pointers: [ItemPointer] = []
        try projections.pointers(account, asOf: request.point) { found in
            if found.item.kind == .folder, !found.pointer.isDeleted { pointers.append(found) }
        }
        var isFound = false
        try vault.journal.states(pointers) { recorded in
            if let folder = recorded.state.folder, folder.path == path { isFound = true }
        }
        return isFound
    }
}
