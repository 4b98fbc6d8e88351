#include "observe/metrics_text.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "observe/request_counters.h"

namespace cloister {
namespace {

std::string_view name_of_kind(MetricsText::Kind kind) {
  switch (kind) {
    case MetricsText::Kind::counter: return "counter";
    case MetricsText::Kind::gauge: return "gauge";
    case MetricsText::Kind::histogram: break;
  }
  return "histogram";
}

/// Only what a model's or principal's name may have; nothing needs escaping.
std::string safe(std::string_view value) {
  std::string text(value);
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return c == '"' || c == '\\' || c < ' ' || c > '~'; }, '_');
  return text;
}

std::string digits_of(double value) {
  std::array<char, 400> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                          std::chars_format::fixed);
  return error == std::errc() ? std::string(digits.data(), end) : "NaN";
}

}  // namespace

void MetricsText::family(Place name, Kind kind, Place help) {
  name_ = name.text;
  text_ += "# HELP ";
  text_ += name_;
  text_ += ' ';
  text_ += help.text;
  text_ += "\n# TYPE ";
  text_ += name_;
  text_ += ' ';
  text_ += name_of_kind(kind);
  text_ += '\n';
}

void MetricsText::number(double value) {
  text_ += ' ';
  text_ += digits_of(value);
  text_ += '\n';
}

void MetricsText::sample(double value) {
  text_ += name_;
  number(value);
}

void MetricsText::sample(Place label, std::string_view label_value, double value) {
  part("", label, label_value, value);
}

void MetricsText::sample(Place first, std::string_view first_value, Place second,
                         std::string_view second_value, double value) {
  text_ += name_;
  text_ += std::string("{") + first.text + "=\"" + safe(first_value) + "\"," + second.text + "=\"" +
           safe(second_value) + "\"}";
  number(value);
}

void MetricsText::part(Place suffix, double value) {
  text_ += name_;
  text_ += suffix.text;
  number(value);
}

void MetricsText::part(Place suffix, Place label, std::string_view label_value, double value) {
  text_ += name_;
  text_ += suffix.text;
  text_ += std::string("{") + label.text + "=\"" + safe(label_value) + "\"}";
  number(value);
}

void write_request_counters(const RequestCounters& counters, MetricsText& out) {
  out.family("cloister_requests_total", MetricsText::Kind::counter,
             "Requests answered, by what they asked for and by status.");
  for (std::size_t kind = 0; kind < kRequestKinds; ++kind) {
    for (std::size_t place = 0; place < RequestCounters::kStatuses; ++place) {
      const std::uint64_t count = counters.requests(static_cast<RequestKind>(kind), place);
      if (count == 0) continue;
      const int status = place < kCountedStatuses.size() ? kCountedStatuses[place] : 500;
      out.sample("kind", name_of(static_cast<RequestKind>(kind)), "status", std::to_string(status),
                 static_cast<double>(count));
    }
  }
  out.family("cloister_received_bytes_total", MetricsText::Kind::counter,
             "Bytes of request bodies.");
  out.sample(static_cast<double>(counters.bytes_in()));
  out.family("cloister_sent_bytes_total", MetricsText::Kind::counter, "Bytes of answers' bodies.");
  out.sample(static_cast<double>(counters.bytes_out()));
  out.family("cloister_inference_duration_seconds", MetricsText::Kind::histogram,
             "Time of successful inferences from the complete body to the answer.");
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kLatencyBounds.size(); ++i) {
    sum += counters.latencies(i);
    out.part("_bucket", "le", digits_of(static_cast<double>(kLatencyBounds[i]) / 1e6),
             static_cast<double>(sum));
  }
  sum += counters.latencies(kLatencyBounds.size());
  out.part("_bucket", "le", "+Inf", static_cast<double>(sum));
  out.part("_sum", static_cast<double>(counters.latency_sum().count()) / 1e6);
  out.part("_count", static_cast<double>(sum));
}

}  // namespace cloister
