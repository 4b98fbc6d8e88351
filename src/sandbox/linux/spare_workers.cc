#include "sandbox/linux/spare_workers.h"

#include <utility>

#include "sandbox/linux/socket.h"
#include "sandbox/messages.h"

namespace cloister {

SpareWorkers::SpareWorkers(const SandboxSettings& settings)
    : settings_(settings), thread_([this] { loop(); }) {}

SpareWorkers::~SpareWorkers() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

Result<WorkerProcess> SpareWorkers::start() const {
  CLOISTER_ASSIGN(WorkerProcess worker,
                  WorkerProcess::start(settings_.program, settings_.demanded));
  ReadyMessage ready;
  CLOISTER_TRY(receive_message(worker.socket(), std::as_writable_bytes(std::span(&ready, 1)),
                               settings_.start_time_max));
  if (ready.magic != kChannelMagic || ready.version != kChannelVersion) {
    return Error{Code::unavailable, "sandbox.ready"};
  }
  worker.set_landlock(ready.landlock != 0);
  if (!worker.in_force().covers(settings_.demanded)) {
    return Error{Code::unavailable, "sandbox.confinement"};
  }
  return worker;
}

void SpareWorkers::loop() {
  for (;;) {
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && ready_.size() >= kept_ + wanted_) changed_.wait(mutex_);
      if (stopping_) break;
    }
    auto worker = start();
    const MutexLock lock(mutex_);
    if (worker.ok()) {
      ready_.push_back(std::move(worker).value());
      changed_.notify_all();
      continue;
    }
    // Whoever waits learns of it; without anybody the next call tries again.
    ++attempts_;
    changed_.notify_all();
    if (!stopping_) changed_.wait(mutex_);
  }
  const MutexLock lock(mutex_);
  ready_.clear();
}

Result<WorkerProcess> SpareWorkers::take() {
  const MutexLock lock(mutex_);
  const std::uint64_t before = attempts_;
  ++wanted_;
  changed_.notify_all();
  Result<WorkerProcess> taken = Error{Code::unavailable, "sandbox.worker"};
  while (!taken.ok()) {
    while (ready_.empty() && attempts_ == before && !stopping_) changed_.wait(mutex_);
    if (ready_.empty()) break;
    if (ready_.back().alive()) taken = std::move(ready_.back());
    ready_.pop_back();
    changed_.notify_all();
  }
  --wanted_;
  kept_ = ready_.size();
  return taken;
}

std::uint64_t SpareWorkers::private_bytes() const {
  const MutexLock lock(mutex_);
  std::uint64_t bytes = 0;
  for (const WorkerProcess& worker : ready_) bytes += worker.private_bytes();
  return bytes;
}

void SpareWorkers::refill() {
  const MutexLock lock(mutex_);
  kept_ = settings_.spares;
  changed_.notify_all();
}

}  // namespace cloister
