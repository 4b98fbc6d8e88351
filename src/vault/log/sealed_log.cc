#include "vault/log/sealed_log.h"

#include <algorithm>
#include <utility>

#include "base/byte_writer.h"
#include "vault/format.h"
#include "vault/store_keys.h"

namespace cloister {
namespace {

constexpr std::string_view kMagic = "CLOISTL1";
constexpr std::string_view kLabel = "cloister vault 1 log";
constexpr std::string_view kAside = ".new";
constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kPositionBytes = 48;

Error damaged(Place where) {
  return Error{Code::corrupt, where, Detail("the store's log is damaged, shortened or missing")};
}

Sha256Digest chained(const Sha256Digest& chain, Bytes record) {
  Sha256Stream stream;
  stream.update(chain);
  stream.update(record);
  return stream.finish();
}

/// What an entry is bound to: its log's file, its number, and all before it.
ByteVector bound(Bytes header, const LogPosition& at) {
  ByteWriter writer;
  writer.bytes(header);
  writer.bytes(encode_position(at));
  return std::move(writer).take();
}

std::optional<std::uint64_t> generation_of(std::string_view name) {
  std::uint64_t generation = 0;
  if (name.size() != 16) return {};
  for (const char digit : name) {
    const bool decimal = digit >= '0' && digit <= '9';
    if (!decimal && (digit < 'a' || digit > 'f')) return {};
    generation =
        generation * 16 + static_cast<std::uint64_t>(decimal ? digit - '0' : digit - 'a' + 10);
  }
  return generation;
}

}  // namespace

ByteVector encode_position(const LogPosition& position) {
  ByteWriter writer;
  writer.u64_le(position.generation);
  writer.u64_le(position.entries);
  writer.bytes(position.chain);
  return std::move(writer).take();
}

Result<LogPosition> decode_position(Bytes encoded) {
  if (encoded.size() != kPositionBytes) return Error{Code::corrupt, "vault.log.position"};
  ByteReader reader(encoded);
  LogPosition position;
  CLOISTER_ASSIGN(position.generation, reader.u64_le());
  CLOISTER_ASSIGN(position.entries, reader.u64_le());
  CLOISTER_ASSIGN(const Bytes chain, reader.take(position.chain.size()));
  std::ranges::copy(chain, position.chain.begin());
  return position;
}

Result<std::unique_ptr<SealedLog>> SealedLog::open(Parts parts,
                                                   const std::optional<LogPosition>& anchored) {
  std::unique_ptr<SealedLog> log(new SealedLog(std::move(parts)));
  CLOISTER_ASSIGN(const auto generations, log->list_generations());
  if (generations.empty()) {
    if (anchored) return damaged("vault.log.missing");
    log->stuck_ = true;  // until `restart` makes the first file
    return log;
  }
  // The newest file begins with all that still matters; an older one was about to be removed.
  CLOISTER_TRY(log->load(generations.back(), anchored));
  log->remove_before(generations.back());
  return log;
}

std::string SealedLog::folder() const { return "log/" + parts_.name; }

std::string SealedLog::path_of(std::uint64_t generation) const {
  ByteWriter writer;
  writer.u64_be(generation);
  return folder() + "/" + hex_of(writer.view());
}

ByteVector SealedLog::header_of(std::uint64_t generation) const {
  ByteWriter writer;
  writer.bytes(bytes_of(kMagic));
  writer.u64_le(generation);
  writer.bytes(parts_.store);
  writer.bytes(sha256(bytes_of(parts_.name)));
  return std::move(writer).take();
}

Result<std::vector<std::uint64_t>> SealedLog::list_generations() {
  auto listed = parts_.files.list(folder());
  if (!listed.ok() && listed.error().code == Code::not_found) return std::vector<std::uint64_t>{};
  if (!listed.ok()) return listed.error();
  std::vector<std::uint64_t> generations;
  for (const FolderEntry& entry : listed.value()) {
    if (const auto generation = generation_of(entry.name)) generations.push_back(*generation);
  }
  std::ranges::sort(generations);
  return generations;
}

Status SealedLog::load(std::uint64_t generation, const std::optional<LogPosition>& anchored) {
  if (anchored && generation < anchored->generation) return damaged("vault.log.generation");
  auto opened = parts_.files.open_for_reading(path_of(generation));
  if (!opened.ok() && opened.error().code == Code::io) return opened.error();
  if (!opened.ok()) return damaged("vault.log.open");
  CLOISTER_ASSIGN(const std::uint64_t size, opened.value()->size());
  const ByteVector header = header_of(generation);
  if (size < header.size() || size > kLogFileBytesMax) return damaged("vault.log.size");
  ByteVector content(size);
  CLOISTER_TRY(opened.value()->read_at(0, content));
  if (!std::ranges::equal(Bytes(content).first(header.size()), header)) {
    return damaged("vault.log.header");
  }
  position_ = {generation, 0, sha256(header)};
  ByteReader reader(Bytes(content).subspan(header.size()));
  bool seen = !anchored || anchored->generation < generation;
  while (true) {
    seen = seen || position_ == *anchored;
    const auto length = reader.u32_le();
    if (!length.ok() || length.value() > kLogEntryBytesMax + StoreKeys::kOverhead) break;
    const auto sealed = reader.take(length.value());
    if (!sealed.ok()) break;
    auto entry = StoreKeys::open(parts_.aeads, parts_.key, kLabel, bound(header, position_),
                                 sealed.value());
    if (!entry.ok()) break;
    entries_.push_back(copy_of(StoreKeys::read(entry.value())));
    position_.chain = chained(position_.chain, sealed.value());
    ++position_.entries;
  }
  // A file without its first entry was never finished under its name; and what was anchored must
  // have been met on the way.
  if (position_.entries == 0 || !seen) return damaged("vault.log.shortened");
  // Nothing is appended to a file that may end in half an entry: a new one must come first.
  stuck_ = true;
  size_ = size;
  return Done{};
}

Result<ByteVector> SealedLog::seal(const LogPosition& at, Bytes entry) const {
  if (entry.empty() || entry.size() > kLogEntryBytesMax) {
    return Error{Code::too_large, "vault.log.entry"};
  }
  return StoreKeys::seal(parts_.aeads, parts_.entropy, parts_.key, kLabel,
                         bound(header_of(at.generation), at), SecretBytes(copy_of(entry)));
}

Status SealedLog::append(Bytes entry) {
  if (stuck_) return Error{Code::unavailable, "vault.log.stuck"};
  CLOISTER_ASSIGN(const ByteVector sealed, seal(position_, entry));
  if (size_ + kLengthBytes + sealed.size() > kLogFileBytesMax) {
    return Error{Code::too_large, "vault.log.full"};
  }
  ByteWriter record;
  record.u32_le(static_cast<std::uint32_t>(sealed.size()));
  record.bytes(sealed);
  if (!file_->write_at(size_, record.view()).ok() || !file_->sync().ok()) {
    stuck_ = true;
    return Error{Code::io, "vault.log.append"};
  }
  size_ += record.size();
  position_.chain = chained(position_.chain, sealed);
  ++position_.entries;
  return Done{};
}

Status SealedLog::restart(Bytes entry) {
  const std::uint64_t generation = position_.generation + 1;
  const LogPosition first{generation, 0, sha256(header_of(generation))};
  CLOISTER_ASSIGN(const ByteVector sealed, seal(first, entry));
  stuck_ = true;
  CLOISTER_TRY(begin(generation, sealed));
  position_ = {generation, 1, chained(first.chain, sealed)};
  stuck_ = false;
  remove_before(generation);
  return Done{};
}

/// Writes the new file aside, then gives it its name: under it stands a first entry or nothing.
Status SealedLog::begin(std::uint64_t generation, const ByteVector& first) {
  CLOISTER_TRY(parts_.files.make_folder("log"));
  CLOISTER_TRY(parts_.files.make_folder(folder()));
  const std::string path = path_of(generation);
  const std::string aside = path + std::string(kAside);
  auto created = parts_.files.create(aside);
  if (!created.ok() && created.error().code == Code::conflict) {
    CLOISTER_TRY(parts_.files.remove(aside));
    created = parts_.files.create(aside);
  }
  CLOISTER_ASSIGN(auto file, std::move(created));
  ByteWriter content;
  content.bytes(header_of(generation));
  content.u32_le(static_cast<std::uint32_t>(first.size()));
  content.bytes(first);
  CLOISTER_TRY(file->write_at(0, content.view()));
  CLOISTER_TRY(file->sync());
  CLOISTER_TRY(parts_.files.rename(aside, path));
  CLOISTER_TRY(parts_.files.sync_folder(folder()));
  CLOISTER_TRY(parts_.files.sync_folder("log"));
  CLOISTER_TRY(parts_.files.sync_folder(""));
  file_ = std::move(file);
  size_ = content.size();
  return Done{};
}

/// Best effort: what stays is removed at the next start, and is never read again.
void SealedLog::remove_before(std::uint64_t generation) {
  const auto listed = parts_.files.list(folder());
  if (!listed.ok()) return;
  for (const FolderEntry& entry : listed.value()) {
    const auto old = generation_of(entry.name);
    const bool unfinished = entry.name.ends_with(kAside);
    if (!unfinished && (!old || *old >= generation)) continue;
    const Status removed = parts_.files.remove(folder() + "/" + entry.name);
    static_cast<void>(removed.ok());
  }
}

}  // namespace cloister
