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

// Rights and annotations: `attribute f7`, written before they are given. Its parts: what the target calls the folder; its path,
// joined by `/`; the attribute's name; then its value afterwards and before, each in hexadecimal digits, `-` where there is none.

extension PlannedAttribute {
    func field(_ folder: PlannedFolder) -> Note.Field {
        func hex(_ value: [UInt8]?) -> [UInt8] {
            guard let value else { return [UInt8(ascii: "-")] }
            let digits = Array("0123456789abcdef".utf8)
            return value.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        }
        let parts = [folder.name, folder.state.joinedPath, name, hex(value), hex(before)]
        return Note.Field(
            "attribute \(item?.description ?? "-")", .text(Array(parts.joined(separator: [0]))))
    }

    /// Reads what ``field(_:)`` wrote; nil when it is something else.
    static func parse(_ field: Note.Field) -> (attribute: PlannedAttribute, folder: FolderState)? {
        let words = field.name.split(separator: " ")
        guard case .text(let bytes) = field.value, words.count == 2, words[0] == "attribute" else { return nil }
        let parts = bytes.split(separator: 0, omittingEmptySubsequences: false).map { Array($0) }
        guard parts.count == 5, let value = bytesOrNone(parts[3]), let before = bytesOrNone(parts[4]) else {
            return nil
        }
        let path = parts[1].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { Array($0) }
        return (
            PlannedAttribute(
                item: ItemID(String(words[1])), folder: 0, name: parts[2], value: value.bytes, before: before.bytes),
            FolderState(path: path, sourceName: parts[0])
        )
    }

    private static func bytesOrNone(_ text: [UInt8]) -> (bytes: [UInt8]?, Void)? {
        if text == [UInt8(ascii: "-")] { return (nil, ()) }
        guard text.count % 2 == 0 else { return nil }
        var found: [UInt8] = []
        for place in stride(from: 0, to: text.count, by: 2) {
            guard let byte = UInt8(String(decoding: text[place..<place + 2], as: UTF8.self), radix: 16) else {
                return nil
            }
            found.append(byte)
        }
        return (found, ())
    }
}
