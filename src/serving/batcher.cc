#include "serving/batcher.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "base/caught.h"
#include "serving/batch_run.h"

namespace cloister {
namespace {

constexpr std::size_t kWaitingMax = 4096;
constexpr std::uint64_t kKeptBytesMax = 64U << 20;

Error stopping() { return Error{Code::unavailable, "batcher.stopping"}; }

std::uint64_t rank_of(const BatchRequest& request) {
  return request.priority == 0 ? std::numeric_limits<std::uint64_t>::max() : request.priority;
}

bool is_late(const BatchRequest& request, SteadyTime now) {
  return now >= request.deadline || request.gone->load(std::memory_order_relaxed) != 0;
}

void fail_all(std::vector<BatchRequest>& batch, const Error& error) {
  for (BatchRequest& each : batch) each.done(error);
}

/// The largest preferred size that is there; 0 without one.
std::uint64_t preferred_size(const ModelOptions& options, std::uint64_t rows) {
  const auto& sizes = options.preferred_sizes;
  const auto past = std::upper_bound(sizes.begin(), sizes.end(), rows);
  return past == sizes.begin() ? 0 : *std::prev(past);
}

}  // namespace

/// One batch on its way through the model.
class Batcher::Run {
 public:
  Run(Batcher& batcher, Batch& batch) : batcher_(batcher), parts_(batcher.parts_), batch_(batch) {
    for (const BatchRequest& each : batch) {
      rows_ += each.rows;
      deadline_ = std::max(deadline_, each.deadline);
    }
  }

  void together() {
    const SteadyTime started = parts_.clock.steady();
    if (batch_.size() == 1) return alone(batch_.front());
    auto shares = caught("batcher.run", [&] { return run_together(started); });
    const bool ended =
        !shares.ok() && (shares.error().code == Code::deadline ||
                         shares.error().code == Code::unavailable);
    if (ended) return fail_all(batch_, shares.error());
    // One request's values may be what the model does not bear: the others are not to suffer.
    if (!shares.ok()) return each_alone();
    const SteadyTime gathered = shares.value().front().gathered;
    const SteadyTime finished = shares.value().front().finished;
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      batch_[i].done(std::move(shares.value()[i]));
    }
    count(rows_, {{}, gathered - started, finished - gathered, parts_.clock.steady() - finished});
  }

 private:
  void each_alone() {
    for (BatchRequest& each : batch_) alone(each);
  }

  void alone(BatchRequest& request) {
    const SteadyTime started = parts_.clock.steady();
    auto share = caught("batcher.alone", [&]() -> Result<BatchShare> {
      RunControl control(request.deadline, request.gone.get(), 1);
      control.set_caller(request.whose.value);
      CLOISTER_ASSIGN(BatchOutputs ran, parts_.run_model(*request.record, request.inputs,
                                                         request.outputs, control));
      return BatchShare{std::move(ran.tensors), std::move(ran.owner), started, started,
                        parts_.clock.steady()};
    });
    const bool good = share.ok();
    const SteadyTime finished = parts_.clock.steady();
    request.done(std::move(share));
    if (good) {
      count(request.rows, {{}, {}, finished - started, parts_.clock.steady() - finished});
    }
  }

  Result<std::vector<BatchShare>> run_together(SteadyTime started) {
    PrivateMemory memory;
    CLOISTER_ASSIGN(const auto inputs, gather_rows(batch_, batcher_.memory_, memory));
    const SteadyTime gathered = parts_.clock.steady();
    RunControl control(deadline_);
    control.set_caller(batch_.front().whose.value);
    CLOISTER_ASSIGN(const BatchOutputs ran, parts_.run_model(*batch_.front().record, inputs,
                                                             batch_.front().outputs, control));
    const SteadyTime finished = parts_.clock.steady();
    std::vector<BatchShare> shares;
    std::uint64_t first = 0;
    for (const BatchRequest& each : batch_) {
      CLOISTER_ASSIGN(auto outputs, rows_of(ran.tensors, first, each.rows, rows_));
      shares.push_back({std::move(outputs), ran.owner, started, gathered, finished});
      first += each.rows;
    }
    return shares;
  }

  void count(std::uint64_t rows, const RequestTimes& times) {
    parts_.statistics.executed(batch_.front().record->ref, rows, times);
  }

  Batcher& batcher_;
  const Parts& parts_;
  Batch& batch_;
  std::uint64_t rows_ = 0;
  SteadyTime deadline_{};
};

Batcher::Batcher(Parts parts) : parts_(parts), memory_(kKeptBytesMax) {
  watcher_ = std::jthread([this] { watch(); });
}

Batcher::~Batcher() { stop(); }

void Batcher::stop() {
  std::map<Key, Group> dropped;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    dropped.swap(groups_);
    waiting_ = 0;
  }
  changed_.notify_all();
  if (watcher_.joinable()) watcher_.join();
  for (auto& [key, group] : dropped) fail_all(group.waiting, stopping());
}

Batcher::Key Batcher::key_of(const BatchRequest& request, const ModelOptions& options) {
  Key key;
  key.version = request.record->ref;
  if (!options.batch_across_principals) key.whose = request.whose.value;
  key.outputs = request.outputs;
  for (const NamedTensorView& input : request.inputs) {
    Shape inner(input.tensor.shape.begin() + 1, input.tensor.shape.end());
    key.inputs += std::to_string(input.name.size()) + ':' + input.name + text_of(inner);
  }
  return key;
}

