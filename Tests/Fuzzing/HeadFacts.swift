import Containers
import HTTP

/// The fields of a parsed head, read from its bytes.
struct HeadFields: Equatable {
    struct Line: Equatable {
        /// In lower case.
        var name: String
        var value: String
        var isRemoved: Bool
    }

    var lines: [Line] = []

    init(_ fields: borrowing FixedArray<FieldLine>, of bytes: [UInt8]) {
        for index in 0..<fields.count {
            let field = fields[index]
            lines.append(
                Line(
                    name: String(decoding: bytes[field.name.range], as: UTF8.self).lowercased(),
                    value: String(decoding: bytes[field.value.range], as: UTF8.self), isRemoved: field.isRemoved))
        }
    }

    /// Those that are passed on.
    var kept: [Line] { lines.filter { !$0.isRemoved } }

    /// What the Connection lines name, in lower case.
    var connectionOptions: [String] {
        lines.filter { $0.name == "connection" }.flatMap { line in
            line.value.split(separator: ",").map { option in
                String(option.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
                    .lowercased()
            }
        }
    }

    /// RFC 9110 section 7.6.1: nothing for the next hop alone is passed on as it came.
    func checkHopByHop(isResponse: Bool) throws(FuzzViolation) {
        let options = connectionOptions
        var never = [
            "connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "content-length", "upgrade",
            "proxy-authenticate", "proxy-authorization", "http2-settings",
        ]
        if !isResponse { never += ["host", "trailer", "expect"] }
        for line in kept {
            try require(!never.contains(line.name), "\(line.name) is passed on")
            try require(!options.contains(line.name), "\(line.name), which Connection names, is passed on")
            try require(isResponse || !line.name.contains("_"), "\(line.name) is passed on")
        }
    }
}
