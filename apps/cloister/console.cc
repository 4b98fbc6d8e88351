#include "console.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "encoding/json.h"
#include "encoding/utf8.h"

namespace cloister {
namespace {

void complain(const std::string& text) {
  std::fprintf(stderr, "cloister: %s\n", printable(text).c_str());
}

std::string text_member(const JsonValue& object, std::string_view name) {
  const JsonValue* member = object.find(name);
  return member == nullptr ? std::string() : std::string(member->text().value_or(""));
}

Outcome outcome_of(Code code) {
  switch (code) {
    case Code::unavailable:
    case Code::busy:
    case Code::deadline: return Outcome::unreachable;
    case Code::unverified: return Outcome::not_verified;
    case Code::refused: return Outcome::refused;
    default: return Outcome::usage;
  }
}

}  // namespace

std::string ConsoleReport::text_of(const Error& error) {
  const std::string& detail = error.detail.reveal(DetailToken());
  if (!detail.empty()) return detail;
  return std::string(name_of(error.code)) + " (at " + error.where.text + ")";
}

Outcome ConsoleReport::failed(const Error& error) {
  complain(text_of(error));
  return outcome_of(error.code);
}

Outcome wrong_usage(const std::string& text) {
  complain(text);
  return Outcome::usage;
}

Outcome refused_by_server(const ClientResponse& response, bool json) {
  const std::string begin = "the server answered " + std::to_string(response.status);
  const Result<JsonValue> body = parse_json(response.body);
  if (!body.ok() || !body.value().is_object()) {
    complain(begin);
    return Outcome::refused;
  }
  complain(begin + " (" + text_member(body.value(), "code") +
           "): " + text_member(body.value(), "error"));
  if (const JsonValue* findings = body.value().find("findings")) {
    for (const JsonValue& each : findings->items()) {
      const std::string line = "  - " + text_member(each, "rule") + ", " +
                               text_member(each, "where") + ": " + text_member(each, "remedy");
      std::fprintf(stderr, "%s\n", printable(line).c_str());
    }
  }
  if (json) print_line(response.body);
  return Outcome::refused;
}

void print_text(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_line(std::string_view text) {
  print_text(text);
  print_text("\n");
}

std::string printable(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const std::size_t bytes = utf8_sequence_bytes(text);
    const auto lead = static_cast<unsigned char>(text.front());
    // C1 controls are two bytes long in UTF-8: 0xC2 and 0x80 to 0x9F.
    const bool is_control =
        bytes == 0 || (lead < 0x20 && lead != '\n') || lead == 0x7F ||
        (lead == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0);
    plain += is_control ? std::string_view("?") : text.substr(0, bytes);
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return plain;
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (size >= 1000 && unit + 1 < kUnits.size()) {
    size /= 1000;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", size, kUnits[unit]);
  return text.data();
}

bool errors_go_to_a_terminal() noexcept { return isatty(STDERR_FILENO) == 1; }

void ProgressBar::update(std::uint64_t done, std::uint64_t total) {
  constexpr std::chrono::milliseconds kPause{100};
  constexpr std::uint64_t kWidth = 30;
  if (!shown_ || total == 0) return;
  const SteadyTime now = clock_.steady();
  if (done < total && drawn_ && now - *drawn_ < kPause) return;
  drawn_ = now;
  const std::chrono::duration<double> took = now - began_;
  const double rate = static_cast<double>(done) / std::max(took.count(), 1e-3);
  const std::string bar(done * kWidth / total, '#');
  std::fprintf(stderr, "\r[%-30s] %3u %%  %s of %s  %s/s   ", bar.c_str(),
               static_cast<unsigned>(done * 100 / total), size_text(done).c_str(),
               size_text(total).c_str(), size_text(static_cast<std::uint64_t>(rate)).c_str());
  if (done == total) std::fputc('\n', stderr);
}

}  // namespace cloister
