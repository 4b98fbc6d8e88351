#include "access/audit_trail.h"

#include <algorithm>
#include <utility>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "encoding/hex.h"
#include "encoding/json_writer.h"

namespace cloister {
namespace {

constexpr std::uint8_t kWhole = 1;
constexpr std::uint8_t kMore = 2;
constexpr std::uint64_t kLogBytes = 8U << 20;  // a log longer than this and its sum is summed up
// Names and digests have 64 characters at most. All chains, full of these, fit one entry of a log.
constexpr std::size_t kEventBytesMax = 600;
constexpr std::size_t kDeniedMax = 10'000;
constexpr std::string_view kLabel = "cloister audit 1 ";

Error damaged() { return Error{Code::corrupt, "audit.entry"}; }

Sha256Digest first_link(const PrincipalId& whose) {
  return sha256(bytes_of(std::string(kLabel) + whose.value));
}

Sha256Digest next_link(const Sha256Digest& before, std::string_view json) {
  Sha256Stream stream;
  stream.update(before);
  stream.update(bytes_of(json));
  return stream.finish();
}

std::string json_of(const AuditEvent& event, std::uint64_t number, UtcSeconds now) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("number").unsigned_integer(number);
  out.key("time").integer(now.time_since_epoch().count());
  out.key("action").text(name_of(event.action)).key("outcome").text(name_of(event.outcome));
  if (!event.actor.value.empty()) out.key("actor").text(event.actor.value);
  if (!event.model.empty()) out.key("model").text(event.model);
  if (event.version) out.key("version").text(std::to_string(event.version->value));
  if (!event.principal.value.empty()) out.key("principal").text(event.principal.value);
  if (event.sha256) out.key("sha256").text(hex_encode(*event.sha256));
  if (event.count) out.key("count").unsigned_integer(*event.count);
  out.end_object();
  return json;
}

void write_name(ByteWriter& writer, const PrincipalId& whose) {
  writer.u8(static_cast<std::uint8_t>(whose.value.size()));
  writer.bytes(bytes_of(whose.value));
}

Result<PrincipalId> read_name(ByteReader& reader) {
  CLOISTER_ASSIGN(const std::uint8_t size, reader.u8());
  CLOISTER_ASSIGN(const Bytes name, reader.take(size));
  if (size != 0 && !is_name(text_of(name))) return damaged();
  return PrincipalId{std::string(text_of(name))};
}

void write_event(ByteWriter& writer, std::string_view json) {
  writer.u32_le(static_cast<std::uint32_t>(json.size()));
  writer.bytes(bytes_of(json));
}

Result<std::string> read_event(ByteReader& reader) {
  CLOISTER_ASSIGN(const std::uint32_t size, reader.u32_le());
  if (size > kEventBytesMax) return damaged();
  CLOISTER_ASSIGN(const Bytes json, reader.take(size));
  return std::string(text_of(json));
}

}  // namespace

const char* name_of(AuditAction action) noexcept {
  switch (action) {
    case AuditAction::server_started: return "server-started";
    case AuditAction::server_stopped: return "server-stopped";
    case AuditAction::software: return "software";
    case AuditAction::receipt_key: return "receipt-key";
    case AuditAction::model_key: return "model-key";
    case AuditAction::certificate_renewed: return "certificate-renewed";
    case AuditAction::store_handed_over: return "store-handed-over";
    case AuditAction::store_taken_over: return "store-taken-over";
    case AuditAction::refused_authentications: return "refused-authentications";
    case AuditAction::principal_created: return "principal-created";
    case AuditAction::principal_removed: return "principal-removed";
    case AuditAction::token_minted: return "token-minted";
    case AuditAction::tokens_revoked: return "tokens-revoked";
    case AuditAction::quota_set: return "quota-set";
    case AuditAction::authority_added: return "authority-added";
    case AuditAction::authority_removed: return "authority-removed";
    case AuditAction::certificate_bound: return "certificate-bound";
    case AuditAction::grant_given: return "grant-given";
    case AuditAction::grant_taken_back: return "grant-taken-back";
    case AuditAction::version_uploaded: return "version-uploaded";
    case AuditAction::version_imported: return "version-imported";
    case AuditAction::version_erased: return "version-erased";
    case AuditAction::model_loaded: return "model-loaded";
    case AuditAction::model_unloaded: return "model-unloaded";
  }
  return "unknown";
}

