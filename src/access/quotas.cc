#include "access/quotas.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "access/stored_name.h"

namespace cloister {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::uint64_t kUnbounded = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kLogBytes = 4U << 20;  // a longer log is summed up
constexpr std::uint64_t kTimeMax = 1ULL << 40;

using Member = std::optional<std::uint64_t> QuotaTerms::*;
constexpr std::array<Member, 5> kMembers{&QuotaTerms::stored_bytes, &QuotaTerms::versions,
                                         &QuotaTerms::requests, &QuotaTerms::compute_seconds,
                                         &QuotaTerms::runs};

bool sound(const QuotaTerms& terms) {
  for (const Member each : kMembers) {
    if ((terms.*each).value_or(0) > kQuotaMax) return false;
  }
  return terms.interval >= std::chrono::seconds{1} && terms.interval <= kQuotaIntervalMax;
}

}  // namespace

Result<std::unique_ptr<Quotas>> Quotas::open(RecordStore& terms, EntryStore& used,
                                             const Clock& clock) {
  std::unique_ptr<Quotas> quotas(new Quotas(terms, used, clock));
  CLOISTER_TRY(terms.load([&quotas](Bytes content) -> Status {
    if (content.empty()) return Done{};
    CLOISTER_ASSIGN(Table table, decode(content));
    const MutexLock lock(quotas->mutex_);
    quotas->table_ = std::move(table);
    return Done{};
  }));
  const MutexLock lock(quotas->mutex_);
  for (const ByteVector& entry : used.load()) CLOISTER_TRY(quotas->load_used(entry));
  return quotas;
}

Status Quotas::set(const PrincipalId& principal, const QuotaTerms& terms) {
  if (!sound(terms)) {
    return Error{Code::invalid, "quotas.terms",
                 Detail("a quota's numbers are at most 2^53, its interval 1 second to 31 days")};
  }
  const MutexLock change(changes_);
  Table changed = current();
  if (terms.bound_nothing()) {
    if (changed.erase(principal) == 0) return Done{};
  } else {
    changed[principal].terms = terms;
  }
  if (changed.size() > kQuotasMax) return Error{Code::too_large, "quotas.count"};
  CLOISTER_TRY(terms_.save(encode(changed)));
  const MutexLock lock(mutex_);
  // What is under way and was used meanwhile goes on counting.
  if (terms.bound_nothing()) {
    table_.erase(principal);
  } else {
    table_[principal].terms = terms;
  }
  return Done{};
}

QuotaTerms Quotas::of(const PrincipalId& principal) const {
  const MutexLock lock(mutex_);
  const auto found = table_.find(principal);
  return found == table_.end() ? QuotaTerms{} : found->second.terms;
}

Quotas::Begun Quotas::begin(const PrincipalId& principal) {
  const MutexLock lock(mutex_);
  const auto found = table_.find(principal);
  if (found == table_.end()) return std::unique_ptr<Run>();
  if (const auto refused = refusal(found->second, clock_.steady())) return *refused;
  ++found->second.used.requests;
  ++found->second.used.runs;
  found->second.used.is_written = false;
  return std::make_unique<Run>(*this, principal);
}

std::optional<QuotaRefusal> Quotas::refusal(Entry& entry, SteadyTime now) const {
  const QuotaTerms& terms = entry.terms;
  Used& used = entry.used;
  if (!used.since || now - *used.since >= terms.interval) {
    used.since = now;
    used.requests = 0;
    used.compute = {};
  }
  // Rounded up: who waits so long finds the next interval begun.
  const auto rest = std::chrono::ceil<std::chrono::seconds>(*used.since + terms.interval - now);
  if (terms.requests && used.requests >= *terms.requests) return QuotaRefusal{"requests", rest};
  const auto spent = std::chrono::duration_cast<std::chrono::seconds>(used.compute);
  if (terms.compute_seconds &&
      static_cast<std::uint64_t>(spent.count()) >= *terms.compute_seconds) {
    return QuotaRefusal{"compute_seconds", rest};
  }
  if (terms.runs && used.runs >= *terms.runs) {
    return QuotaRefusal{"runs", std::chrono::seconds{1}};
  }
  return {};
}

void Quotas::end(const PrincipalId& principal, std::chrono::nanoseconds compute) noexcept {
  const MutexLock lock(mutex_);
  const auto found = table_.find(principal);
  if (found == table_.end()) return;
  Used& used = found->second.used;
  used.compute += compute;
  used.is_written = false;
  // A quota that was taken away and set again counts none of those that began before.
  if (used.runs > 0) --used.runs;
}

