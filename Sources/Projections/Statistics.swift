public import Events

/// What an account amounts to, as of the projections' position.
public struct AccountStatistics: Hashable, Sendable {
    public var liveMessages: UInt64 = 0
    public var liveFolders: UInt64 = 0
    public var deletedItems: UInt64 = 0
    /// Of the live messages' raw content, copies counted.
    public var liveBytes: UInt64 = 0
    public var states: UInt64 = 0
    public var transactions: UInt64 = 0
    public var firstTransaction = TransactionID.beginning
    public var lastTransaction = TransactionID.beginning
    public var firstTime = Timestamp(rawValue: 0)
    public var lastTime = Timestamp(rawValue: 0)

    public init() {}

    func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 80)
        for number in [
            liveMessages, liveFolders, deletedItems, liveBytes, states, transactions, firstTransaction.rawValue,
            lastTransaction.rawValue,
        ] { writer.integer(number) }
        writer.integer(firstTime.rawValue)
        writer.integer(lastTime.rawValue)
        return writer.bytes
    }

    init(_ bytes: RawSpan) throws {
        var reader = ByteReader(bytes)
        liveMessages = try reader.integer()
        liveFolders = try reader.integer()
        deletedItems = try reader.integer()
        liveBytes = try reader.integer()
        states = try reader.integer()
        transactions = try reader.integer()
        firstTransaction = TransactionID(rawValue: try reader.integer())
        lastTransaction = TransactionID(rawValue: try reader.integer())
        firstTime = Timestamp(rawValue: try reader.integer())
        lastTime = Timestamp(rawValue: try reader.integer())
        try reader.finish()
    }

    mutating func count(_ record: TransactionID, _ time: Timestamp) {
        if transactions == 0 { (firstTransaction, firstTime) = (record, time) }
        (lastTransaction, lastTime) = (record, time)
        transactions += 1
    }

    /// All items are gone; that there were transactions stays.
    mutating func forgetItems() {
        (liveMessages, liveFolders, deletedItems, liveBytes, states) = (0, 0, 0, 0, 0)
    }

    /// An item begins (or ends) to be live.
    mutating func live(_ item: ItemID, _ state: ItemState, begins: Bool) {
        let step: UInt64 = begins ? 1 : .max
        switch state.content {
        case .message(let message):
            liveMessages &+= step
            liveBytes = begins ? liveBytes &+ message.size : liveBytes &- message.size
        case .folder: liveFolders &+= step
        case .account, .other: break
        }
    }
}
