#include "serving/form_rebuilder.h"

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
      ref = std::move(wanted_.front());
      wanted_.pop_front();
    }
    const Status rebuilt = caught("serving.rebuild", [&] { return rebuild(ref); });
    // Erased meanwhile is no failure.
    if (!rebuilt.ok() && rebuilt.error().code != Code::not_found) {
      parts_.events.record(OperationFailed{rebuilt.error().code, "serving.rebuild"});
    }
  }
}

Status FormRebuilder::rebuild(const VersionRef& ref) const {
  CLOISTER_ASSIGN(auto staged, places_.vault.restage(ref));
  CLOISTER_ASSIGN(const MemoryHold memory,
                  places_.residency.set_aside(trial_bytes(staged->record().cost),
                                              parts_.clock.steady() + kMemoryWaitMax));
  CLOISTER_ASSIGN(const bool added, add_optimised_form(parts_, *staged));
  if (!added) return Done{};
  CLOISTER_ASSIGN(const auto findings, try_out(parts_, settings_, *staged));
  if (!findings.empty()) return Error{Code::refused, "serving.rebuild"};
  const VersionRecord rebuilt = staged->record();
  CLOISTER_TRY(places_.vault.commit(std::move(staged)));
  places_.stored.resize(rebuilt);
  return Done{};
}

}  // namespace cloister
