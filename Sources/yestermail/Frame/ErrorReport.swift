internal import Events
internal import Presentation

/// Tells a person, or a program, what could not be done, why, and what to do about it.
enum ErrorReport {
    static func print(_ failure: Failure, isJSON: Bool) {
        guard isJSON else {
            var text = "yestermail: \(TerminalText.safe(failure.message))\n"
            for line in TerminalText.lines(failure.hint ?? "") { text += "  \(line)\n" }
            StandardError.write(text)
            return
        }
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("error")
        writer.beginObject()
        writer.key("code")
        writer.value(failure.code.rawValue)
        writer.key("exit")
        writer.value(failure.code.exitStatus)
        writer.key("message")
        writer.value(failure.message)
        writer.key("hint")
        writer.optional(failure.hint)
        writer.endObject()
        writer.endObject()
        writer.endLine()
        StandardError.write(String(decoding: writer.bytes, as: UTF8.self))
    }
}
