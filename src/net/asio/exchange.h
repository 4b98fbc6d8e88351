#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/mutex.h"
#include "http/message.h"
#include "net/asio/event_loop.h"

namespace cloister {

class AnswerSlot;

/// Who waits for an answer: told on the loop's thread.
class AnswerTaker {
 public:
  virtual ~AnswerTaker() = default;
  virtual void on_answer(const AnswerSlot& slot) noexcept = 0;
};

/// Where one request's answer is put by any thread and taken by the connection. May outlive both
/// the connection and the server.
class AnswerSlot final : public std::enable_shared_from_this<AnswerSlot> {
 public:
  AnswerSlot(std::shared_ptr<EventLoop> loop, std::weak_ptr<AnswerTaker> taker)
      : loop_(std::move(loop)), taker_(std::move(taker)) {}

  /// The handler's end of the slot. Dropped unused, it answers 500 and closes.
  std::shared_ptr<Responder> make_responder();

  // From any thread.
  void put(HttpResponse response) noexcept;
  void watch_peer(std::function<void()> callback);

  // On the loop's thread.
  std::optional<HttpResponse> take();
  /// The peer went away first: calls what `watch_peer` was given, now or later.
  void peer_gone() noexcept;

 private:
  const std::shared_ptr<EventLoop> loop_;
  const std::weak_ptr<AnswerTaker> taker_;
  Mutex mutex_;
  bool answered_ GUARDED_BY(mutex_) = false;
  bool gone_ GUARDED_BY(mutex_) = false;
  std::optional<HttpResponse> response_ GUARDED_BY(mutex_);
  std::function<void()> on_gone_ GUARDED_BY(mutex_);
};

}  // namespace cloister
