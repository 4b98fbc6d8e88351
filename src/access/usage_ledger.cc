#include "access/usage_ledger.h"

#include <limits>
#include <optional>

#include "access/stored_name.h"

namespace cloister {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::uint64_t kLogBytes = 8U << 20;  // a log longer than this and its sum is summed up
constexpr std::size_t kRowsAtATime = 1'000;    // under the lock that answers wait for
constexpr std::uint32_t kDayMax = 200'000;     // days since 1970

std::uint64_t sum(std::uint64_t a, std::uint64_t b) noexcept {
  const std::uint64_t left = std::numeric_limits<std::uint64_t>::max() - a;
  return b > left ? std::numeric_limits<std::uint64_t>::max() : a + b;
}

}  // namespace

void UsageLedger::add(UsageAmount& to, const UsageAmount& more) noexcept {
  to.requests = sum(to.requests, more.requests);
  to.compute_us = sum(to.compute_us, more.compute_us);
  to.bytes_in = sum(to.bytes_in, more.bytes_in);
  to.bytes_out = sum(to.bytes_out, more.bytes_out);
}

Result<std::unique_ptr<UsageLedger>> UsageLedger::open(EntryStore& store, const Clock& clock) {
  std::unique_ptr<UsageLedger> ledger(new UsageLedger(store, clock));
  Rows rows;
  for (const ByteVector& entry : store.load()) CLOISTER_TRY(add_entry(entry, rows));
  const auto oldest = std::chrono::floor<std::chrono::days>(clock.utc()) - kUsageKept;
  std::erase_if(rows, [&](const auto& row) { return std::get<2>(row.first) < oldest; });
  const MutexLock one(ledger->flush_);
  // A log goes on only behind an entry of this start.
  ledger->must_restart_ = true;
  const MutexLock lock(ledger->mutex_);
  ledger->rows_ = std::move(rows);
  return ledger;
}

void UsageLedger::record(const VersionRef& version, const PrincipalId& principal,
                         const UsageAmount& amount) {
  const Key key{version, principal, std::chrono::floor<std::chrono::days>(clock_.utc())};
  const MutexLock lock(mutex_);
  const bool known = young_.contains(key) || rows_.contains(key);
  if (!known && rows_.size() + young_.size() >= kUsageRowsMax) {
    overflowed_ = true;
    return;
  }
  add(young_[key], amount);
}

void UsageLedger::grow_older() {
  for (const auto& [key, amount] : young_) {
    add(rows_[key], amount);
    add(pending_[key], amount);
  }
  young_.clear();
}

Status UsageLedger::flush() {
  const MutexLock one(flush_);
  Rows pending;
  Rows all;
  {
    const MutexLock lock(mutex_);
    if (pending_.empty() && !must_restart_) {
      grow_older();
      return Done{};
    }
    pending = pending_;
    if (must_restart_ || store_.bytes() > kLogBytes + 2 * summed_bytes_) all = rows_;
  }
  CLOISTER_TRY(write(pending, all));
  const MutexLock lock(mutex_);
  // What came meanwhile stays pending: only what was written is taken off.
  for (const auto& [key, written] : pending) {
    UsageAmount& left = pending_[key];
    left.requests -= written.requests;
    left.compute_us -= written.compute_us;
    left.bytes_in -= written.bytes_in;
    left.bytes_out -= written.bytes_out;
    if (left == UsageAmount{}) pending_.erase(key);
  }
  grow_older();
  return Done{};
}

/// Appends what is pending, or sums everything up in a new first entry. An append that failed may
/// or may not be kept, so that only a sum, which replaces it, can follow.
Status UsageLedger::write(const Rows& pending, const Rows& all) {
  if (all.empty() && !must_restart_) {
    const Status appended = store_.append(encode(pending));
    if (!appended.ok()) must_restart_ = true;
    return appended;
  }
  const ByteVector entry = encode(all);
  CLOISTER_TRY(store_.restart(entry));
  summed_bytes_ = entry.size();
  must_restart_ = false;
  return Done{};
}

