/// Words of our own for texts where there is no test data.
enum Words {
    static let common: [[UInt8]] =
        """
        the of to and a in is for that on with we it this be you as are have from by at not will or our your an was if \
        can has please new all which they would more about one out when there been time any other their so meeting mail \
        message report week project office team budget order invoice delivery customer contract price account change \
        question answer attached document version figures table draft review comment plan schedule monday tuesday friday \
        march april june autumn morning afternoon tomorrow yesterday today number address telephone call conference train \
        flight hotel room ticket garden house kitchen window river bridge station market bread coffee apple orange winter \
        summer server backup restore folder mailbox archive disk network printer password login screen keyboard update \
        release patch kernel module driver build compile error warning log trace memory cache thread lock queue buffer \
        history event point interval clock zone calendar contact group member director manager assistant colleague friend \
        family sister brother doctor school student lesson book page chapter letter paper pencil picture music concert \
        theatre museum holiday weather rain sun cloud wind snow mountain valley forest field road street square city town \
        village country border language word sentence grammar north south east west left right first second third last \
        early late quick slow large small long short high low good better best simple clear quiet bright heavy empty full \
        agree decide discuss explain forward arrange confirm cancel postpone prepare finish continue remember forget hope \
        believe expect suggest propose require include exclude compare measure count collect deliver receive return send
        """
        .split(whereSeparator: { $0 == " " || $0 == "\n" }).map { Array($0.utf8) }

    /// Family names and first names, for senders.
    static let names: [[UInt8]] =
        """
        anna bruno carla dario elena franco giulia henrik ines jonas karin luca marta nils olga paolo rosa stefan tilda \
        ugo vera walter xenia yann zoe adler berger conti dahl esposito fischer greco hansen ivanov jansen keller lang \
        moretti novak olsen petit quist ricci schmidt torres ullmann vogel weber yildiz zanetti
        """
        .split(whereSeparator: { $0 == " " || $0 == "\n" }).map { Array($0.utf8) }

    /// About `count` octets of sentences in lines of at most 72 characters.
    static func text(_ count: Int, using stream: inout RandomStream) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(count + 80)
        var column = 0
        var startsSentence = true
        while text.count < count {
            let start = text.count
            text += common[stream.rank(common.count)]
            if stream.below(40) == 0 { text += Array(String(stream.below(10_000)).utf8) }
            if startsSentence { text[start] &= 0xDF }
            startsSentence = stream.below(12) == 0
            if startsSentence {
                text.append(UInt8(ascii: "."))
            } else if stream.below(14) == 0 {
                text.append(UInt8(ascii: ","))
            }
            column += text.count - start + 1
            if column > 64 {
                text.append(10)
                if startsSentence, stream.below(5) == 0 { text.append(10) }
                column = 0
            } else {
                text.append(UInt8(ascii: " "))
            }
        }
        text.append(10)
        return text
    }
}
