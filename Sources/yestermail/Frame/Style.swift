internal import Glibc

/// Colours, never alone: what they say is in words too.
struct Style {
    let isOn: Bool

    init(_ mode: GlobalOptions.ColorMode, isTerminal: Bool) {
        switch mode {
        case .always: isOn = true
        case .never: isOn = false
        case .auto:
            let off = getenv("NO_COLOR").map { $0[0] != 0 } ?? false
            let dumb = getenv("TERM").map { strcmp($0, "dumb") == 0 } ?? true
            isOn = isTerminal && !off && !dumb
        }
    }

    private func paint(_ text: String, _ code: String) -> String { isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text }

    func strong(_ text: String) -> String { paint(text, "1") }
    func faint(_ text: String) -> String { paint(text, "2") }
    func bad(_ text: String) -> String { paint(text, "31") }
    func good(_ text: String) -> String { paint(text, "32") }
}