ByteVector UsageLedger::encode(const Rows& rows) {
  ByteWriter writer;
  writer.u8(kFormat);
  writer.u32_le(static_cast<std::uint32_t>(rows.size()));
  for (const auto& [key, amount] : rows) {
    const auto& [version, principal, day] = key;
    write_name(writer, version.model.owner.value);
    write_name(writer, version.model.name);
    writer.u64_le(version.version.value);
    write_name(writer, principal.value);
    writer.u32_le(static_cast<std::uint32_t>(day.time_since_epoch().count()));
    writer.u64_le(amount.requests);
    writer.u64_le(amount.compute_us);
    writer.u64_le(amount.bytes_in);
    writer.u64_le(amount.bytes_out);
  }
  return std::move(writer).take();
}

Status UsageLedger::add_entry(Bytes entry, Rows& rows) {
  ByteReader reader(entry);
  CLOISTER_ASSIGN(const std::uint8_t format, reader.u8());
  if (format != kFormat) return Error{Code::corrupt, "usage.format"};
  CLOISTER_ASSIGN(const std::uint32_t count, reader.u32_le());
  if (count > kUsageRowsMax) return Error{Code::corrupt, "usage.count"};
  for (std::uint32_t i = 0; i < count; ++i) {
    VersionRef version;
    UsageAmount amount;
    CLOISTER_ASSIGN(version.model.owner.value, read_name(reader, "usage.name"));
    CLOISTER_ASSIGN(version.model.name, read_name(reader, "usage.name"));
    CLOISTER_ASSIGN(version.version.value, reader.u64_le());
    CLOISTER_ASSIGN(std::string principal, read_name(reader, "usage.name"));
    CLOISTER_ASSIGN(const std::uint32_t day, reader.u32_le());
    if (day > kDayMax) return Error{Code::corrupt, "usage.day"};
    CLOISTER_ASSIGN(amount.requests, reader.u64_le());
    CLOISTER_ASSIGN(amount.compute_us, reader.u64_le());
    CLOISTER_ASSIGN(amount.bytes_in, reader.u64_le());
    CLOISTER_ASSIGN(amount.bytes_out, reader.u64_le());
    const std::chrono::sys_days when{std::chrono::days{day}};
    add(rows[Key{version, PrincipalId{std::move(principal)}, when}], amount);
  }
  if (!reader.empty()) return Error{Code::corrupt, "usage.trailing"};
  return Done{};
}

template <class Wanted>
std::vector<UsageRow> UsageLedger::select(Wanted wanted) const {
  Rows chosen;
  const auto choose = [&](const Key& key, const UsageAmount& amount) {
    if (wanted(std::get<0>(key), std::get<1>(key))) add(chosen[key], amount);
  };
  // Only a flush lets an amount grow older: with none meanwhile, each is met once.
  const MutexLock one(flush_);
  {
    const MutexLock lock(mutex_);
    for (const auto& [key, amount] : young_) choose(key, amount);
  }
  std::optional<Key> last;
  for (bool more = true; more;) {
    const MutexLock lock(mutex_);
    auto row = last ? rows_.upper_bound(*last) : rows_.begin();
    auto before = rows_.end();
    for (std::size_t i = 0; i < kRowsAtATime && row != rows_.end(); ++i) {
      choose(row->first, row->second);
      before = row++;
    }
    more = row != rows_.end();
    if (more) last = before->first;
  }
  std::vector<UsageRow> selected;
  for (const auto& [key, amount] : chosen) {
    const auto& [version, principal, day] = key;
    selected.push_back({version, principal, day, amount});
  }
  return selected;
}

std::vector<UsageRow> UsageLedger::of_owner(const PrincipalId& owner) const {
  return select([&](const VersionRef& version, const PrincipalId&) {
    return version.model.owner == owner;
  });
}

std::vector<UsageRow> UsageLedger::of_principal(const PrincipalId& principal) const {
  return select([&](const VersionRef&, const PrincipalId& user) { return user == principal; });
}

bool UsageLedger::overflowed() const {
  const MutexLock lock(mutex_);
  return overflowed_;
}

}  // namespace cloister
