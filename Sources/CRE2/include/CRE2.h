#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A compiled expression, counted by reference. Immutable: any number of threads may match with it at once.
struct __attribute__((swift_attr("import_reference"), swift_attr("retain:cre2_retain"),
                      swift_attr("release:cre2_release"), swift_attr("@Sendable"))) CRE2Expression {
    /// Touched only by the two functions below, atomically.
    size_t references;
};
void cre2_retain(struct CRE2Expression *_Nonnull expression);
void cre2_release(struct CRE2Expression *_Nonnull expression);

/// Compiles `count` bytes of RE2 syntax, read as Latin-1.
///
/// Returns NULL when they are no expression (or need more than `memory` bytes), with the reason in `message` as
/// NUL-terminated text, cut to `capacity` bytes. `memory` is about what the expression may use in all, its lazily built
/// automaton included.
struct CRE2Expression *_Nullable cre2_create(const uint8_t *_Nullable pattern, size_t count, int64_t memory,
                                             char *_Nonnull message, size_t capacity)
    __attribute__((swift_attr("returns_retained")));

/// Whether all of the bytes match (`full`), or a part of them does.
bool cre2_matches(struct CRE2Expression *_Nonnull expression, const uint8_t *_Nullable bytes, size_t count, bool full);

/// Whether no text is matched by both, as far as the least and the greatest text of each can prove it. Slow; for checks of
/// a configuration. `full`: all of a text is to match.
bool cre2_are_disjoint(struct CRE2Expression *_Nonnull left, struct CRE2Expression *_Nonnull right, bool full);

#ifdef __cplusplus
}
#endif
