#include "access/quotas.h"

#include <limits>
#include <utility>

#include "base/byte_reader.h"
#include "base/byte_writer.h"

namespace cloister {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::uint64_t kUnbounded = std::numeric_limits<std::uint64_t>::max();

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

Result<std::unique_ptr<Quotas>> Quotas::open(RecordStore& store, const Clock& clock) {
  std::unique_ptr<Quotas> quotas(new Quotas(store, clock));
  CLOISTER_TRY(store.load([&quotas](Bytes content) -> Status {
    if (content.empty()) return Done{};
    CLOISTER_ASSIGN(Table table, decode(content));
    const MutexLock lock(quotas->mutex_);
    quotas->table_ = std::move(table);
    return Done{};
  }));
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
  CLOISTER_TRY(store_.save(encode(changed)));
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
  return std::make_unique<Run>(*this, principal);
}

std::optional<QuotaRefusal> Quotas::refusal(Entry& entry, SteadyTime now) const {
  const QuotaTerms& terms = entry.terms;
  Used& used = entry.used;
  if (used.since == SteadyTime{} || now - used.since >= terms.interval) {
    used.since = now;
    used.requests = 0;
    used.compute = {};
  }
  // Rounded up: who waits so long finds the next interval begun.
  const auto rest = std::chrono::ceil<std::chrono::seconds>(used.since + terms.interval - now);
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
  // A quota that was taken away and set again counts none of those that began before.
  if (used.runs > 0) --used.runs;
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
    writer.u8(static_cast<std::uint8_t>(principal.value.size()));
    writer.bytes(bytes_of(principal.value));
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
    CLOISTER_ASSIGN(const std::uint8_t size, reader.u8());
    CLOISTER_ASSIGN(const Bytes name, reader.take(size));
    if (!is_name(text_of(name))) return Error{Code::corrupt, "quotas.name"};
    QuotaTerms terms;
    for (const Member each : kMembers) {
      CLOISTER_ASSIGN(const std::uint64_t number, reader.u64_le());
      if (number != kUnbounded) terms.*each = number;
    }
    CLOISTER_ASSIGN(const std::uint64_t interval, reader.u64_le());
    if (interval > kQuotaMax) return Error{Code::corrupt, "quotas.interval"};
    terms.interval = std::chrono::seconds(static_cast<std::int64_t>(interval));
    if (!sound(terms)) return Error{Code::corrupt, "quotas.terms"};
    table[PrincipalId{std::string(text_of(name))}].terms = terms;
  }
  if (!reader.empty()) return Error{Code::corrupt, "quotas.trailing"};
  return table;
}

}  // namespace cloister
