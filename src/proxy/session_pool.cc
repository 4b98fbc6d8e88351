#include "proxy/session_pool.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace cloister {
namespace {

// A server keeps an idle connection for longer than this, so that a request rarely meets its end.
constexpr std::chrono::seconds kIdleMax{45};
constexpr std::chrono::milliseconds kBusyPause{200};

Error refused(const Verdict& verdict) {
  std::string text = "the server is not verified; nothing was sent to it";
  if (!verdict.refusals.empty()) {
    const Refusal& first = verdict.refusals.front();
    text += ". " + std::string(name_of(first.rule)) + ": seen " + first.seen + ", expected " +
            first.expected;
  }
  return Error{Code::unverified, "proxy.refused", Detail(std::move(text))};
}

Error stopping() { return Error{Code::unavailable, "proxy.stopping"}; }

}  // namespace

std::unique_ptr<ClientSession> SessionPool::take_idle() {
  const SteadyTime now = clock_.steady();
  while (!idle_.empty()) {
    Idle last = std::move(idle_.back());
    idle_.pop_back();
    if (now - last.since < kIdleMax && last.session->usable()) return std::move(last.session);
  }
  return nullptr;
}

Result<std::unique_ptr<ClientSession>> SessionPool::take() {
  const SteadyTime until = clock_.steady() + settings_.wait_max;
  while (true) {
    CLOISTER_ASSIGN(std::unique_ptr<ClientSession> idle, wait_for_turn(until));
    if (idle != nullptr) return idle;
    auto opened = open();
    const bool again = !opened.ok() && opened.error().code == Code::busy;
    CLOISTER_TRY(end_turn(opened));
    if (opened.ok()) return std::move(opened).value();
    if (!again || clock_.steady() >= until) return opened.error();
  }
}

Result<std::unique_ptr<ClientSession>> SessionPool::wait_for_turn(SteadyTime until) {
  const MutexLock lock(mutex_);
  const std::size_t failures = failures_;
  while (true) {
    if (stopped_) return stopping();
    if (auto session = take_idle()) {
      taken_.push_back(session.get());
      return session;
    }
    if (failures_ != failures) return *last_failure_;
    const bool rests = clock_.steady() < rest_until_;
    if (!opening_ && !rests && taken_.size() < settings_.sessions_max) {
      opening_ = true;
      return std::unique_ptr<ClientSession>();
    }
    if (clock_.steady() >= until) return Error{Code::busy, "proxy.sessions"};
    changed_.wait_until(mutex_, rests ? std::min(until, rest_until_) : until);
  }
}

Status SessionPool::end_turn(const Result<std::unique_ptr<ClientSession>>& opened) {
  const MutexLock lock(mutex_);
  opening_ = false;
  changed_.notify_all();
  if (stopped_) return stopping();
  if (opened.ok()) {
    taken_.push_back(opened.value().get());
  } else if (opened.error().code == Code::busy) {
    rest_until_ = clock_.steady() + kBusyPause;
  } else {
    ++failures_;
    last_failure_ = opened.error();
  }
  return Done{};
}

Result<std::unique_ptr<ClientSession>> SessionPool::open() {
  CLOISTER_ASSIGN(const TrustSettings trust, settings_.trust());
  CLOISTER_ASSIGN(OpenedSession opened,
                  ClientSession::open(settings_.server, trust, clock_, entropy_));
  if (settings_.judged) settings_.judged(opened.verdict);
  if (opened.session == nullptr) return refused(opened.verdict);
  opened.session->use_token(settings_.token);
  return std::move(opened.session);
}

void SessionPool::give_back(std::unique_ptr<ClientSession> session, bool may_serve) {
  const bool stays = may_serve && session->usable();
  const MutexLock lock(mutex_);
  std::erase(taken_, session.get());
  if (stays && !stopped_) idle_.push_back({std::move(session), clock_.steady()});
  changed_.notify_all();
}

void SessionPool::stop() {
  const MutexLock lock(mutex_);
  stopped_ = true;
  idle_.clear();
  for (ClientSession* each : taken_) each->cancel();
  changed_.notify_all();
}

}  // namespace cloister