const char* name_of(AuditOutcome outcome) noexcept {
  switch (outcome) {
    case AuditOutcome::done: return "done";
    case AuditOutcome::denied: return "denied";
    case AuditOutcome::refused: return "refused";
    case AuditOutcome::failed: break;
  }
  return "failed";
}

Result<std::unique_ptr<AuditTrail>> AuditTrail::open(EntryStore& store, const Clock& clock) {
  std::unique_ptr<AuditTrail> trail(new AuditTrail(store, clock));
  const MutexLock lock(trail->mutex_);
  for (const ByteVector& entry : store.load()) CLOISTER_TRY(trail->load(entry));
  return trail;
}

Status AuditTrail::record(const PrincipalId& whose, const AuditEvent& event) {
  const MutexLock lock(mutex_);
  const bool again = event.outcome == AuditOutcome::denied && was_denied(whose, event);
  if (again && !unwritten_) return Done{};
  const auto found = chains_.find(whose);
  if (found == chains_.end() && chains_.size() >= kAuditChainsMax) {
    return Error{Code::too_large, "audit.chains"};
  }
  const std::uint64_t before =
      found == chains_.end() ? 0 : found->second.dropped + found->second.events.size();
  const std::string json = json_of(event, before + 1, clock_.utc());
  if (json.size() > kEventBytesMax) return Error{Code::too_large, "audit.event"};
  add(whose, json);
  return write(whose, json);
}

/// Whether a denial like this one was recorded lately; it is from now on.
bool AuditTrail::was_denied(const PrincipalId& whose, const AuditEvent& event) {
  const SteadyTime now = clock_.steady();
  if (now - denied_since_ >= kRefusedEvery || denied_.size() >= kDeniedMax) {
    denied_.clear();
    denied_since_ = now;
  }
  std::string like = whose.value + ' ' + event.actor.value + ' ' + name_of(event.action) + ' ' +
                     event.model + ' ';
  if (event.version) like += std::to_string(event.version->value);
  return !denied_.insert(std::move(like)).second;
}

Status AuditTrail::flush() {
  {
    const MutexLock lock(mutex_);
    const SteadyTime now = clock_.steady();
    if (refused_at_ && now - *refused_at_ < kRefusedEvery) return Done{};
    if (refused_.load(std::memory_order_relaxed) == 0) return Done{};
    refused_at_ = now;
  }
  AuditEvent event;
  event.action = AuditAction::refused_authentications;
  event.count = refused_.exchange(0, std::memory_order_relaxed);
  return record(kServerChain, event);
}

Status AuditTrail::forget(const PrincipalId& whose) {
  const MutexLock lock(mutex_);
  const auto found = chains_.find(whose);
  if (found == chains_.end()) return Done{};
  events_ -= found->second.events.size();
  chains_.erase(found);
  return write_all();
}

Result<AuditTrail::Part> AuditTrail::part_of(const PrincipalId& whose, std::uint64_t after) {
  const MutexLock lock(mutex_);
  // Nobody holds a statement on events that a crash could take back.
  if (unwritten_) CLOISTER_TRY(write_all());
  Part part;
  part.before = part.head = first_link(whose);
  const auto found = chains_.find(whose);
  if (found == chains_.end()) return part;
  const Chain& chain = found->second;
  part.count = chain.dropped + chain.events.size();
  part.before = chain.before;
  part.head = chain.events.empty() ? chain.before : chain.events.back().link;
  const std::uint64_t from = std::clamp(after, chain.dropped, part.count);
  part.first = from + 1;
  const auto skipped = static_cast<std::size_t>(from - chain.dropped);
  if (skipped > 0) part.before = chain.events[skipped - 1].link;
  for (std::size_t i = skipped; i < chain.events.size(); ++i) {
    part.events.push_back(chain.events[i].json);
  }
  return part;
}

