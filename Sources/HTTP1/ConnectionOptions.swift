import Containers
import HTTP

/// The options of all `Connection` lines of one head (RFC 9110 section 7.6.1).
struct ConnectionOptions {
    struct Known: OptionSet, Sendable {
        let rawValue: UInt8
        static var close: Known { Known(rawValue: 1) }
        static var keepAlive: Known { Known(rawValue: 2) }
        static var upgrade: Known { Known(rawValue: 4) }
        static var te: Known { Known(rawValue: 8) }
    }

    private var known: Known = []
    private var elementCount = 0
    /// Whether an option is the name of a field that has to go.
    private(set) var namesFields = false

    /// More elements than anybody has use for: looking for fields of all these names would take quadratic time.
    var hasTooMany: Bool { elementCount > RequestLimits.listElements }

    func contains(_ option: Known) -> Bool { known.contains(option) }

    /// Reads one line's value. False when an element is no token or there are too many of them.
    mutating func note(_ value: Span<UInt8>) -> Bool {
        // Nearly every line is one of two words.
        switch PackedToken(value) {
        case .keepAlive:
            known.insert(.keepAlive)
            return countElement()
        case .close:
            known.insert(.close)
            return countElement()
        default: return noteList(value)
        }
    }

    private mutating func countElement() -> Bool {
        elementCount &+= 1
        return elementCount <= RequestLimits.listElements
    }

    private mutating func noteList(_ value: Span<UInt8>) -> Bool {
        var elements = ListElements()
        while let range = elements.next(value) {
            if !countElement() { return false }
            if range.isEmpty { continue }
            let element = value.extracting(range)
            switch PackedToken(element) {
            case .close: known.insert(.close)
            case .keepAlive: known.insert(.keepAlive)
            case .upgrade: known.insert(.upgrade)
            case .te: known.insert(.te)
            default:
                if !ByteScan.isToken(element) { return false }
                namesFields = true
            }
        }
        return true
    }

    /// Marks every line that a Connection line names.
    @inline(never)
    func removeNamed(_ bytes: Span<UInt8>, _ fields: inout FixedArray<FieldLine>) {
        for index in 0..<fields.count where fields[index].known == .connection {
            let value = bytes.extracting(fields[index].value.range)
            var elements = ListElements()
            while let range = elements.next(value) {
                if !range.isEmpty { remove(value.extracting(range), bytes, &fields) }
            }
        }
    }

    private func remove(_ name: Span<UInt8>, _ bytes: Span<UInt8>, _ fields: inout FixedArray<FieldLine>) {
        for index in 0..<fields.count where Int(fields[index].name.count) == name.count {
            if ByteClass.equalsIgnoringCase(bytes.extracting(fields[index].name.range), name) {
                fields[index].isRemoved = true
            }
        }
    }
}
