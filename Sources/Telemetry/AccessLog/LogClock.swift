package import Containers

/// Dates of log lines, in UTC. The text of a second is made once and then copied.
package struct LogClock: Sendable {
    private var second: Int64 = .min
    /// `2026-11-22T17:33:05`
    private var iso = InlineArray<19, UInt8>(repeating: 0x30)
    /// `22/Nov/2026:17:33:05 +0000`
    private var common = InlineArray<26, UInt8>(repeating: 0x30)

    package init() {}

    /// Appends `2026-11-22T17:33:05.123Z` (ISO 8601).
    package mutating func appendISO(seconds: Int64, nanoseconds: Int64, to buffer: inout Buffer) {
        set(seconds)
        buffer.append(iso.span)
        buffer.append(0x2E)
        let milliseconds = Int(min(max(nanoseconds, 0), 999_999_999)) / 1_000_000
        buffer.append(Self.digit(milliseconds / 100))
        buffer.append(Self.digit(milliseconds / 10))
        buffer.append(Self.digit(milliseconds))
        buffer.append(0x5A)
    }

    /// Appends `22/Nov/2026:17:33:05 +0000`, the date of the Common Log Format.
    package mutating func appendCommon(seconds: Int64, to buffer: inout Buffer) {
        set(seconds)
        buffer.append(common.span)
    }

    private mutating func set(_ seconds: Int64) {
        guard seconds != second else { return }
        second = seconds
        // Years 1970 to 9999: what has four digits.
        let bounded = Int(min(max(seconds, 0), 253_402_300_799))
        let (year, month, day) = Self.civil(days: bounded / 86_400)
        let time = bounded % 86_400
        iso = [
            Self.digit(year / 1000), Self.digit(year / 100), Self.digit(year / 10), Self.digit(year), 0x2D,
            Self.digit(month / 10), Self.digit(month), 0x2D, Self.digit(day / 10), Self.digit(day), 0x54,
            Self.digit(time / 36_000), Self.digit(time / 3600 % 24 % 10), 0x3A,
            Self.digit(time / 600 % 6), Self.digit(time / 60 % 10), 0x3A, Self.digit(time / 10 % 6), Self.digit(time),
        ]
        let names: InlineArray<36, UInt8> = [
            0x4A, 0x61, 0x6E, 0x46, 0x65, 0x62, 0x4D, 0x61, 0x72, 0x41, 0x70, 0x72, 0x4D, 0x61, 0x79, 0x4A, 0x75, 0x6E,
            0x4A, 0x75, 0x6C, 0x41, 0x75, 0x67, 0x53, 0x65, 0x70, 0x4F, 0x63, 0x74, 0x4E, 0x6F, 0x76, 0x44, 0x65, 0x63,
        ]
        let name = (month - 1) * 3
        common = [
            iso[8], iso[9], 0x2F, names[name], names[name + 1], names[name + 2], 0x2F, iso[0], iso[1], iso[2], iso[3],
            0x3A, iso[11], iso[12], 0x3A, iso[14], iso[15], 0x3A, iso[17], iso[18], 0x20, 0x2B, 0x30, 0x30, 0x30, 0x30,
        ]
    }

    /// The date of a day since 1970-01-01, in the Gregorian calendar: years are counted from March, so that the leap
    /// day is a year's last, and in eras of 400 years, which all have 146,097 days.
    private static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    private static func digit(_ value: Int) -> UInt8 {
        0x30 &+ UInt8(truncatingIfNeeded: value % 10)
    }
}
