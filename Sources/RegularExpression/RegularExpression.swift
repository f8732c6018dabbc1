/// placeholder
package final class RegularExpression: Sendable { package init() {} }
