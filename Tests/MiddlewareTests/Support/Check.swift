import Testing

/// `#expect` for expressions with values that cannot be copied, which the macro cannot take apart.
func check(_ isTrue: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(isTrue, sourceLocation: sourceLocation)
}
