#include "serving/form_rebuilder.h"

#include <algorithm>
#include <utility>

#include "base/caught.h"

namespace cloister {
namespace {

constexpr std::chrono::seconds kMemoryWaitMax{10};

}  // namespace

FormRebuilder::FormRebuilder(Places places, TrialParts parts, TrialSettings settings)
    : places_(places),
      parts_(parts),
      settings_(settings),
      optimises_(!parts.engine.optimises_for().empty()),
      thread_([this] { loop(); }) {}

FormRebuilder::~FormRebuilder() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

void FormRebuilder::want(const VersionRef& ref) {
  if (!optimises_) return;
  const MutexLock lock(mutex_);
  if (wanted_.size() >= kWantedMax || tried_.size() >= kTriedMax) return;
  if (!tried_.insert(ref).second) return;
  wanted_.push_back(ref);
  changed_.notify_all();
}

void FormRebuilder::loop() {
  for (;;) {
    VersionRef ref;
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && wanted_.empty()) changed_.wait(mutex_);
      if (stopping_) return;
      ref = next();
    }
    const Status rebuilt = caught("serving.rebuild", [&] { return rebuild(ref); });
    if (rebuilt.ok()) continue;
    if (rebuilt.error().code == Code::busy) {
      const MutexLock lock(mutex_);
      tried_.erase(ref);
    } else if (rebuilt.error().code != Code::not_found) {  // erased meanwhile is no failure
      parts_.events.record(OperationFailed{rebuilt.error().code, "serving.rebuild"});
    }
  }
}

VersionRef FormRebuilder::next() {
  auto next = std::ranges::find_if(wanted_, [this](const VersionRef& each) REQUIRES(mutex_) {
    return each.model.owner != last_owner_;
  });
  if (next == wanted_.end()) next = wanted_.begin();
  VersionRef ref = std::move(*next);
  wanted_.erase(next);
  last_owner_ = ref.model.owner;
  return ref;
}

Status FormRebuilder::rebuild(const VersionRef& ref) const {
  CLOISTER_ASSIGN(auto staged, places_.vault.restage(ref));
  CLOISTER_ASSIGN(const auto memory,
                  places_.residency.set_aside(trial_bytes(staged->record().cost),
                                              parts_.clock.steady() + kMemoryWaitMax));
  CLOISTER_ASSIGN(const bool added, add_optimised_form(parts_, *staged));
  if (!added) return Done{};
  CLOISTER_ASSIGN(const auto findings, try_out(parts_, settings_, *memory, *staged));
  if (!findings.empty()) return Error{Code::refused, "serving.rebuild"};
  const VersionRecord rebuilt = staged->record();
  CLOISTER_TRY(places_.vault.commit(std::move(staged)));
  places_.stored.resize(rebuilt);
  return Done{};
}

}  // namespace cloister
