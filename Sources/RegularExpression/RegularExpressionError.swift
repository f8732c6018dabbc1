/// Why a pattern is no regular expression.
package struct RegularExpressionError: Error, Equatable, Sendable {
    /// For people, without the pattern itself: `missing ): (ab`.
    package var message: String
}
