#include "sandbox/linux/worker_set.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace cloister {
namespace {

constexpr std::chrono::milliseconds kLookEvery{20};  // for a caller who left while waiting

}  // namespace

WorkerSet::WorkerSet(const SandboxSettings& settings, const Clock& clock, Make make,
                     std::function<void()> died)
    : settings_(settings), clock_(clock), make_(std::move(make)), died_(std::move(died)) {}

void WorkerSet::add(std::shared_ptr<LiveWorker> worker) {
  const MutexLock lock(mutex_);
  Slot slot;
  slot.worker = std::move(worker);
  slot.free.resize(settings_.lanes);
  std::iota(slot.free.begin(), slot.free.end(), std::size_t{0});
  slots_.push_back(std::move(slot));
  changed_.notify_all();
}

void WorkerSet::replace(std::shared_ptr<LiveWorker> worker) {
  Slots gone;  // ended outside the lock
  {
    const MutexLock lock(mutex_);
    gone.swap(slots_);
  }
  add(std::move(worker));
}

void WorkerSet::drop_dead(Slots& gone) {
  for (auto slot = slots_.begin(); slot != slots_.end();) {
    if (slot->worker->alive()) {
      ++slot;
      continue;
    }
    died_();
    gone.push_back(std::move(*slot));
    slot = slots_.erase(slot);
  }
}

WorkerSet::Slots::iterator WorkerSet::slot_for(const std::string& caller) {
  if (settings_.scope == WorkerScope::model) return slots_.begin();
  const bool kept = settings_.scope == WorkerScope::principal;
  const auto own = std::ranges::find_if(slots_, [&](const Slot& each) {
    return kept && !each.fresh && each.caller == caller;
  });
  return own != slots_.end() ? own : std::ranges::find(slots_, true, &Slot::fresh);
}

bool WorkerSet::make_room(Slots& gone) {
  const std::size_t most = settings_.scope == WorkerScope::model ? 1 : settings_.workers_max;
  if (slots_.size() + starting_ < most) return true;
  auto oldest = slots_.end();
  for (auto slot = slots_.begin(); slot != slots_.end(); ++slot) {
    if (slot->fresh || !idle(*slot)) continue;
    if (oldest == slots_.end() || slot->last_used < oldest->last_used) oldest = slot;
  }
  if (oldest == slots_.end()) return false;
  gone.push_back(std::move(*oldest));
  slots_.erase(oldest);
  return true;
}

Result<WorkerSet::Use> WorkerSet::take(const RunControl& control) {
  for (;;) {
    Slots gone;  // ended outside the lock
    {
      const MutexLock lock(mutex_);
      drop_dead(gone);
      const auto slot = slot_for(control.caller());
      if (slot != slots_.end() && !slot->free.empty()) {
        slot->fresh = false;
        slot->caller = control.caller();
        slot->last_used = ++uses_;
        many_callers_ = many_callers_ || slots_.size() > 1;
        const std::size_t lane = slot->free.back();
        slot->free.pop_back();
        return Use{slot->worker, lane};
      }
      if (control.cancelled()) return Error{Code::unavailable, "sandbox.cancelled"};
      if (control.deadline() && clock_.steady() >= *control.deadline()) {
        return Error{Code::busy, "sandbox.lanes"};
      }
      if (slot != slots_.end() || !make_room(gone)) {
        changed_.wait_until(mutex_, std::chrono::steady_clock::now() + kLookEvery);
        continue;
      }
      ++starting_;
    }
    gone.clear();
    auto worker = make_();
    if (worker.ok()) add(std::move(worker).value());
    const MutexLock lock(mutex_);
    --starting_;
    changed_.notify_all();
    if (!worker.ok()) return worker.error();
  }
}

bool WorkerSet::give_back(const Use& use) {
  Slots gone;
  bool grown = false;
  bool wants = false;
  {
    const MutexLock lock(mutex_);
    const auto slot = std::ranges::find(slots_, use.worker, &Slot::worker);
    if (slot == slots_.end()) return false;  // another call saw it die
    slot->free.push_back(use.lane);
    if (use.worker->broken()) {
      died_();
      gone.push_back(std::move(*slot));
      slots_.erase(slot);
    } else if (settings_.scope == WorkerScope::request) {
      gone.push_back(std::move(*slot));  // a fresh one was taken: no other lane is in use
      slots_.erase(slot);
    }
    // The first runs grow a worker most: measure at 1, 2, 4, 8, ... and then now and again.
    grown = (uses_ & (uses_ - 1)) == 0 || uses_ % 1024 == 0;
    wants = wants_fresh();
    changed_.notify_all();
  }
  if (grown) measure();
  return wants;
}

bool WorkerSet::wants_fresh() const {
  const bool useful = settings_.scope == WorkerScope::request ||
                      (settings_.scope == WorkerScope::principal && many_callers_);
  return useful && starting_ == 0 && !std::ranges::any_of(slots_, &Slot::fresh);
}

void WorkerSet::prepare() {
  Slots gone;
  {
    const MutexLock lock(mutex_);
    if (!wants_fresh() || !make_room(gone)) return;
    ++starting_;
  }
  gone.clear();
  auto worker = make_();
  if (worker.ok()) add(std::move(worker).value());
  const MutexLock lock(mutex_);
  --starting_;
  changed_.notify_all();
}

void WorkerSet::measure() {
  std::vector<std::shared_ptr<LiveWorker>> workers;
  {
    const MutexLock lock(mutex_);
    for (const Slot& slot : slots_) workers.push_back(slot.worker);
  }
  std::uint64_t bytes = 0;
  for (const auto& worker : workers) bytes += worker->overhead_bytes();
  overhead_bytes_.store(bytes, std::memory_order_relaxed);
}

std::optional<std::chrono::nanoseconds> WorkerSet::processor_time() const {
  const MutexLock lock(mutex_);
  std::chrono::nanoseconds all{};
  for (const Slot& slot : slots_) {
    const auto time = slot.worker->processor_time();
    if (!time) return std::nullopt;
    all += *time;
  }
  return all;
}

void WorkerSet::end() {
  const MutexLock lock(mutex_);
  for (const Slot& slot : slots_) slot.worker->end_for_memory();
}

}  // namespace cloister