void Batcher::add(BatchRequest request, const ModelOptions& options) {
  std::sort(request.inputs.begin(), request.inputs.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  const SteadyTime now = parts_.clock.steady();
  request.arrived = now;
  std::optional<Error> refused;
  Due due{key_of(request, options), {}, {}};
  {
    const MutexLock lock(mutex_);
    if (stopping_) {
      refused = stopping();
    } else if (waiting_ >= kWaitingMax) {
      refused = Error{Code::busy, "batcher.full"};
    } else {
      Group& group = groups_[due.key];
      group.options = options;
      group.rows += request.rows;
      const auto place = std::find_if(group.waiting.begin(), group.waiting.end(),
                                      [&](const BatchRequest& each) {
                                        return rank_of(each) > rank_of(request);
                                      });
      group.waiting.insert(place, std::move(request));
      ++waiting_;
      due = take(due.key, group, now);
      wake_for(group);
    }
  }
  if (refused) return request.done(*refused);
  dispatch(std::move(due));
}

SteadyTime Batcher::waited_at(const Group& group) {
  SteadyTime oldest = SteadyTime::max();
  for (const BatchRequest& each : group.waiting) oldest = std::min(oldest, each.arrived);
  if (group.waiting.empty()) return oldest;
  return oldest + std::chrono::microseconds(group.options.queue_delay_microseconds_max);
}

SteadyTime Batcher::next_look(const Group& group) const {
  SteadyTime at = group.running > 0 ? SteadyTime::max() : waited_at(group);
  for (const BatchRequest& each : group.waiting) at = std::min(at, each.deadline);
  return at;
}

void Batcher::wake_for(const Group& group) {
  if (next_look(group) < look_at_) changed_.notify_all();
}

Batcher::Due Batcher::take(const Key& key, Group& group, SteadyTime now) {
  Due due{key, {}, {}};
  const auto keep = std::stable_partition(
      group.waiting.begin(), group.waiting.end(),
      [&](const BatchRequest& each) { return !is_late(each, now); });
  due.late.assign(std::make_move_iterator(keep), std::make_move_iterator(group.waiting.end()));
  group.waiting.erase(keep, group.waiting.end());
  for (const BatchRequest& each : due.late) group.rows -= each.rows;
  waiting_ -= due.late.size();

  const std::uint64_t preferred = preferred_size(group.options, group.rows);
  const bool full = group.rows >= group.options.batch_max;
  const bool waited = now >= waited_at(group);
  if (group.waiting.empty() || (!full && (group.running > 0 || !(waited || preferred > 0)))) {
    return due;
  }
  const std::uint64_t most = full || waited ? group.options.batch_max : preferred;
  std::uint64_t rows = 0;
  auto end = group.waiting.begin();
  while (end != group.waiting.end() && (rows == 0 || rows + end->rows <= most)) {
    rows += end->rows;
    ++end;
  }
  due.batch.assign(std::make_move_iterator(group.waiting.begin()), std::make_move_iterator(end));
  group.waiting.erase(group.waiting.begin(), end);
  group.rows -= rows;
  waiting_ -= due.batch.size();
  ++group.running;
  return due;
}

void Batcher::dispatch(Due due) {
  for (BatchRequest& each : due.late) each.done(Error{Code::deadline, "batcher.late"});
  if (due.batch.empty()) return;
  const std::string whose = due.batch.front().whose.value;
  const auto batch = std::make_shared<Batch>(std::move(due.batch));
  const Status queued = parts_.runs.push(
      [this, batch, key = due.key] {
        run(*batch);
        finished(key);
      },
      whose);
  if (queued.ok()) return;
  fail_all(*batch, queued.error());
  finished(due.key);
}

void Batcher::run(Batch& batch) { Run(*this, batch).together(); }

void Batcher::finished(const Key& key) {
  Due due{key, {}, {}};
  {
    const MutexLock lock(mutex_);
    const auto found = groups_.find(key);
    if (found == groups_.end()) return;
    Group& group = found->second;
    --group.running;
    due = take(key, group, parts_.clock.steady());
    wake_for(group);
    if (group.waiting.empty() && group.running == 0) groups_.erase(found);
  }
  dispatch(std::move(due));
}

void Batcher::watch() {
  for (;;) {
    std::vector<Due> found;
    {
      const MutexLock lock(mutex_);
      if (stopping_) return;
      const SteadyTime now = parts_.clock.steady();
      SteadyTime next = SteadyTime::max();
      for (auto place = groups_.begin(); place != groups_.end();) {
        Group& group = place->second;
        Due due = take(place->first, group, now);
        if (!due.batch.empty() || !due.late.empty()) found.push_back(std::move(due));
        next = std::min(next, next_look(group));
        const bool idle = group.waiting.empty() && group.running == 0;
        place = idle ? groups_.erase(place) : std::next(place);
      }
      if (found.empty()) {
        look_at_ = next;
        if (next == SteadyTime::max()) {
          changed_.wait(mutex_);
        } else {
          changed_.wait_until(mutex_, next);
        }
      }
      look_at_ = SteadyTime::min();  // awake: nobody needs to wake it
    }
    for (Due& due : found) dispatch(std::move(due));
  }
}

}  // namespace cloister
