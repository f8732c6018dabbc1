#include "CRE2.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <re2/re2.h>
#include <string>

namespace {

/// What a `CRE2Expression` really is.
struct Expression : CRE2Expression {
    Expression(const re2::StringPiece &pattern, const RE2::Options &options)
        : CRE2Expression{1}, compiled(pattern, options) {}

    const RE2 compiled;
};

/// Bounds of the texts that an expression matches; false when none are known.
bool textRange(const RE2 &expression, bool full, std::string *least, std::string *greatest) {
    const int length = 16;
    if (!full) {
        // RE2 answers for matches at the front alone: whether there are others, only the simplest patterns tell.
        const std::string &pattern = expression.pattern();
        const bool isAnchored = pattern.size() > 1 && pattern[0] == '^' && !std::strchr("*?+{", pattern[1]);
        if (!isAnchored || pattern.find('|') != std::string::npos) return false;
        return expression.PossibleMatchRange(least, greatest, length);
    }
    const RE2 anchored("^(?:" + expression.pattern() + ")$", expression.options());
    return anchored.ok() && anchored.PossibleMatchRange(least, greatest, length);
}

}  // namespace

extern "C" void cre2_retain(CRE2Expression *expression) {
    __atomic_fetch_add(&expression->references, 1, __ATOMIC_RELAXED);
}

extern "C" void cre2_release(CRE2Expression *expression) {
    if (__atomic_sub_fetch(&expression->references, 1, __ATOMIC_ACQ_REL) == 0) {
        delete static_cast<Expression *>(expression);
    }
}

extern "C" CRE2Expression *cre2_create(const uint8_t *pattern, size_t count, int64_t memory, char *message,
                                       size_t capacity) {
    try {
        RE2::Options options;
        // UTF-8 mode does not match bytes that are no UTF-8: a client could step around a pattern with one.
        options.set_encoding(RE2::Options::EncodingLatin1);
        options.set_log_errors(false);
        options.set_max_mem(memory);
        // Nobody asks for groups: without them RE2 always takes its automaton.
        options.set_never_capture(true);
        auto text = re2::StringPiece(reinterpret_cast<const char *>(pattern), count);
        auto expression = std::make_unique<Expression>(text, options);
        if (expression->compiled.ok()) return expression.release();
        std::snprintf(message, capacity, "%s", expression->compiled.error().c_str());
    } catch (const std::exception &problem) {
        std::snprintf(message, capacity, "%s", problem.what());
    }
    return nullptr;
}

extern "C" bool cre2_matches(CRE2Expression *expression, const uint8_t *bytes, size_t count, bool full) {
    try {
        auto text = re2::StringPiece(reinterpret_cast<const char *>(bytes), count);
        const RE2 &compiled = static_cast<Expression *>(expression)->compiled;
        return compiled.Match(text, 0, count, full ? RE2::ANCHOR_BOTH : RE2::UNANCHORED, nullptr, 0);
    } catch (...) {
        // Memory ran out. Either answer could let a request pass that a policy forbids, so there is none; Swift's own
        // allocations end the process in the same way.
        std::abort();
    }
}

extern "C" bool cre2_are_disjoint(CRE2Expression *left, CRE2Expression *right, bool full) {
    try {
        std::string leftLeast, leftGreatest, rightLeast, rightGreatest;
        if (!textRange(static_cast<Expression *>(left)->compiled, full, &leftLeast, &leftGreatest)) return false;
        if (!textRange(static_cast<Expression *>(right)->compiled, full, &rightLeast, &rightGreatest)) return false;
        return leftGreatest < rightLeast || rightGreatest < leftLeast;
    } catch (...) {
        return false;
    }
}
