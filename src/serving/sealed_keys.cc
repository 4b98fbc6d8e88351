#include "serving/sealed_keys.h"

#include <utility>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "secret/secret_bytes.h"

namespace cloister {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::uint64_t kShown = 0;  // in the place of when a key was replaced
constexpr std::uint64_t kTimeMax = 1ULL << 40;
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kEntryBytes = 8 + 8 + kKeyBytes;

std::uint64_t number_of(UtcSeconds time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

Result<UtcSeconds> read_time(ByteReader& reader) {
  CLOISTER_ASSIGN(const std::uint64_t seconds, reader.u64_le());
  if (seconds > kTimeMax) return Error{Code::corrupt, "sealed_keys.time"};
  return UtcSeconds(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

Result<std::shared_ptr<const KemPrivateKey>> read_key(ByteReader& reader) {
  CLOISTER_ASSIGN(const Bytes bytes, reader.take(kKeyBytes));
  auto key = KemPrivateKey::from_bytes(SecretBytes(copy_of(bytes)));
  if (!key.ok()) return Error{Code::corrupt, "sealed_keys.key"};
  return std::make_shared<const KemPrivateKey>(std::move(key).value());
}

}  // namespace

Result<std::unique_ptr<SealedKeys>> SealedKeys::open(RecordStore& store, const Clock& clock,
                                                     SealedKeySettings settings) {
  std::unique_ptr<SealedKeys> keys(new SealedKeys(store, clock, settings));
  CLOISTER_TRY(store.load([&keys](Bytes content) -> Status {
    if (content.empty()) return Done{};
    CLOISTER_ASSIGN(Entries entries, decode(content));
    const MutexLock lock(keys->mutex_);
    keys->entries_ = std::move(entries);
    return Done{};
  }));
  CLOISTER_TRY(keys->rotate());
  return keys;
}

Result<bool> SealedKeys::rotate() {
  const MutexLock change(changes_);
  Entries entries;
  {
    const MutexLock lock(mutex_);
    entries = entries_;
  }
  const UtcSeconds now = clock_.utc();
  const bool due = entries.empty() || now - entries.front().made >= settings_.shown;
  if (due) {
    CLOISTER_ASSIGN(KemPrivateKey made, KemPrivateKey::generate());
    if (!entries.empty()) entries.front().replaced = now;
    entries.insert(entries.begin(),
                   {std::make_shared<const KemPrivateKey>(std::move(made)), now, std::nullopt});
  }
  auto destroyed = std::erase_if(entries, [&](const Entry& each) {
    return each.replaced && now - *each.replaced >= settings_.kept;
  });
  if (entries.size() > kKeysMax) {
    destroyed += entries.size() - kKeysMax;
    entries.resize(kKeysMax);
  }
  if (!due && destroyed == 0) return false;
  CLOISTER_TRY(save(entries));
  const MutexLock lock(mutex_);
  entries_ = std::move(entries);
  return due;
}

std::vector<SealedKeys::Key> SealedKeys::keys() const {
  const MutexLock lock(mutex_);
  std::vector<Key> keys;
  for (const Entry& each : entries_) keys.push_back(each.key);
  return keys;
}

Status SealedKeys::save(const Entries& entries) {
  ByteVector content;
  content.reserve(2 + entries.size() * kEntryBytes);  // growing would leave copies of keys behind
  const auto append = [&content](Bytes bytes) {
    content.insert(content.end(), bytes.begin(), bytes.end());
  };
  ByteWriter counts;
  counts.u8(kFormat);
  counts.u8(static_cast<std::uint8_t>(entries.size()));
  append(std::move(counts).take());
  Status saved = Done{};
  for (const Entry& each : entries) {
    ByteWriter times;
    times.u64_le(number_of(each.made));
    times.u64_le(each.replaced ? number_of(*each.replaced) : kShown);
    append(std::move(times).take());
    if (saved.ok()) {
      saved = each.key->keep_in([&append](Bytes bytes) -> Status {
        append(bytes);
        return Done{};
      });
    }
  }
  if (saved.ok()) saved = store_.save(content);
  wipe(content);
  return saved;
}

Result<SealedKeys::Entries> SealedKeys::decode(Bytes content) {
  ByteReader reader(content);
  CLOISTER_ASSIGN(const std::uint8_t format, reader.u8());
  CLOISTER_ASSIGN(const std::uint8_t count, reader.u8());
  if (format != kFormat || count == 0 || count > kKeysMax) {
    return Error{Code::corrupt, "sealed_keys.format"};
  }
  Entries entries;
  for (std::uint8_t i = 0; i < count; ++i) {
    Entry entry;
    CLOISTER_ASSIGN(entry.made, read_time(reader));
    CLOISTER_ASSIGN(const UtcSeconds replaced, read_time(reader));
    if (number_of(replaced) != kShown) entry.replaced = replaced;
    if (entry.replaced.has_value() == (i == 0)) return Error{Code::corrupt, "sealed_keys.order"};
    CLOISTER_ASSIGN(entry.key, read_key(reader));
    entries.push_back(std::move(entry));
  }
  if (!reader.empty()) return Error{Code::corrupt, "sealed_keys.trailing"};
  return entries;
}

}  // namespace cloister
