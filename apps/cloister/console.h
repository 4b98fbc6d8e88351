#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "client/connection.h"

namespace cloister {

/// What the program ends with; scripts rely on the numbers.
enum class Outcome { done = 0, refused = 1, usage = 2, not_verified = 3, unreachable = 4 };

/// Speaks to the person who ran the command: the only reader of Details in this program.
class ConsoleReport {
 public:
  /// Says on standard error what failed, and returns what to end with.
  static Outcome failed(const Error& error);
  /// What failed, in words for the person who asked.
  static std::string text_of(const Error& error);
};

/// Says `text` on standard error, and returns Outcome::usage.
Outcome wrong_usage(const std::string& text);
/// Says what the server answered instead of doing what was asked: its error, its findings.
/// With `json` the answer also goes to standard output as it came.
Outcome refused_by_server(const ClientResponse& response, bool json);

void print_line(std::string_view text);  ///< to standard output
void print_text(std::string_view text);  ///< the same without an end of line

/// `text` without characters that a terminal would act on: what a server sent may hold any.
std::string printable(std::string_view text);
/// "1.5 MB".
std::string size_text(std::uint64_t bytes);

/// A bar on standard error that grows in one line; silent unless it is shown.
class ProgressBar {
 public:
  ProgressBar(const Clock& clock, bool shown) noexcept
      : clock_(clock), shown_(shown), began_(clock.steady()) {}
  /// At most ten times a second, and at the end.
  void update(std::uint64_t done, std::uint64_t total);

 private:
  const Clock& clock_;
  bool shown_;
  SteadyTime began_;
  std::optional<SteadyTime> drawn_;
};

/// Whether standard error is a terminal.
bool errors_go_to_a_terminal() noexcept;

}  // namespace cloister
