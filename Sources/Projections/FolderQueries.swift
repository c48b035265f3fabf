public import Events
internal import LMDB

extension OpenProjections {
    /// The folders that any state of the account's messages names, but of those with the numbers `going`.
    public func foldersNamed(
        _ account: AccountNumber, byMessagesExcept going: NumberRanges
    ) throws -> Set<UInt32> {
        var found: Set<UInt32> = []
        var from: Key? = Key(account, ItemID(.message, 0))
        while let start = from {
            from = nil
            try environment.read { (transaction: borrowing ReadTransaction) in
                try transaction.cursor(states) { (cursor: inout Cursor) in
                    var more = try cursor.seek(start)
                    var rows = 0
                    while more, let (item, id) = itemAndTransaction(cursor.key, account), item.kind == .message {
                        if rows >= 10_000 {
                            from = Key(account, item, id)
                            return
                        }
                        if !going.contains(UInt64(item.number)) {
                            found.insert(try StateRow(RowKind.states.payload(cursor.key, cursor.value)).folder)
                        }
                        rows += 1
                        more = try cursor.nextPrefetching()
                    }
                }
            }
        }
        return found
    }

    /// The newest path of a folder, also of a deleted one.
    public func newestPath(_ account: AccountNumber, _ folder: UInt32) throws -> [UInt8]? {
        try environment.read { (transaction: borrowing ReadTransaction) -> [UInt8]? in
            let key = Key(folder: account, folder)
            guard let row = try transaction.value(folders, key) else { return nil }
            return try RowKind.folders.payload(key, row).withUnsafeBytes { Array($0) }
        }
    }

    /// Those of all folders, deleted ones too.
    public func newestPaths(_ account: AccountNumber) throws -> [(folder: UInt32, path: [UInt8])] {
        try environment.read { (transaction: borrowing ReadTransaction) -> [(folder: UInt32, path: [UInt8])] in
            try transaction.cursor(folders) { (cursor: inout Cursor) -> [(folder: UInt32, path: [UInt8])] in
                var found: [(folder: UInt32, path: [UInt8])] = []
                var more = try cursor.seek(Key(folder: account, 0))
                while more {
                    var key = ByteReader(cursor.key)
                    guard try key.integer(UInt32.self) == account.rawValue else { break }
                    let path = try RowKind.folders.payload(cursor.key, cursor.value).withUnsafeBytes { Array($0) }
                    found.append((try key.integer(), path))
                    more = try cursor.next()
                }
                return found
            }
        }
    }
}