AuditTrail::Chain& AuditTrail::chain_of(const PrincipalId& whose) {
  const auto [at, made] = chains_.try_emplace(whose);
  if (made) at->second.before = first_link(whose);
  return at->second;
}

void AuditTrail::drop_oldest(Chain& chain) {
  chain.before = chain.events.front().link;
  chain.events.pop_front();
  ++chain.dropped;
}

void AuditTrail::add(const PrincipalId& whose, std::string json) {
  Chain& chain = chain_of(whose);
  const Sha256Digest& before = chain.events.empty() ? chain.before : chain.events.back().link;
  const Sha256Digest link = next_link(before, json);
  chain.events.push_back({std::move(json), link});
  ++events_;
  if (chain.events.size() > kAuditEventsPerChainMax) {
    drop_oldest(chain);
    --events_;
  }
  if (events_ <= kAuditEventsMax) return;
  // Who wrote most makes room, so that nobody can push out the events of others.
  const auto longest = std::ranges::max_element(
      chains_, {}, [](const auto& each) { return each.second.events.size(); });
  drop_oldest(longest->second);
  --events_;
}

/// Appends one event, or sums everything up in a new first entry. An append that failed may or may
/// not be kept, so that only a sum, which replaces it, can follow.
Status AuditTrail::write(const PrincipalId& whose, const std::string& json) {
  if (must_restart_ || store_.bytes() > kLogBytes + 2 * summed_bytes_) return write_all();
  ByteWriter writer;
  writer.u8(kMore);
  write_name(writer, whose);
  write_event(writer, json);
  if (store_.append(writer.view()).ok()) return Done{};
  must_restart_ = true;
  return write_all();
}

Status AuditTrail::write_all() {
  unwritten_ = must_restart_ = true;
  const ByteVector entry = encode_all();
  CLOISTER_TRY(store_.restart(entry));
  summed_bytes_ = entry.size();
  unwritten_ = must_restart_ = false;
  return Done{};
}

ByteVector AuditTrail::encode_all() const {
  ByteWriter writer;
  writer.u8(kWhole);
  writer.u32_le(static_cast<std::uint32_t>(chains_.size()));
  for (const auto& [whose, chain] : chains_) {
    write_name(writer, whose);
    writer.u64_le(chain.dropped);
    writer.bytes(chain.before);
    writer.u32_le(static_cast<std::uint32_t>(chain.events.size()));
    for (const Event& each : chain.events) write_event(writer, each.json);
  }
  return std::move(writer).take();
}

Status AuditTrail::load(Bytes entry) {
  ByteReader reader(entry);
  CLOISTER_ASSIGN(const std::uint8_t kind, reader.u8());
  if (kind == kWhole) {
    CLOISTER_TRY(load_whole(reader));
  } else if (kind == kMore) {
    CLOISTER_ASSIGN(const PrincipalId whose, read_name(reader));
    CLOISTER_ASSIGN(std::string json, read_event(reader));
    add(whose, std::move(json));
  } else {
    return damaged();
  }
  return reader.empty() ? Status(Done{}) : Status(damaged());
}

Status AuditTrail::load_whole(ByteReader& reader) {
  CLOISTER_ASSIGN(const std::uint32_t chains, reader.u32_le());
  if (chains > kAuditChainsMax || !chains_.empty()) return damaged();
  for (std::uint32_t i = 0; i < chains; ++i) {
    CLOISTER_ASSIGN(const PrincipalId whose, read_name(reader));
    if (chains_.contains(whose)) return damaged();
    Chain& chain = chain_of(whose);
    CLOISTER_ASSIGN(chain.dropped, reader.u64_le());
    CLOISTER_ASSIGN(const Bytes before, reader.take(chain.before.size()));
    std::ranges::copy(before, chain.before.begin());
    CLOISTER_ASSIGN(const std::uint32_t events, reader.u32_le());
    if (events > kAuditEventsPerChainMax) return damaged();
    for (std::uint32_t e = 0; e < events; ++e) {
      CLOISTER_ASSIGN(std::string json, read_event(reader));
      add(whose, std::move(json));
    }
  }
  return Done{};
}

}  // namespace cloister
