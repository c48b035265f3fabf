import TestKit
import Testing

@testable import MIME

func preview(_ text: String) -> MIMEPreview { MIMEPreview(Array(text.utf8)) }

@Suite struct MIMEPreviewTests {
    static let mixed = """
        Content-Type: multipart/mixed; boundary="b"

        prologue
        --b
        Content-Type: multipart/alternative; boundary=bb

        --bb
        Content-Type: text/plain; charset=iso-8859-1
        Content-Transfer-Encoding: quoted-printable

        Caf=E9 =
        au lait
        --bb
        Content-Type: text/html

        <p>Caf&eacute;</p>
        --bb--
        --b
        Content-Type: application/pdf; name="=?utf-8?q?R=C3=A9sum=C3=A9.pdf?="
        Content-Transfer-Encoding: base64
        Content-Disposition: attachment

        SGVsbG8=
        --b
        Content-Type: image/png
        Content-Disposition: inline; filename*0*=UTF-8''%e2%82%ac%20; filename*1="rates.png"

        PNG
        --b--
        epilogue
        """

    @Test func `the plain text is shown and the files are listed`() {
        for text in [
            Self.mixed, Self.mixed.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n"),
        ] {
            let preview = preview(text)
            #expect(preview.text == "Café au lait")
            #expect(!preview.isFromHTML && !preview.isTruncated && preview.hasAttachment)
            #expect(
                preview.attachments == [
                    .init(fileName: "Résumé.pdf", contentType: "application/pdf", byteCount: 5, isInline: false),
                    .init(fileName: "€ rates.png", contentType: "image/png", byteCount: 3, isInline: false),
                ])
        }
    }

    @Test func `without plain text the HTML is read`() {
        let html = """
            Content-Type: text/html; charset=utf-8

            <html><head><title>t</title><style>p{}</style><script>alert("</p>")</script></head><body>
            <!-- <p>no</p> --><h1>Hi &amp; bye</h1><p>One<br>two</p><ul><li>a</li><li>b</li></ul>
            <a href="x>y">link</a> 1 < 2 &#8364; &#x20AC; &bogus; &#0;</body></html>
            """
        let preview = preview(html)
        #expect(preview.isFromHTML)
        #expect(preview.text == "Hi & bye\n\nOne\ntwo\n\n- a\n- b\n\nlink 1 < 2 € € &bogus; \u{0}")
    }

    @Test(arguments: [
        "", "\n", "text only", "Content-Type: multipart/mixed\n\nx",
        "Content-Type: multipart/mixed; boundary=\"\"\n\nx",
    ])
    func `what is no proper message is looked at too`(text: String) {
        #expect(preview(text).attachments.isEmpty)
    }

    @Test func `pictures within HTML and signatures are not attachments`() {
        let related = """
            Content-Type: multipart/related; boundary=r

            --r
            Content-Type: text/html

            <img src="cid:1">
            --r
            Content-Type: image/png; name=a.png
            Content-ID: <1>

            x
            --r--
            """
        #expect(!preview(related).hasAttachment)
        #expect(preview(related).attachments.first?.isInline == true)
        let message = Array(related.utf8)
        #expect(!MIMEPreview.hasAttachment(message))
        #expect(MIMEPreview.hasAttachment(Array(Self.mixed.utf8)))
    }

    @Test func `a boundary that begins with another is not taken for it`() {
        let text = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--bc\ntwo\n--b--\n"
        #expect(preview(text).text == "one\n--bc\ntwo")
    }

    @Test func `text longer than the limit is cut`() {
        let message = Array("\n".utf8) + [UInt8](repeating: 0x61, count: 10_000)
        let preview = MIMEPreview(message, maxTextBytes: 100)
        #expect(preview.text.utf8.count == 100)
        #expect(preview.isTruncated)
    }

    @Test func `what is made to exhaust is bounded`() {
        var nested = ""
        for level in 0..<5_000 { nested += "Content-Type: multipart/mixed; boundary=b\(level)\n\n--b\(level)\n" }
        #expect(preview(nested).isTruncated)
        let many = "Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: "--b\n\n\n", count: 20_000)
        #expect(preview(many).isTruncated)
        // A hundred open boundaries, and ten thousand lines that could be any of them.
        nested = ""
        for level in 0..<99 {
            nested +=
                "Content-Type: multipart/mixed; boundary=\(String(repeating: "x", count: 60))\(level)\n\n--\(String(repeating: "x", count: 60))\(level)\n"
        }
        nested += String(repeating: "--" + String(repeating: "x", count: 62) + "\n", count: 10_000)
        let clock = ContinuousClock()
        let time = clock.measure { _ = preview(nested) }
        #expect(time < .seconds(30))
        for text in ["<", "&", "<!--", "<a \"", "&#", "<script>", "<p>", "</"] {
            _ = HTMLText.plain(String(repeating: text, count: 20_000))
        }
    }

    @Test(.enabled(if: TestData.hasMail, Comment(rawValue: TestData.absence)))
    func `every message of the corpus is looked at, and known ones show what they should`() throws {
        for message in Corpus.messages.values {
            let preview = MIMEPreview(message)
            #expect(preview.hasAttachment == MIMEPreview.hasAttachment(message))
        }
        func shown(_ name: String) throws -> MIMEPreview { MIMEPreview(try Corpus.message("nasty-synth/" + name)) }
        #expect(try shown("nested-150.eml").isTruncated)
        #expect(try shown("filename-rfc2231-split.eml").attachments.first?.fileName == "€ rates💩.txt")
        #expect(try shown("html-xss.eml").text.contains("<script") == false)
        #expect(try !shown("parts-2000.eml").isTruncated)
    }

    @Test(.enabled(if: TestData.hasMail, Comment(rawValue: TestData.absence)))
    func `damaged messages are looked at without a trap`() {
        let seed = UInt64(20_260_303)
        var state = seed
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for (name, message) in Corpus.messages
        where name.contains("nasty") && message.count < 20_000 && !message.isEmpty {
            var damaged = message
            for _ in 0..<8 { damaged[random(damaged.count)] = UInt8(random(256)) }
            _ = MIMEPreview(damaged)
            _ = MIMEPreview(Array(message[..<random(message.count)]))
        }
    }
}
