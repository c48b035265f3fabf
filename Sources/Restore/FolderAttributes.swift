internal import Connectors
internal import Events
internal import Vault

/// What a restore does about the rights and annotations of a folder.
struct FolderAttributes {
    let target: any TargetView
    let request: RestoreRequest
    /// Whose rights are the servers' own to give: who the mailboxes were, and will be.
    private let owners: Set<[UInt8]>

    init(_ target: any TargetView, _ request: RestoreRequest) {
        (self.target, self.request) = (target, request)
        let sources = request.account.state.sources.compactMap { try? Location($0) }
        owners = Set((sources + [request.target]).compactMap(\.owner).map { FolderAttribute.accessControl + $0 })
    }

    /// What is to be given and taken, so that `there` becomes what `state` says, as far as the request goes; and what is otherwise
    /// there and stays.
    func plan(
        _ state: FolderState, there: [FolderAttribute]
    ) -> (given: [FolderAttribute], gone: [[UInt8]], kept: [FolderAttribute]) {
        let replaces = request.isExact || [.changed, .all].contains(request.only)
        let present = Dictionary(there.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var given: [FolderAttribute] = []
        var kept: [FolderAttribute] = []
        for wanted in state.attributes where !owners.contains(wanted.name) {
            guard let found = present[wanted.name] else {
                given.append(wanted)
                continue
            }
            if target.areEqual(found, wanted) { continue }
            if replaces { given.append(wanted) } else { kept.append(found) }
        }
        guard request.isExact else { return (given, [], kept) }
        let names = Set(state.attributes.map(\.name))
        let gone = there.map(\.name).filter {
            !names.contains($0) && !owners.contains($0) && !FolderAttributes.isUse($0)
        }
        return (given, gone, kept)
    }

    /// What the folder is for, said in one way or another.
    static func isUse(_ name: [UInt8]) -> Bool {
        name == FolderAttribute.specialUse
            || ["/private/specialuse", "/shared/specialuse"].contains {
                name == FolderAttribute.metadata + Array($0.utf8)
            }
    }

    /// For a person: `rights of bob@example.org`, `annotation /private/comment`.
    static func words(_ name: [UInt8]) -> String {
        func rest(_ prefix: [UInt8]) -> String { String(decoding: name.dropFirst(prefix.count), as: UTF8.self) }
        if name.starts(with: FolderAttribute.accessControl) {
            return "rights of \(rest(FolderAttribute.accessControl))"
        }
        if name.starts(with: FolderAttribute.metadata) { return "annotation \(rest(FolderAttribute.metadata))" }
        return "use"
    }
}