Status Quotas::flush() {
  const MutexLock one(flush_);
  const bool all = must_restart_ || used_.bytes() > kLogBytes;
  ByteVector entry;
  {
    const MutexLock lock(mutex_);
    entry = encode_used(all);
  }
  if (entry.empty()) return Done{};
  // A write that failed may be kept or not: all of it is written anew then.
  must_restart_ = true;
  CLOISTER_TRY(all ? used_.restart(entry) : used_.append(entry));
  must_restart_ = false;
  return Done{};
}

/// What was used by those of whom that is not written yet, or by all; nothing where nobody is.
ByteVector Quotas::encode_used(bool all) {
  const SteadyTime now = clock_.steady();
  ByteWriter rows;
  std::uint32_t count = 0;
  for (auto& [principal, entry] : table_) {
    Used& used = entry.used;
    if (!used.since || (used.is_written && !all)) continue;
    const UtcSeconds since =
        clock_.utc() - std::chrono::floor<std::chrono::seconds>(now - *used.since);
    write_name(rows, principal.value);
    rows.u64_le(static_cast<std::uint64_t>(since.time_since_epoch().count()));
    rows.u64_le(used.requests);
    rows.u64_le(static_cast<std::uint64_t>(used.compute.count()));
    used.is_written = true;
    ++count;
  }
  if (count == 0) return {};
  ByteWriter writer;
  writer.u8(kFormat);
  writer.u32_le(count);
  writer.bytes(rows.view());
  return std::move(writer).take();
}

Status Quotas::load_used(Bytes encoded) {
  ByteReader reader(encoded);
  CLOISTER_ASSIGN(const std::uint8_t format, reader.u8());
  CLOISTER_ASSIGN(const std::uint32_t count, reader.u32_le());
  if (format != kFormat || count > kQuotasMax) return Error{Code::corrupt, "quotas.used"};
  for (std::uint32_t i = 0; i < count; ++i) {
    Used used;
    CLOISTER_ASSIGN(const std::string name, read_name(reader, "quotas.used_name"));
    CLOISTER_ASSIGN(const std::uint64_t since, reader.u64_le());
    CLOISTER_ASSIGN(used.requests, reader.u64_le());
    CLOISTER_ASSIGN(const std::uint64_t compute, reader.u64_le());
    if (since > kTimeMax || compute > kQuotaMax * 1000) {
      return Error{Code::corrupt, "quotas.used_time"};
    }
    used.compute = std::chrono::nanoseconds(static_cast<std::int64_t>(compute));
    // Where the host's clock ran back, the interval begins now.
    const UtcSeconds began{std::chrono::seconds(static_cast<std::int64_t>(since))};
    used.since = clock_.steady() -
                 std::clamp(clock_.utc() - began, std::chrono::seconds{0}, kQuotaIntervalMax);
    const auto found = table_.find(PrincipalId{name});
    if (found != table_.end()) found->second.used = used;
  }
  return reader.empty() ? Status(Done{}) : Status(Error{Code::corrupt, "quotas.used_trailing"});
}

Quotas::Table Quotas::current() const {
  const MutexLock lock(mutex_);
  return table_;
}

ByteVector Quotas::encode(const Table& table) {
  ByteWriter writer;
  writer.u8(kFormat);
  writer.u32_le(static_cast<std::uint32_t>(table.size()));
  for (const auto& [principal, entry] : table) {
    write_name(writer, principal.value);
    for (const Member each : kMembers) writer.u64_le((entry.terms.*each).value_or(kUnbounded));
    writer.u64_le(static_cast<std::uint64_t>(entry.terms.interval.count()));
  }
  return std::move(writer).take();
}

Result<Quotas::Table> Quotas::decode(Bytes content) {
  ByteReader reader(content);
  CLOISTER_ASSIGN(const std::uint8_t format, reader.u8());
  if (format != kFormat) return Error{Code::corrupt, "quotas.format"};
  CLOISTER_ASSIGN(const std::uint32_t count, reader.u32_le());
  if (count > kQuotasMax) return Error{Code::corrupt, "quotas.count"};
  Table table;
  for (std::uint32_t i = 0; i < count; ++i) {
    CLOISTER_ASSIGN(std::string name, read_name(reader, "quotas.name"));
    QuotaTerms terms;
    for (const Member each : kMembers) {
      CLOISTER_ASSIGN(const std::uint64_t number, reader.u64_le());
      if (number != kUnbounded) terms.*each = number;
    }
    CLOISTER_ASSIGN(const std::uint64_t interval, reader.u64_le());
    if (interval > kQuotaMax) return Error{Code::corrupt, "quotas.interval"};
    terms.interval = std::chrono::seconds(static_cast<std::int64_t>(interval));
    if (!sound(terms)) return Error{Code::corrupt, "quotas.terms"};
    table[PrincipalId{std::move(name)}].terms = terms;
  }
  if (!reader.empty()) return Error{Code::corrupt, "quotas.trailing"};
  return table;
}

}  // namespace cloister
