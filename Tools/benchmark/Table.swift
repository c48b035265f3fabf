/// A table of plain text: the first column left, the others right.
struct Table {
    let title: String
    let columns: [String]
    private(set) var rows: [[String]] = []
    /// Lines below it.
    var notes: [String] = []

    init(_ title: String, _ columns: [String]) { (self.title, self.columns) = (title, columns) }

    mutating func add(_ row: [String]) { rows.append(row) }

    var text: String {
        let widths = columns.indices.map { column in
            ([columns] + rows).map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        func line(_ cells: [String]) -> String {
            var line = ""
            for (column, cell) in cells.enumerated() {
                let space = String(repeating: " ", count: widths[column] - cell.count)
                line += (column == 0 ? cell + space : "  " + space + cell)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
        let rule = String(repeating: "-", count: widths.reduce(0, +) + 2 * (widths.count - 1))
        return (["", title, rule, line(columns), rule] + rows.map(line) + [rule] + notes).joined(separator: "\n")
    }
}

/// Numbers of a benchmark, rounded to what they are worth.
enum Figure {
    /// Three significant digits.
    static func short(_ value: Double) -> String {
        let digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : value >= 0.9995 ? 2 : 3
        return fixed(value, digits)
    }

    /// `digits` after the point.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        var power = 1.0
        for _ in 0..<digits { power *= 10 }
        let scaled = (value * power).rounded()
        guard scaled.magnitude < 1e15 else { return "\(value)" }
        let whole = Int(scaled.magnitude)
        let unit = Int(power)
        var fraction = digits > 0 ? String(whole % unit) : ""
        while fraction.count < digits { fraction = "0" + fraction }
        return (scaled < 0 ? "-" : "") + String(whole / unit) + (digits > 0 ? "." + fraction : "")
    }

    static func median(_ values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// `1.43 [1.40..1.52]`; the range only if there is more than one.
    static func spread(_ values: [Double]) -> String {
        guard let median = median(values), let least = values.min(), let most = values.max() else { return "-" }
        return values.count == 1 ? short(median) : "\(short(median)) [\(short(least))..\(short(most))]"
    }
}
