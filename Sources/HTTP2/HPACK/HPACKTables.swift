/// What all coders of a worker read and nobody changes: the code of strings and the static table.
package struct HPACKTables: ~Copyable {
    let huffman = HuffmanDecoder()
    let fixed = StaticTable()

    package init() {}
}
