/// Where the records of a direction end, by their headers.
struct RecordBorders {
    struct Record {
        let type: UInt8
        let start: Int
        let count: Int
        var end: Int { start + count }
    }

    private(set) var records: [Record] = []
    private var header: [UInt8] = []
    private(set) var total = 0
    private var rest = 0

    mutating func note(_ bytes: [UInt8]) {
        var at = 0
        while at < bytes.count {
            if rest > 0 {
                let count = min(rest, bytes.count - at)
                rest -= count
                at += count
                continue
            }
            header.append(bytes[at])
            at += 1
            guard header.count == 5 else { continue }
            let length = Int(header[3]) << 8 | Int(header[4])
            records.append(Record(type: header[0], start: total + at - 5, count: 5 + length))
            rest = length
            header = []
        }
        total += bytes.count
    }

    /// The end of the record in which, or behind which, a place lies; the place itself and one more where none is known.
    func next(behind place: Int) -> Int {
        var (low, high) = (0, records.count)
        while low < high {
            let middle = (low + high) / 2
            if records[middle].end > place { high = middle } else { low = middle + 1 }
        }
        return low < records.count ? records[low].end : place + 1
    }

    /// An alert: in TLS 1.3 two bytes, their type and a tag.
    var isCloseNotifyLast: Bool {
        guard let last = records.last, last.end == total else { return false }
        return last.type == 21 || last.type == 23 && last.count == 5 + 19
    }
    var lastCount: Int { records.last?.count ?? 0 }
    var lastStart: Int { records.last?.start ?? 0 }

    /// How many of the last `content` bytes, behind which stands at most a close_notify, lie in records that end before `place`.
    func content(of content: Int, before place: Int, overhead: Int, hasCloseNotify: Bool) -> Int {
        var whole = content
        var found = 0
        var rest = records[...]
        if hasCloseNotify { rest.removeLast() }
        while found < content, let record = rest.popLast() {
            let count = record.count - 5 - overhead
            found += count
            if record.end > place { whole -= count }
        }
        return whole
    }
}
