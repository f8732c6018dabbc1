/// IMF-fixdate (RFC 9110 section 5.6.7), always in GMT: `Sun, 06 Nov 1994 08:49:37 GMT`.
package enum HTTPDate {
    /// Bytes of a date.
    package static let byteCount = 29
    /// 9999-12-31 23:59:59, the last second with a four-digit year.
    private static let lastSecond = 253_402_300_799

    /// The date of `seconds` since 1970-01-01 00:00:00 UTC; times outside the years 1970 to 9999 become their ends.
    package static func format(secondsSince1970 seconds: Int) -> InlineArray<29, UInt8> {
        let clamped = min(max(seconds, 0), lastSecond)
        let days = clamped / 86_400
        let time = clamped % 86_400
        let (year, month, day) = civil(days)
        var text = InlineArray<29, UInt8>(repeating: 0x20)
        put(weekday((days + 4) % 7), at: 0, into: &text)
        text[3] = 0x2C
        put(decimal: day, digits: 2, at: 5, into: &text)
        put(name(of: month), at: 8, into: &text)
        put(decimal: year, digits: 4, at: 12, into: &text)
        put(decimal: time / 3_600, digits: 2, at: 17, into: &text)
        text[19] = 0x3A
        put(decimal: time / 60 % 60, digits: 2, at: 20, into: &text)
        text[22] = 0x3A
        put(decimal: time % 60, digits: 2, at: 23, into: &text)
        put((0x47, 0x4D, 0x54), at: 26, into: &text)
        return text
    }

    /// Year, month (1 to 12) and day of a day count since 1970-01-01. Counts in eras of 400 years that begin in
    /// March, so that the leap day is the last of its year.
    private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private typealias Letters = (UInt8, UInt8, UInt8)

    private static func put(_ letters: Letters, at index: Int, into text: inout InlineArray<29, UInt8>) {
        text[index] = letters.0
        text[index + 1] = letters.1
        text[index + 2] = letters.2
    }

    private static func put(decimal: Int, digits: Int, at index: Int, into text: inout InlineArray<29, UInt8>) {
        var rest = decimal
        for offset in stride(from: digits - 1, through: 0, by: -1) {
            text[index + offset] = 0x30 + UInt8(rest % 10)
            rest /= 10
        }
    }

    private static func weekday(_ index: Int) -> Letters {
        switch index {
        case 0: (0x53, 0x75, 0x6E)  // Sun
        case 1: (0x4D, 0x6F, 0x6E)  // Mon
        case 2: (0x54, 0x75, 0x65)  // Tue
        case 3: (0x57, 0x65, 0x64)  // Wed
        case 4: (0x54, 0x68, 0x75)  // Thu
        case 5: (0x46, 0x72, 0x69)  // Fri
        default: (0x53, 0x61, 0x74)  // Sat
        }
    }

    private static func name(of month: Int) -> Letters {
        switch month {
        case 1: (0x4A, 0x61, 0x6E)  // Jan
        case 2: (0x46, 0x65, 0x62)  // Feb
        case 3: (0x4D, 0x61, 0x72)  // Mar
        case 4: (0x41, 0x70, 0x72)  // Apr
        case 5: (0x4D, 0x61, 0x79)  // May
        case 6: (0x4A, 0x75, 0x6E)  // Jun
        case 7: (0x4A, 0x75, 0x6C)  // Jul
        case 8: (0x41, 0x75, 0x67)  // Aug
        case 9: (0x53, 0x65, 0x70)  // Sep
        case 10: (0x4F, 0x63, 0x74)  // Oct
        case 11: (0x4E, 0x6F, 0x76)  // Nov
        default: (0x44, 0x65, 0x63)  // Dec
        }
    }
}
