/// What an account's owner does with folders.
extension HistoryWriter {
    /// Folders that the owner made, and may rename and delete.
    var ownFolders: [FolderPath] { model.folders.filter { !Self.special.contains($0) } }

    /// Some folder to file in: few get most.
    mutating func anyFolder() -> FolderPath {
        let own = ownFolders
        if own.isEmpty || choices.chance(200) { return model.contains(Self.archive) ? Self.archive : .inbox }
        return own[choices.rank(own.count)]
    }

    mutating func makeFirstFolders(count: Int) {
        makeSpecialFolders()
        for _ in 0..<count { createFolder() }
    }

    mutating func makeSpecialFolders() {
        for folder in [Self.drafts, Self.sent, Self.trash, Self.junk, Self.archive] {
            now += 40
            emit(.folderCreated(folder))
            emit(.subscribed(folder))
        }
    }

    /// A name that was not given yet.
    mutating func newName() -> [UInt8] {
        namesGiven += 1
        if namesGiven <= freeNames.count { return freeNames[namesGiven - 1] }
        return Array("Folder \(namesGiven)".utf8)
    }

    mutating func createFolder() {
        // Half of them below another one, at most four deep and as long as a file name can be.
        let parents = ownFolders.filter { $0.components.count < 4 }
        let parent = choices.chance(500) ? choices.pickAny(parents) : nil
        let name = newName()
        var folder = FolderPath((parent?.components ?? []) + [name])
        if folder.directoryName.count > 240 { folder = FolderPath([name]) }
        guard !model.contains(folder) else { return }
        now += 40
        emit(.folderCreated(folder))
        if choices.chance(800), !folder.directoryName.contains(10) { emit(.subscribed(folder)) }
    }

    mutating func renameFolder() {
        guard let folder = choices.pickAny(ownFolders) else { return }
        let target = FolderPath(folder.components.dropLast() + [newName()])
        let longest = model.folders.filter { $0.isWithin(folder) }.map {
            $0.replacing(folder, by: target).directoryName.count
        }
        guard !model.folders.contains(where: { $0.isWithin(target) }), longest.allSatisfy({ $0 <= 240 }) else { return }
        emit(.folderRenamed(folder, to: target))
        // A client takes its subscriptions along, or forgets to.
        if model.subscriptions.contains(folder), choices.chance(700), !target.directoryName.contains(10) {
            emit(.unsubscribed(folder))
            emit(.subscribed(target))
        }
    }
}
