extension Note.Field {
    /// Where a restore delivered an item: read from a field of a note of kind ``Note/Kind/operationStep``
    /// (`Specs/Format/Events.md`, "Steps"); nil when the step is another.
    public var delivery: (item: ItemID, folder: [UInt8], name: [UInt8])? {
        guard name.hasPrefix("deliver "), let item = ItemID(String(name.dropFirst(8))), case .text(let bytes) = value
        else {
            return nil
        }
        let parts = bytes.split(separator: 0, omittingEmptySubsequences: false)
        guard parts.count > 2 else { return nil }
        return (item, Array(parts[0]), Array(parts[2]))
    }
}
