import CGMime

/// The value of `Content-Type` or `Content-Disposition`: a word and parameters (RFC 2045, 2183, 2231).
struct ParsedHeaderValue {
    /// `text/plain`, `attachment`: lower-case.
    let type: String
    private let parameters: [String: String]

    /// A value without parameters.
    init(type: String) {
        self.type = type
        parameters = [:]
    }

    init?(contentType raw: [UInt8]) {
        GMime.initialise()
        let value = ParsedHeaderValue.prepare(raw)
        let parsed = GMime.withCString(value) { text -> ParsedHeaderValue? in
            guard let parsed = g_mime_content_type_parse(nil, text) else { return nil }
            defer { g_object_unref(parsed) }
            guard let type = g_mime_content_type_get_mime_type(parsed) else { return nil }
            defer { g_free(type) }
            return ParsedHeaderValue(String(cString: type), g_mime_content_type_get_parameters(parsed))
        }
        guard let parsed else { return nil }
        self = parsed
    }

    init?(disposition raw: [UInt8]) {
        GMime.initialise()
        let value = ParsedHeaderValue.prepare(raw)
        let parsed = GMime.withCString(value) { text -> ParsedHeaderValue? in
            guard let parsed = g_mime_content_disposition_parse(nil, text) else { return nil }
            defer { g_object_unref(parsed) }
            guard let word = g_mime_content_disposition_get_disposition(parsed) else { return nil }
            return ParsedHeaderValue(String(cString: word), g_mime_content_disposition_get_parameters(parsed))
        }
        guard let parsed else { return nil }
        self = parsed
    }

    private init(_ type: String, _ list: UnsafeMutablePointer<GMimeParamList>?) {
        self.type = type.lowercased()
        var parameters: [String: String] = [:]
        let count = list.map { g_mime_param_list_length($0) } ?? 0
        for index in 0..<max(0, count) {
            guard let parameter = g_mime_param_list_get_parameter_at(list, index),
                let name = g_mime_param_get_name(parameter), let value = g_mime_param_get_value(parameter)
            else { continue }
            let key = String(cString: name).lowercased()
            if parameters[key] == nil { parameters[key] = String(cString: value) }
        }
        self.parameters = parameters
    }

    /// A parameter by its lower-case name, decoded.
    func parameter(_ name: String) -> String? { parameters[name] }

    /// Unfolded UTF-8 of a bounded size: names are short, and a value may be a mebibyte of anything.
    private static func prepare(_ raw: [UInt8]) -> [UInt8] {
        let value = Array(HeaderText.unfold(Array(raw.prefix(16_384))))
        return value.allSatisfy { $0 < 0x80 } ? value : Array(Charset.utf8OrLatin1(value).utf8)
    }
}
