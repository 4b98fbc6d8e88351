#include "access/grants.h"

#include <algorithm>
#include <array>

#include "access/stored_name.h"

namespace cloister {
namespace {

constexpr std::uint8_t kFormat = 2;
constexpr std::uint64_t kNever = 0;
constexpr std::uint64_t kTimeMax = 1ULL << 40;
constexpr std::uint8_t kAllRights = 7;
constexpr std::array kRights = {Right::infer, Right::metadata, Right::manage};

}  // namespace

const char* name_of(Right right) noexcept {
  switch (right) {
    case Right::infer: return "infer";
    case Right::metadata: return "metadata";
    case Right::manage: return "manage";
  }
  return "infer";
}

std::optional<Right> right_named(std::string_view name) noexcept {
  for (const Right each : kRights) {
    if (name == name_of(each)) return each;
  }
  return {};
}

Result<std::unique_ptr<Grants>> Grants::open(RecordStore& store, const Clock& clock) {
  std::unique_ptr<Grants> grants(new Grants(store, clock));
  CLOISTER_TRY(store.load([&grants](Bytes content) -> Status {
    if (content.empty()) return Done{};
    CLOISTER_ASSIGN(Table table, decode(content));
    const MutexLock lock(grants->mutex_);
    grants->table_ = std::move(table);
    return Done{};
  }));
  return grants;
}

Status Grants::give(const Grant& grant) {
  const Key key{grant.to, grant.model, grant.version ? grant.version->value : 0};
  const Terms terms{grant.rights, grant.expires, grant.receipts};
  const bool valid = !grant.rights.empty() && (grant.rights.bits & ~kAllRights) == 0 &&
                     is_name(grant.to.value) && grant.to != grant.model.owner && is_live(terms) &&
                     (!grant.version || grant.version->value != 0);
  if (!valid) {
    return Error{Code::invalid, "grants.give",
                 Detail("a grant has a right (infer, metadata, manage), goes to another principal "
                        "and expires in the future if at all")};
  }
  const MutexLock change(changes_);
  Table table = current();
  std::erase_if(table, [&](const auto& entry) { return !is_live(entry.second); });
  table[key] = terms;
  const auto on_this_model = std::ranges::count_if(
      table, [&](const auto& entry) { return entry.first.model == grant.model; });
  if (static_cast<std::size_t>(on_this_model) > kGrantsPerModelMax || table.size() > kGrantsMax) {
    return Error{Code::too_large, "grants.count",
                 Detail("this model has as many grants as it may have; take some back first")};
  }
  return replace(std::move(table));
}

Status Grants::take_back(const ModelId& model, std::optional<VersionNumber> version,
                         const PrincipalId& from) {
  const MutexLock change(changes_);
  Table table = current();
  if (table.erase({from, model, version ? version->value : 0}) == 0) return Done{};
  return replace(std::move(table));
}

Status Grants::forget_model(const ModelId& model) {
  const MutexLock change(changes_);
  Table table = current();
  if (std::erase_if(table, [&](const auto& entry) { return entry.first.model == model; }) == 0) {
    return Done{};
  }
  return replace(std::move(table));
}

Rights Grants::rights_of(const PrincipalId& principal, const VersionRef& version) const {
  Rights rights;
  const MutexLock lock(mutex_);
  for (const std::uint64_t number : {std::uint64_t{0}, version.version.value}) {
    const auto found = table_.find(Key{principal, version.model, number});
    if (found == table_.end() || !is_live(found->second)) continue;
    rights.bits |= found->second.rights.bits;
  }
  return rights;
}

bool Grants::demands_receipt(const PrincipalId& principal, const VersionRef& version) const {
  const MutexLock lock(mutex_);
  for (const std::uint64_t number : {std::uint64_t{0}, version.version.value}) {
    const auto found = table_.find(Key{principal, version.model, number});
    if (found != table_.end() && is_live(found->second) && found->second.receipts) return true;
  }
  return false;
}

std::vector<Grant> Grants::on_model(const ModelId& model) const {
  std::vector<Grant> grants;
  const MutexLock lock(mutex_);
  for (const auto& [key, terms] : table_) {
    if (key.model == model && is_live(terms)) grants.push_back(grant_of(key, terms));
  }
  std::ranges::sort(grants, {}, [](const Grant& each) {
    return std::pair(each.version ? each.version->value : 0, each.to);
  });
  return grants;
}

std::vector<Grant> Grants::to_principal(const PrincipalId& principal) const {
  std::vector<Grant> grants;
  const MutexLock lock(mutex_);
  for (auto entry = table_.lower_bound(Key{principal, {}, 0});
       entry != table_.end() && entry->first.to == principal; ++entry) {
    if (is_live(entry->second)) grants.push_back(grant_of(entry->first, entry->second));
  }
  return grants;
}

Grant Grants::grant_of(const Key& key, const Terms& terms) {
  Grant grant{key.model, {}, key.to, terms.rights, terms.expires, terms.receipts};
  if (key.version != 0) grant.version = VersionNumber{key.version};
  return grant;
}

Grants::Table Grants::current() const {
  const MutexLock lock(mutex_);
  return table_;
}

Status Grants::replace(Table table) {
  CLOISTER_TRY(store_.save(encode(table)));
  const MutexLock lock(mutex_);
  table_ = std::move(table);
  return Done{};
}

ByteVector Grants::encode(const Table& table) {
  ByteWriter writer;
  writer.u8(kFormat);
  writer.u32_le(static_cast<std::uint32_t>(table.size()));
  for (const auto& [key, terms] : table) {
    write_name(writer, key.to.value);
    write_name(writer, key.model.owner.value);
    write_name(writer, key.model.name);
    writer.u64_le(key.version);
    writer.u8(terms.rights.bits);
    writer.u64_le(terms.expires ? static_cast<std::uint64_t>(
                                      terms.expires->time_since_epoch().count())
                                : kNever);
    writer.u8(terms.receipts ? 1 : 0);
  }
  return std::move(writer).take();
}

Result<Grants::Table> Grants::decode(Bytes content) {
  ByteReader reader(content);
  CLOISTER_ASSIGN(const std::uint8_t format, reader.u8());
  if (format != kFormat) return Error{Code::corrupt, "grants.format"};
  CLOISTER_ASSIGN(const std::uint32_t count, reader.u32_le());
  if (count > kGrantsMax) return Error{Code::corrupt, "grants.count"};
  Table table;
  for (std::uint32_t i = 0; i < count; ++i) {
    Key key;
    Terms terms;
    CLOISTER_ASSIGN(key.to.value, read_name(reader, "grants.name"));
    CLOISTER_ASSIGN(key.model.owner.value, read_name(reader, "grants.name"));
    CLOISTER_ASSIGN(key.model.name, read_name(reader, "grants.name"));
    CLOISTER_ASSIGN(key.version, reader.u64_le());
    CLOISTER_ASSIGN(terms.rights.bits, reader.u8());
    CLOISTER_ASSIGN(const std::uint64_t expires, reader.u64_le());
    CLOISTER_ASSIGN(const std::uint8_t receipts, reader.u8());
    const bool sound = (terms.rights.bits & ~kAllRights) == 0 && !terms.rights.empty() &&
                       expires <= kTimeMax && key.version <= kVersionNumberMax && receipts <= 1;
    if (!sound) return Error{Code::corrupt, "grants.entry"};
    if (expires != kNever) {
      terms.expires = UtcSeconds(std::chrono::seconds(static_cast<std::int64_t>(expires)));
    }
    terms.receipts = receipts == 1;
    table[key] = terms;
  }
  if (!reader.empty()) return Error{Code::corrupt, "grants.trailing"};
  return table;
}

}  // namespace cloister
