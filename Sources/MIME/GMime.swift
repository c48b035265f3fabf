import CGMime

/// The library, initialised once, before its first use on whatever thread.
enum GMime {
    private static let initialised: Void = g_mime_init()

    /// Must be called before anything of the library.
    @inline(__always)
    static func initialise() { _ = initialised }

    /// Calls a function of the library that takes a C string and gives one that must be freed.
    static func transform(
        _ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> UnsafeMutablePointer<CChar>?
    ) -> [UInt8]? {
        initialise()
        return withCString(bytes) { text in
            guard let result = body(text) else { return nil }
            defer { g_free(result) }
            return Array(UnsafeRawBufferPointer(start: result, count: strlen(result)))
        }
    }

    /// The bytes with a zero after them. A zero within them would end the string early: it becomes a `?`.
    static func withCString<Result>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        var copy = bytes.map { CChar(bitPattern: $0 == 0 ? 0x3F : $0) }
        copy.append(0)
        return copy.withUnsafeBufferPointer { buffer in
            // An array that is not empty has a base address.
            guard let base = buffer.baseAddress else { return "".withCString(body) }
            return body(base)
        }
    }
}
