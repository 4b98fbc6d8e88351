#pragma once

#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace cloister {

/// Every way an operation can fail. Logs see this and the place, nothing else.
enum class Code {
  invalid,          ///< the request's content breaks a rule (400)
  unauthenticated,  ///< no credential, or none that is known (401)
  denied,           ///< known, but not allowed (403)
  not_found,        ///< absent, or not for this principal to know about (404)
  conflict,         ///< exists with other content, or its number is used up (409)
  too_large,        ///< past a named limit (413)
  unsupported,      ///< a media type or encoding that is not served (415)
  refused,          ///< a model that admission refuses; findings say why (422)
  busy,             ///< past a quota or a queue's bound; worth a retry (429)
  unavailable,      ///< cannot be served now (503)
  deadline,         ///< took longer than allowed (504)
  unverified,       ///< evidence or a signature that does not hold
  corrupt,          ///< stored or received bytes that fail their integrity check
  io,               ///< the host's files, memory or network failed
  internal,         ///< the runtime failed, or a state that should not occur (500)
};

/// The lower-case name of `code`, as it stands in logs and in an error body's `code`.
const char* name_of(Code code) noexcept;

/// A place in the source, named at compile time, so that no input can be part of it.
struct Place {
  const char* text;
  consteval Place(const char* literal) : text(literal) {}
};

/// Who may read a Detail: the writers of answers to the requester, and nobody else.
class DetailToken {
  friend class ErrorResponse;   // api: the body of an error answer
  friend class ConsoleReport;   // apps: what a command prints to the person who ran it
  friend class WorkerReply;     // sandbox: a worker's error, on its way to the server
  friend struct DetailForTest;  // tests
  DetailToken() = default;
};

/// What helps the requester to mend a request (`input "x": expected ...`). It may quote the
/// request, so no log and no other request may see it: there is no way to print it by accident.
class Detail {
 public:
  Detail() = default;
  explicit Detail(std::string text) : text_(std::move(text)) {}
  const std::string& reveal(DetailToken) const noexcept { return text_; }
  bool empty() const noexcept { return text_.empty(); }

 private:
  std::string text_;
};

/// An expected failure. `detail` may be empty; the answer then says what `code` says.
struct Error {
  Code code;
  Place where;
  Detail detail{};
};

/// A value, or why there is none. Cannot be ignored; reading the wrong side stops the process.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  bool ok() const noexcept { return state_.index() == 0; }
  T& value() & {
    CLOISTER_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    CLOISTER_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  /// By value, so that `for (x : f().value())` iterates over what lives.
  T value() && {
    CLOISTER_CHECK(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  const Error& error() const {
    CLOISTER_CHECK(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

/// The value of an operation that yields nothing but its success.
struct Done {};
using Status = Result<Done>;

}  // namespace cloister

/// Returns the error of `expression` from the enclosing function, if it failed.
#define CLOISTER_TRY(expression)                                                       \
  do {                                                                                 \
    if (auto cloister_try_ = (expression); !cloister_try_.ok()) [[unlikely]]           \
      return cloister_try_.error();                                                    \
  } while (false)

#define CLOISTER_JOIN_INNER_(a, b) a##b
#define CLOISTER_JOIN_(a, b) CLOISTER_JOIN_INNER_(a, b)

/// `CLOISTER_ASSIGN(auto x, f());`: binds the value of `f()`, or returns its error.
#define CLOISTER_ASSIGN(declaration, expression)                                       \
  auto CLOISTER_JOIN_(cloister_result_, __LINE__) = (expression);                      \
  if (!CLOISTER_JOIN_(cloister_result_, __LINE__).ok()) [[unlikely]]                   \
    return CLOISTER_JOIN_(cloister_result_, __LINE__).error();                         \
  declaration = std::move(CLOISTER_JOIN_(cloister_result_, __LINE__)).value()
