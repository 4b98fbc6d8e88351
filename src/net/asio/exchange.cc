#include "net/asio/exchange.h"

#include <utility>

#include "net/asio/response_stream.h"

namespace cloister {
namespace {

/// Runs what a handler gave us; its exceptions end here.
void call(const std::function<void()>& callback) noexcept {
  try {
    if (callback) callback();
  } catch (...) {
  }
}

class SlotResponder final : public Responder {
 public:
  explicit SlotResponder(std::shared_ptr<AnswerSlot> slot) : slot_(std::move(slot)) {}
  SlotResponder(const SlotResponder&) = delete;
  SlotResponder& operator=(const SlotResponder&) = delete;
  ~SlotResponder() override {
    if (sent_) return;
    try {
      HttpResponse response = refusal_response({500, Code::internal, "no answer was made"});
      response.close = true;
      slot_->put(std::move(response));
    } catch (...) {
    }
  }

  void send(HttpResponse response) noexcept override {
    sent_ = true;
    slot_->put(std::move(response));
  }
  void on_peer_gone(std::function<void()> callback) override {
    slot_->watch_peer(std::move(callback));
  }

 private:
  std::shared_ptr<AnswerSlot> slot_;
  bool sent_ = false;
};

}  // namespace

std::shared_ptr<Responder> AnswerSlot::make_responder() {
  return std::make_shared<SlotResponder>(shared_from_this());
}

void AnswerSlot::put(HttpResponse response) noexcept {
  std::function<void()> forgotten;  // destroyed outside the lock: it may hold this slot
  {
    const MutexLock lock(mutex_);
    if (answered_) return;
    answered_ = true;
    if (gone_) return;
    response_ = std::move(response);
    forgotten = std::exchange(on_gone_, nullptr);
  }
  const auto deliver = [slot = shared_from_this()] {
    if (const auto taker = slot->taker_.lock()) taker->on_answer(*slot);
  };
  if (loop_->on_this_thread()) return deliver();
  try {
    loop_->post(deliver);
  } catch (...) {
    // Out of memory: the connection ends when its peer or the server does.
  }
}

void AnswerSlot::watch_peer(std::function<void()> callback) {
  {
    const MutexLock lock(mutex_);
    if (answered_) return;
    if (!gone_) {
      on_gone_ = std::move(callback);
      return;
    }
  }
  loop_->post([kept = std::move(callback)] { call(kept); });
}

std::optional<HttpResponse> AnswerSlot::take() {
  const MutexLock lock(mutex_);
  return std::exchange(response_, std::nullopt);
}

void AnswerSlot::peer_gone() noexcept {
  std::function<void()> callback;
  {
    const MutexLock lock(mutex_);
    gone_ = true;
    callback = std::exchange(on_gone_, nullptr);
  }
  call(callback);
}

}  // namespace cloister
