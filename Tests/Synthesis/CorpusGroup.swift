/// One kind of mail of a ``MailCorpus``, with the figures that give it its size and redundancy. The numbers were tuned
/// until size, zstd alone and zstd solid came near the corpus it stands for.
struct CorpusGroup: Sendable {
    /// Messages at full scale.
    let count: Int
    /// Octets of header, of text, of an inline image's Base64.
    let header, text, image: Distribution
    /// Per mille of messages that have an image; of those, per mille whose image was there before.
    let imageShare, imageRepeats: Int
    /// Per mille of messages that follow the template of one of the last few.
    let templateShare: Int
    /// About every so many octets of a template something differs from message to message.
    let templateInterval: Int
    /// Per mille of messages that quote the one before.
    let quoteShare: Int
    /// Per mille of a new text that repeats rows of itself, as tables of today's HTML do.
    var rowShare = 0
    /// Also: headers carry signatures, which nothing compresses, and not only words.
    let isHTML: Bool
    /// Longest run of lines taken from the pool at once, and distance of replaced words in it.
    let maximumRun, interval: Int
    var hasFiles = false

    private static let noImage = Distribution([(0, 0), (1_000, 0)])

    /// Stands for SpamAssassin's: lists and people, 2002. 6,046 messages, mean 5.4 KB; zstd 41 %, solid 25 %.
    static let lists = CorpusGroup(
        count: 6_046, header: Distribution([(0, 800), (500, 2_100), (900, 3_000), (1_000, 4_500)]),
        text: Distribution([
            (0, 200), (250, 800), (500, 1_300), (750, 2_300), (900, 4_400), (970, 13_000), (995, 40_000),
            (1_000, 160_000),
        ]), image: Distribution([(0, 4_000), (900, 20_000), (1_000, 100_000)]), imageShare: 8, imageRepeats: 0,
        templateShare: 240, templateInterval: 70, quoteShare: 400, rowShare: 100, isHTML: false, maximumRun: 8,
        interval: 60)

    /// Stands for one of Enron's mailboxes: 4,139 messages, mean 2.9 KB; zstd 49 %, solid 28 %.
    static let office = CorpusGroup(
        count: 4_139, header: Distribution([(0, 440), (500, 560), (800, 800), (950, 3_000), (1_000, 7_000)]),
        text: Distribution([
            (0, 100), (250, 500), (500, 1_000), (750, 1_900), (900, 3_700), (980, 8_000), (1_000, 18_000),
        ]), image: noImage, imageShare: 0, imageRepeats: 0, templateShare: 200, templateInterval: 60, quoteShare: 300,
        rowShare: 60, isHTML: false, maximumRun: 8, interval: 60)

    /// Stands for newsletters: 1,005 messages, mean 33.8 KB; zstd 42 %, solid 25 %.
    static let news = CorpusGroup(
        count: 1_005, header: Distribution([(0, 3_500), (500, 5_500), (1_000, 9_000)]),
        text: Distribution([
            (0, 2_000), (250, 14_000), (500, 23_000), (750, 31_000), (950, 66_000), (990, 100_000), (1_000, 120_000),
        ]), image: Distribution([(0, 4_000), (1_000, 60_000)]), imageShare: 20, imageRepeats: 0, templateShare: 600,
        templateInterval: 200, quoteShare: 0, isHTML: true, maximumRun: 24, interval: 50)

    /// Stands for modern spam and phishing: 7,909 messages, mean 38.1 KB, 26 % of it Base64; zstd 47 %, solid 40 %.
    static let offers = CorpusGroup(
        count: 7_909, header: Distribution([(0, 2_500), (500, 5_000), (900, 7_700), (1_000, 13_000)]),
        text: Distribution([
            (0, 600), (250, 6_000), (500, 14_000), (750, 26_000), (900, 44_000), (980, 100_000), (1_000, 200_000),
        ]),
        image: Distribution([(0, 2_000), (250, 12_000), (500, 32_000), (750, 68_000), (950, 150_000), (1_000, 420_000)]
        ),
        imageShare: 200, imageRepeats: 120, templateShare: 380, templateInterval: 130, quoteShare: 0, rowShare: 300,
        isHTML: true,
        maximumRun: 24, interval: 60)

    /// Office mail with files: 1,001 messages, mean 300 KB, 99 % Base64; zstd 59 %.
    static let business = CorpusGroup(
        count: 1_001, header: Distribution([(0, 440), (500, 560), (1_000, 3_000)]),
        text: Distribution([(0, 100), (500, 1_200), (1_000, 9_000)]), image: noImage, imageShare: 0, imageRepeats: 0,
        templateShare: 100, templateInterval: 60, quoteShare: 300, isHTML: false, maximumRun: 4, interval: 26,
        hasFiles: true)

    /// 2 to 4 KB, a fifth of 100,000.
    static let small = CorpusGroup(
        count: 20_000, header: Distribution([(0, 700), (1_000, 1_600)]),
        text: Distribution([(0, 900), (1_000, 2_700)]),
        image: noImage, imageShare: 0, imageRepeats: 0, templateShare: 250, templateInterval: 60, quoteShare: 350,
        isHTML: false, maximumRun: 4, interval: 26)
}
