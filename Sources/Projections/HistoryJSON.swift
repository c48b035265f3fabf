/// Puts the rows of a history together: a row is a JSON object without `end_date`, which is the `start_date` of the next.
public enum HistoryJSON {
    /// The array of all rows, oldest first.
    public static func array(_ rows: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "[")]
        for (index, row) in rows.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: object(row, endingWith: index + 1 < rows.count ? rows[index + 1] : nil))
        }
        bytes.append(UInt8(ascii: "]"))
        return bytes
    }

    /// `row` with the `end_date` that `next` gives it.
    public static func object(_ row: [UInt8], endingWith next: [UInt8]?) -> [UInt8] {
        // {"txid":1042,"start_date":"2026-…Z","type":… : the end date goes behind the second comma.
        guard let place = secondComma(row) else { return row }
        var bytes = Array(row[...place])
        bytes.append(contentsOf: Array("\"end_date\":".utf8))
        if let next, let value = startDate(next) {
            bytes.append(contentsOf: value)
        } else {
            bytes.append(contentsOf: Array("null".utf8))
        }
        bytes.append(contentsOf: row[place...])
        return bytes
    }

    private static func secondComma(_ row: [UInt8]) -> Int? {
        guard let first = row.firstIndex(of: UInt8(ascii: ",")) else { return nil }
        return row[(first + 1)...].firstIndex(of: UInt8(ascii: ","))
    }

    /// The quoted value of `start_date`.
    private static func startDate(_ row: [UInt8]) -> ArraySlice<UInt8>? {
        guard let first = row.firstIndex(of: UInt8(ascii: ",")), let second = secondComma(row),
            let colon = row[first...].firstIndex(of: UInt8(ascii: ":")), colon < second
        else { return nil }
        return row[(colon + 1)..<second]
    }
}
