#include "sandbox/linux/preparer.h"

#include <algorithm>

namespace cloister {

Preparer::Preparer() : thread_([this] { loop(); }) {}

Preparer::~Preparer() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

void Preparer::want(WorkerSet& set) {
  const MutexLock lock(mutex_);
  if (now_ == &set || std::ranges::find(wanted_, &set) != wanted_.end()) return;
  wanted_.push_back(&set);
  changed_.notify_all();
}

void Preparer::forget(WorkerSet& set) {
  const MutexLock lock(mutex_);
  std::erase(wanted_, &set);
  while (now_ == &set) changed_.wait(mutex_);
}

void Preparer::loop() {
  for (;;) {
    WorkerSet* set = nullptr;
    {
      const MutexLock lock(mutex_);
      now_ = nullptr;
      changed_.notify_all();
      while (!stopping_ && wanted_.empty()) changed_.wait(mutex_);
      if (stopping_) return;
      now_ = set = wanted_.front();
      wanted_.pop_front();
    }
    set->prepare();
  }
}

}  // namespace cloister
