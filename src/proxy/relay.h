#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "proxy/local_request.h"
#include "proxy/local_socket.h"
#include "proxy/session_pool.h"

namespace cloister {

/// What every local connection shares; outlives them.
struct RelayService {
  SessionPool& sessions;
  const Clock& clock;
  std::vector<std::string> own_names;  ///< what Host may say, in lower case
  /// An error as the local client may read it.
  std::function<std::string(const Error&)> describe;
  std::chrono::seconds head_time_max{10};   ///< from the first byte of a head to its end
  std::chrono::seconds idle_time_max{300};  ///< between requests
  std::chrono::seconds stall_time_max{60};  ///< a body without a byte
};

/// Serves one local connection: reads a request, judges it, sends it to the verified server and
/// hands the answer on, in pieces of at most 64 KiB both ways; then the next one.
class Relay {
 public:
  /// `is_idle` is true while the connection waits between requests.
  Relay(const RelayService& service, LocalStream& stream, std::atomic<bool>& is_idle);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay();

  /// Returns when the connection is of no more use.
  void serve();

 private:
  class Body;
  class Answer;

  Bytes buffered() const noexcept { return Bytes(input_).first(end_).subspan(begin_); }
  void consume(std::size_t count) noexcept;
  /// Reads more behind what is buffered. False where nothing more will come.
  Result<bool> read_more(std::chrono::milliseconds wait_max);
  /// The next head with its empty line; nothing where the connection is of no more use.
  std::optional<Bytes> next_head();
  /// False where the connection ends with this request.
  bool serve_request(Bytes head);
  bool forward(const LocalRequest& request);
  bool answer_failure(const Error& error, const Body& body);
  void refuse(const LocalRefusal& refusal);
  void close_gently();

  const RelayService& service_;
  LocalStream& stream_;
  std::atomic<bool>& is_idle_;
  ByteVector input_;  ///< received, not consumed: [begin_, end_)
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace cloister
