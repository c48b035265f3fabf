public import Events
internal import Journal
internal import Projections
public import Vault

/// What our journal knows of restores out of another vault: which of its items have become which messages of ours. This is
/// the map of ids of an external restore, made of the steps that are recorded anyway.
public struct ForeignMap: Sendable {
    /// Items that have been delivered, and not been taken back since.
    public var items: Set<ItemID> = []
    /// Under which names they, and such as may have been delivered, may be in the target: as folder and name.
    public var names: [ItemID: [[[UInt8]]]] = [:]
    /// Rights and annotations that have been given, as folder and name.
    public var attributes: Set<[[UInt8]]> = []

    /// What restores out of `account` of the vault `source` to `target` have brought into the account `number` of `vault`.
    public init(
        _ vault: OpenVault, of source: UniqueID, account: UniqueID, into number: AccountNumber, target: String
    ) throws {
        let operations = try vault.operations()
        let undone = Set(operations.compactMap(\.undoes))
        for operation in operations
        where operation.account == number && operation.target == target && !undone.contains(operation.id)
            && operation.source?.vault == source.description && operation.source?.account == account.description
        {
            // One that never ended may have recorded what it did not do; what it did is found where it is.
            let isCertain = operation.outcome?.text("outcome").map { $0 == Array("done".utf8) } ?? false
            let lost = isCertain ? Set(try vault.details(of: operation).unrestored.compactMap(\.item)) : []
            if isCertain {
                try vault.eachStepNote(of: operation) { note in
                    for (attribute, folder) in note.fields.compactMap({ PlannedAttribute.parse($0) }) {
                        attributes.insert([folder.sourceName, attribute.name])
                    }
                }
            }
            for (step, folder) in try Undo.steps(vault, operation) where step.action == .deliver {
                guard let item = step.item else { continue }
                names[item, default: []].append([folder.sourceName, step.name])
                if isCertain, !lost.contains(item) { items.insert(item) }
            }
        }
    }
}
