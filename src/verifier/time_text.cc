#include "verifier/time_text.h"

#include <charconv>

namespace cloister {
namespace {

std::string padded(unsigned value, std::size_t width) {
  std::string digits = std::to_string(value);
  if (digits.size() < width) digits.insert(0, width - digits.size(), '0');
  return digits;
}

}  // namespace

std::string time_text(UtcSeconds time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return padded(static_cast<unsigned>(static_cast<int>(date.year())), 4) + "-" +
         padded(static_cast<unsigned>(date.month()), 2) + "-" +
         padded(static_cast<unsigned>(date.day()), 2) + "T" +
         padded(static_cast<unsigned>(clock.hours().count()), 2) + ":" +
         padded(static_cast<unsigned>(clock.minutes().count()), 2) + ":" +
         padded(static_cast<unsigned>(clock.seconds().count()), 2) + "Z";
}

std::optional<UtcSeconds> time_of(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00";
  if (text.size() < kForm.size()) return std::nullopt;
  const std::string_view zone = text.substr(kForm.size());
  if (zone != "Z" && zone != "+00:00") return std::nullopt;
  int part[6]{};
  std::size_t count = 0;
  for (std::size_t at = 0; at < kForm.size();) {
    const std::size_t width = count == 0 ? 4 : 2;
    const char* end = text.data() + at + width;
    for (const char* digit = text.data() + at; digit != end; ++digit) {
      if (*digit < '0' || *digit > '9') return std::nullopt;
    }
    std::from_chars(text.data() + at, end, part[count++]);
    at += width;
    if (at < kForm.size() && text[at] != kForm[at]) return std::nullopt;
    ++at;
  }
  const std::chrono::year_month_day date{std::chrono::year(part[0]),
                                         std::chrono::month(static_cast<unsigned>(part[1])),
                                         std::chrono::day(static_cast<unsigned>(part[2]))};
  if (!date.ok() || part[3] > 23 || part[4] > 59 || part[5] > 59) return std::nullopt;
  return UtcSeconds(std::chrono::sys_days(date)) + std::chrono::hours(part[3]) +
         std::chrono::minutes(part[4]) + std::chrono::seconds(part[5]);
}

}  // namespace cloister
