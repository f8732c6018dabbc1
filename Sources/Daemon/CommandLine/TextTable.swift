/// Columns of text, aligned with spaces.
struct TextTable {
    private var rows: [[String]]

    init(_ heading: [String]) {
        rows = [heading]
    }

    mutating func add(_ row: [String]) { rows.append(row) }

    /// One line to a row; no line ends with spaces.
    var text: String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        var text = ""
        for row in rows {
            var line = ""
            var gap = 0
            for (column, cell) in row.enumerated() {
                if !cell.isEmpty { line += String(repeating: " ", count: gap) + cell }
                gap = cell.isEmpty ? gap + widths[column] + 2 : widths[column] - cell.count + 2
            }
            text += line + "\n"
        }
        return text
    }
}
