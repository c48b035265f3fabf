import Events

/// Text from mail, names and servers made fit for a terminal.
///
/// What comes out is valid UTF-8 in which nothing moves the cursor, colours, renames the window, reorders what is read
/// or hides: each such scalar is shown by name between guillemets, `‹ESC›`, `‹U+202E›`, and each byte that is not
/// UTF-8 by its hexadecimal digits, `‹FF›`.
public enum TerminalText {
    /// At most so many marks are stacked on one letter; more are shown by their numbers.
    static let maxMarks = 8

    /// One line of text, safe to print.
    ///
    /// - Parameters:
    ///   - bytes: what should be UTF-8, and need not be.
    ///   - maxColumns: the widest the result may be, in columns of a terminal; longer text ends with `…`. Nil: no limit.
    public static func safe(_ bytes: Span<UInt8>, maxColumns: Int? = nil) -> String {
        var line = LineBuilder(maxColumns: maxColumns)
        var index = 0
        while index < bytes.count, !line.isFull {
            let (scalar, length) = decodeScalar(bytes, at: index)
            if let scalar, let scalar = Unicode.Scalar(scalar) {
                line.append(scalar)
            } else {
                line.append(escape: hexadecimal(UInt32(bytes[index]), digits: 2))
            }
            index += length
        }
        return line.finish()
    }

    /// One line of text, safe to print (``safe(_:maxColumns:)-(Span<UInt8>,_)``).
    public static func safe(_ bytes: [UInt8], maxColumns: Int? = nil) -> String {
        safe(bytes.span, maxColumns: maxColumns)
    }

    /// One line of text, safe to print (``safe(_:maxColumns:)-(Span<UInt8>,_)``).
    public static func safe(_ text: String, maxColumns: Int? = nil) -> String {
        var line = LineBuilder(maxColumns: maxColumns)
        for scalar in text.unicodeScalars {
            line.append(scalar)
            if line.isFull { break }
        }
        return line.finish()
    }

    /// Text of several lines (the preview of a message), each made safe. LF and CRLF end a line, a tab goes to the next
    /// multiple of 8 columns.
    ///
    /// - Parameters:
    ///   - maxColumns: the widest a line may be; a longer one ends with `…`.
    ///   - maxLines: how many lines there may be; nil: no limit.
    public static func lines(_ text: String, maxColumns: Int? = nil, maxLines: Int? = nil) -> [String] {
        var result: [String] = []
        var line = LineBuilder(maxColumns: maxColumns)
        var pendingReturn = false
        for scalar in text.unicodeScalars {
            if let maxLines, result.count >= maxLines { return result }
            if scalar == "\n" {
                result.append(line.finish())
                line = LineBuilder(maxColumns: maxColumns)
                pendingReturn = false
                continue
            }
            if pendingReturn { line.append("\r") }
            pendingReturn = scalar == "\r"
            if pendingReturn { continue }
            if scalar == "\t" {
                repeat { line.append(" ") } while line.columns % 8 != 0 && !line.isFull
            } else {
                line.append(scalar)
            }
        }
        let rest = line.finish()
        if !rest.isEmpty, maxLines.map({ result.count < $0 }) ?? true { result.append(rest) }
        return result
    }

    /// How many columns `text` takes on a terminal; it should have been through ``safe(_:maxColumns:)-(String,_)``.
    public static func columns(_ text: String) -> Int {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text.utf8.count }
        return text.unicodeScalars.reduce(0) { $0 + DisplayWidth.columns($1) }
    }

    /// What is shown between guillemets for a scalar that is not printed; nil for one that is.
    static func escape(_ scalar: Unicode.Scalar) -> String? {
        switch scalar.value {
        case 0x20...0x7E: return nil
        case 0..<0x20: return controlNames[Int(scalar.value)]
        case 0x7F: return "DEL"
        case 0x80..<0xA0: return name(scalar)
        // Variation selectors 1 to 16 choose between text and picture; they hide nothing.
        case 0xFE00...0xFE0F: return nil
        default: break
        }
        let properties = scalar.properties
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse: return name(scalar)
        case .unassigned: return name(scalar)
        default:
            // Fillers, joiners, the variation selectors of the supplement: they take no ink.
            return properties.isDefaultIgnorableCodePoint || scalar.value == 0x2800 ? name(scalar) : nil
        }
    }

    static func name(_ scalar: Unicode.Scalar) -> String {
        "U+" + hexadecimal(scalar.value, digits: 4)
    }

    static func hexadecimal(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }

    private static let controlNames = [
        "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR", "SO", "SI", "DLE",
        "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US",
    ]
}

/// A line that grows to a number of columns, and then ends with `…`.
private struct LineBuilder {
    private let maxColumns: Int?
    private var text = ""
    private(set) var columns = 0
    /// The longest beginning that leaves a column for `…`.
    private var kept = "".unicodeScalars.endIndex
    private var marks = 0
    private(set) var isFull = false

    init(maxColumns: Int?) { self.maxColumns = maxColumns.map { max(0, $0) } }

    mutating func append(_ scalar: Unicode.Scalar) {
        guard !isFull else { return }
        if let escape = TerminalText.escape(scalar) { return append(escape: escape) }
        var width = DisplayWidth.columns(scalar)
        if width == 0 {
            marks += 1
            // A mark with nothing to stand on, or too many on one letter.
            if columns == 0 || marks > TerminalText.maxMarks { return append(escape: TerminalText.name(scalar)) }
        } else {
            marks = 0
        }
        // Wide or not is for the terminal to say; never less than was counted.
        if scalar.value == 0xFE0F { width = 0 }
        append(String(scalar), width: width)
    }

    mutating func append(escape name: String) {
        guard !isFull else { return }
        append("‹" + name + "›", width: name.utf8.count + 2)
    }

    private mutating func append(_ piece: String, width: Int) {
        if let maxColumns {
            if columns + width > maxColumns {
                isFull = true
                return
            }
            text.unicodeScalars.append(contentsOf: piece.unicodeScalars)
            columns += width
            if columns < maxColumns { kept = text.unicodeScalars.endIndex }
        } else {
            text.unicodeScalars.append(contentsOf: piece.unicodeScalars)
            columns += width
        }
    }

    func finish() -> String {
        guard isFull, let maxColumns else { return text }
        return maxColumns == 0 ? "" : String(text.unicodeScalars[..<kept]) + "…"
    }
}
