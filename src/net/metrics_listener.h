#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace cloister {

/// Answers `GET /metrics` over plain HTTP, one connection after the other, each closed after its
/// answer and cut after two seconds: a scraper asks a few times a minute, and nobody else should.
/// Runs on a thread of its own until destroyed. Implemented by net/posix.
class MetricsListener {
 public:
  virtual ~MetricsListener() = default;
  virtual std::uint16_t port() const noexcept = 0;
};

/// Binds a numeric address and starts. `port` 0 is any free one. `text` makes the answer's body, on
/// the listener's thread. Fails: `invalid` (the address), `io`.
Result<std::unique_ptr<MetricsListener>> start_metrics_listener(
    const std::string& address, std::uint16_t port, std::function<std::string()> text);

}  // namespace cloister
