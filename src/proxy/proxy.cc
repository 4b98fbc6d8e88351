#include "proxy/proxy.h"

#include <system_error>
#include <utility>

namespace cloister {

std::vector<std::string> own_names_of(const LocalAddress& address, std::uint16_t port) {
  if (!address.path.empty()) return {"localhost"};
  std::vector<std::string> hosts{"localhost", "127.0.0.1", "[::1]"};
  if (address.host != "127.0.0.1" && address.host != "::1") hosts.push_back(address.host);
  std::vector<std::string> names;
  for (const std::string& host : hosts) {
    names.push_back(host + ':' + std::to_string(port));
    if (port == 80) names.push_back(host);
  }
  return names;
}

Proxy::Proxy(std::unique_ptr<LocalListener> listener, const RelayService& service,
             std::size_t connections_max)
    : service_(service), connections_max_(connections_max), listener_(std::move(listener)) {}

Status Proxy::start() {
  const MutexLock lock(mutex_);
  return add_thread();
}

Status Proxy::add_thread() {
  try {
    threads_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    return Error{Code::io, "proxy.thread"};
  }
  ++waiting_;
  return Done{};
}

void Proxy::work() {
  while (true) {
    const auto stream = listener_->accept();
    if (!stream.ok()) return;
    serve(*stream.value());
  }
}

void Proxy::serve(LocalStream& stream) {
  std::list<Open>::iterator open;
  {
    const MutexLock lock(mutex_);
    --waiting_;
    open = open_.emplace(open_.end());
    open->stream = &stream;
    if (stopped_) stream.cancel();
    const bool may_add = threads_.size() < connections_max_ && !stopped_;
    // Without another thread this one's end lets the next client in.
    if (waiting_ == 0 && (!may_add || !add_thread().ok())) make_room();
  }
  Relay(service_, stream, open->is_idle).serve();
  const MutexLock lock(mutex_);
  open_.erase(open);
  ++waiting_;
  ended_.notify_all();
}

void Proxy::make_room() {
  for (Open& each : open_) {
    if (!each.is_idle) continue;
    each.stream->cancel();
    return;
  }
}

void Proxy::cancel_open(bool idle_only) {
  for (Open& each : open_) {
    if (!idle_only || each.is_idle) each.stream->cancel();
  }
}

void Proxy::stop(std::chrono::milliseconds drain) {
  const SteadyTime until = service_.clock.steady() + drain;
  std::vector<std::jthread> threads;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    listener_->cancel();
    cancel_open(true);
    while (!open_.empty() && ended_.wait_until(mutex_, until)) cancel_open(true);
    cancel_open(false);
    threads = std::move(threads_);
  }
  service_.sessions.stop();
  threads.clear();  // joins
}

}  // namespace cloister
