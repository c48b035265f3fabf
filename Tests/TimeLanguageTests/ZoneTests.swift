import Events
import Glibc
import Testing

@testable import TimeLanguage

@Suite struct ZoneTests {
    // Serialized: the C library has one zone for the whole process.
    @Test(
        .serialized,
        arguments: [
            "Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Europe/Dublin",
            "Asia/Kathmandu",
            "Pacific/Apia", "America/Nuuk", "Asia/Gaza", "UTC", "EST5EDT",
        ])
    func `a zone of the database agrees with the C library at every instant asked`(name: String) throws {
        let zone = try #require(ZoneDatabase.system.zone(named: name))
        setenv("TZ", name, 1)
        tzset()
        defer { unsetenv("TZ") }
        // Past the last change in the file too, where the rule holds.
        for second in stride(from: Int64(-2_500_000_000), to: 4_200_000_000, by: 600_011) {
            var time = time_t(second)
            var parts = tm()
            localtime_r(&time, &parts)
            if zone.offset(at: Timestamp(seconds: second)) != parts.tm_gmtoff {
                Issue.record(
                    "\(name) at \(second): \(zone.offset(at: Timestamp(seconds: second))), not \(parts.tm_gmtoff)")
                return
            }
        }
    }

    @Test func `names are found in any case, and none leads out of the database`() {
        let zones = ZoneDatabase.system
        #expect(zones.zone(named: "europe/rome")?.name == "Europe/Rome")
        #expect(zones.zone(named: "AMERICA/PORT_OF_SPAIN")?.name == "America/Port_of_Spain")
        #expect(zones.zone(named: "cet")?.name == "CET")
        #expect(zones.zone(named: "gmt") == .utc)
        for name in [
            "", "../../../etc/localtime", "/etc/localtime", "Europe//Rome", "Europe/", "zone.tab", "Europe", "a\u{0}b",
        ] {
            #expect(zones.zone(named: name) == nil, "\(name)")
        }
    }

    @Test func `the zone of the process is that of TZ, else that of the machine, else UTC`() {
        let zones = ZoneDatabase.system
        #expect(zones.local(environment: ":Europe/Rome").name == "Europe/Rome")
        #expect(zones.local(environment: "CET-1CEST,M3.5.0,M10.5.0/3").offset(at: now) == 3_600)
        #expect(zones.local(environment: "nonsense!") == .utc)
        #expect(zones.local(environment: nil, localtime: "/usr/share/zoneinfo/Asia/Tokyo").name == "Asia/Tokyo")
        #expect(zones.local(environment: nil, localtime: "/nonexistent") == .utc)
    }

    @Test func `damaged files are refused and none traps`() throws {
        let path = "/usr/share/zoneinfo/Europe/Rome"
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 100_000)
        let count = read(descriptor, &bytes, bytes.count)
        bytes.removeLast(bytes.count - max(0, count))
        try #require(Zone(name: "Rome", tzif: bytes) != nil)
        for length in 0..<bytes.count { _ = Zone(name: "Rome", tzif: Array(bytes[..<length])) }
        let seed = UInt64.random(in: .min ... .max)
        var generator = SplitMix(state: seed)
        for _ in 0..<5_000 {
            var copy = bytes
            for _ in 0..<4 {
                copy[Int.random(in: 0..<copy.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            _ = Zone(name: "Rome", tzif: copy)?.offset(at: now)
        }
        for rule in [
            "", "A", "CET", "CET-1CEST", "CET-1CEST,", "CET-25", "CET-1CEST,M13.5.0,M10.5.0", "CET-99999999999", "<",
        ] {
            #expect(Zone(name: "x", posixRule: rule) == nil, "\(rule)")
        }
    }
}
