internal import Events

// How the steps of a restore stand in the journal: a note of kind `operationStep` with one field for each step, written
// before the step is done, so that whatever reached the target can be found and taken back (`Specs/Format/Events.md`,
// "Steps"). The parts of a field are separated by NUL, which no name has.

extension RestoreStep {
    func field(_ folder: PlannedFolder) -> Note.Field {
        let numbers = [
            digest.hex, String(size), String(internalDate.rawValue), String(flags.rawValue),
            String(flagsBefore.rawValue), String(keywords.count),
        ].map { Array($0.utf8) }
        let parts =
            [folder.name, Array(folder.state.path.joined(separator: [UInt8(ascii: "/")])), name] + numbers
            + keywords + keywordsBefore
        return Note.Field("\(action.word) \(item?.description ?? "-")", .text(Array(parts.joined(separator: [0]))))
    }

    /// What the target called the message, where the name is the target's to give: written after the step was done.
    func result(_ folder: PlannedFolder, _ name: [UInt8]) -> Note.Field {
        let parts = [folder.name, self.name, name]
        return Note.Field("named \(item?.description ?? "-")", .text(Array(parts.joined(separator: [0]))))
    }

    /// Reads what ``result(_:_:)`` wrote: folder and name of a step, and the name the message was given.
    static func parseResult(_ field: Note.Field) -> (step: [[UInt8]], name: [UInt8])? {
        guard case .text(let bytes) = field.value, field.name.hasPrefix("named ") else { return nil }
        let parts = bytes.split(separator: 0, omittingEmptySubsequences: false).map { Array($0) }
        return parts.count == 3 ? ([parts[0], parts[1]], parts[2]) : nil
    }

    /// Reads what ``field(_:)`` wrote; nil when it is something else.
    static func parse(_ field: Note.Field) -> (step: RestoreStep, folder: FolderState)? {
        guard case .text(let bytes) = field.value else { return nil }
        let words = field.name.split(separator: " ")
        guard words.count == 2, let action = actions[String(words[0])] else { return nil }
        let parts = bytes.split(separator: 0, omittingEmptySubsequences: false).map { Array($0) }
        guard parts.count >= 9 else { return nil }
        func text(_ index: Int) -> String { String(decoding: parts[index], as: UTF8.self) }
        guard let digest = Digest(text(3)), let size = UInt64(text(4)), let date = Int64(text(5)),
            let flags = UInt8(text(6)), let before = UInt8(text(7)), let count = Int(text(8)), count >= 0,
            parts.count >= 9 + count
        else { return nil }
        var step = RestoreStep(
            action: action, item: ItemID(String(words[1])), folder: 0, name: parts[2], digest: digest, size: size,
            internalDate: Timestamp(rawValue: date), flags: MessageFlags(rawValue: flags),
            keywords: Array(parts[9..<9 + count]))
        step.flagsBefore = MessageFlags(rawValue: before)
        step.keywordsBefore = Array(parts[(9 + count)...])
        let path = parts[1].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { Array($0) }
        return (step, FolderState(path: path, sourceName: parts[0]))
    }

    private static let actions: [String: Action] = [
        "deliver": .deliver, "flags": .setFlags, "remove": .remove, "folder": .removeFolder,
    ]
}
