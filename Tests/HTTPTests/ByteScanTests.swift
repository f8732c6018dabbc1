import Containers
import HTTP
import Testing

@Suite struct ByteScanTests {
    /// Calls `body` with every byte value at every place of runs of different lengths, so that each byte of a word
    /// and of the rest behind the words is tried.
    private func withEachByte(filler: UInt8, _ body: ([UInt8], Int, UInt8) -> Void) {
        for count in [1, 7, 8, 9, 16, 19] {
            for place in 0..<count {
                for byte in UInt8.min...UInt8.max {
                    var bytes = [UInt8](repeating: filler, count: count)
                    bytes[place] = byte
                    body(bytes, place, byte)
                }
            }
        }
    }

    @Test func `A field value ends at the first control character but HTAB`() {
        withEachByte(filler: 0x61) { bytes, place, byte in
            let end = ByteClass.isFieldValue(byte) ? bytes.count : place
            #expect(ByteScan.fieldValueEnd(bytes.span) == end, "\(byte) at \(place) of \(bytes.count)")
        }
        withEachByte(filler: 0x09) { bytes, place, byte in
            let end = ByteClass.isFieldValue(byte) ? bytes.count : place
            #expect(ByteScan.fieldValueEnd(bytes.span) == end, "\(byte) at \(place) of \(bytes.count)")
        }
        withEachByte(filler: 0xFF) { bytes, place, byte in
            let end = ByteClass.isFieldValue(byte) ? bytes.count : place
            #expect(ByteScan.fieldValueEnd(bytes.span) == end, "\(byte) at \(place) of \(bytes.count)")
        }
    }

    @Test func `A field name ends at the colon or at what no name has`() {
        for filler in [0x21, 0x61, 0x7E] as [UInt8] {
            withEachByte(filler: filler) { bytes, place, byte in
                let ends = byte <= 0x20 || byte == 0x3A || byte >= 0x7F
                #expect(ByteScan.fieldNameEnd(bytes.span) == (ends ? place : bytes.count), "\(byte) at \(place)")
            }
        }
    }

    @Test func `A word has zeros for what lies behind the end`() {
        let bytes = (1...19).map { UInt8($0) }
        for count in 0...19 {
            let run = bytes.span.extracting(first: count)
            for offset in 0...24 {
                var expected: UInt64 = 0
                for index in (0..<8) where offset + index < count {
                    expected |= UInt64(bytes[offset + index]) << UInt64(8 * index)
                }
                #expect(holds(ByteScan.word(run, at: offset) == expected), "\(offset) of \(count)")
                let pair = offset + 2 <= count ? UInt16(truncatingIfNeeded: expected) : 0
                #expect(holds(ByteScan.pair(run, at: offset) == pair), "\(offset) of \(count)")
            }
        }
    }

    @Test func `The usual bytes of a target are plain ones, and most plain ones are usual`() {
        withEachByte(filler: 0x61) { bytes, place, byte in
            guard place < 8 else { return }
            let marks = ByteScan.unusualInTarget(ByteScan.word(bytes.span, at: 0))
            let isMarked = marks &>> UInt64(8 * place + 7) & 1 == 1
            #expect(isMarked || ByteClass.isPlainTarget(byte), "\(byte) at \(place)")
            let isUsual = ByteClass.isUnreserved(byte) && byte != 0x5F && byte != 0x7E || byte == 0x2F
            if isUsual { #expect(!isMarked, "\(byte) at \(place)") }
            let others = marks & ~(0x80 &<< UInt64(8 * place))
            #expect(bytes.count < 8 || others == 0, "\(byte) at \(place)")
        }
    }

    @Test func `Digits of a word are a number`() {
        var random = RandomSource(seed: 9)
        for _ in 0..<20_000 {
            let count = 1 + random.below(8)
            var text = (0..<count).map { _ in UInt8(0x30 + random.below(10)) }
            if random.below(4) == 0 { text[random.below(count)] = UInt8(random.below(256)) }
            let word = ByteScan.word((text + [0x0D, 0x0A, 0x39, 0xFF]).span, at: 0)
            let number = text.allSatisfy(ByteClass.isDigit) ? Int(String(decoding: text, as: UTF8.self)) : nil
            #expect(ByteScan.decimal(word, count: count) == number, "\(text)")
        }
    }

    @Test func `Runs are equal when all of their bytes are`() {
        withEachByte(filler: 0x61) { bytes, place, byte in
            let same = [UInt8](repeating: 0x61, count: bytes.count)
            #expect(ByteClass.equals(bytes.span, same.span) == (byte == 0x61), "\(byte) at \(place)")
        }
        #expect(holds(ByteClass.equals(Span(), Span())))
    }

    @Test func `A plain name has letters and hyphens alone`() {
        withEachByte(filler: 0x5A) { bytes, place, byte in
            let line = [0x3A] + bytes + [0x3A]
            let isPlain = byte == 0x2D || ByteClass.lowercased(byte) &- 0x61 < 26
            let first = ByteScan.word(line.span, at: 1)
            #expect(ByteScan.isPlainName(line.span, 1, bytes.count + 1, first) == isPlain, "\(byte) at \(place)")
        }
    }

    @Test func `Visible bytes are those above SP but DEL`() {
        for filler in [0x21, 0x61, 0xFF] as [UInt8] {
            withEachByte(filler: filler) { bytes, place, byte in
                #expect(ByteScan.isVisible(bytes.span) == (byte > 0x20 && byte != 0x7F), "\(byte) at \(place)")
            }
        }
        #expect(holds(ByteScan.isVisible(Span())))
    }

    @Test func `Random runs agree with a search byte by byte`() {
        var random = RandomSource(seed: 5)
        for _ in 0..<20_000 {
            let bytes = (0..<random.below(40)).map { _ in
                random.below(20) == 0 ? UInt8(random.below(40)) : UInt8(truncatingIfNeeded: random.next()) | 0x40
            }
            let value = bytes.firstIndex { !ByteClass.isFieldValue($0) } ?? bytes.count
            #expect(ByteScan.fieldValueEnd(bytes.span) == value)
            let name = bytes.firstIndex { $0 <= 0x20 || $0 == 0x3A || $0 >= 0x7F } ?? bytes.count
            #expect(ByteScan.fieldNameEnd(bytes.span) == name)
        }
    }

    @Test func `Names are tokens, ambiguous tokens or neither`() {
        func kind(_ name: String) -> ByteScan.NameKind { ByteScan.nameKind(Array(name.utf8).span) }
        #expect(kind("X-Abc") == .token && kind("!#$%&'*+-^`|~0") == .token)
        #expect(kind("x_y") == .ambiguous && kind("x.y") == .ambiguous)
        #expect(kind("") == .notToken && kind("a b") == .notToken && kind("x_\u{e9}") == .notToken)
    }
}
