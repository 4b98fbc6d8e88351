#include "vault/catalogue_files.h"

#include <algorithm>

#include "base/byte_writer.h"
#include "secret/private_memory.h"

namespace cloister {
namespace {

constexpr std::string_view kMagic = "CLOISTC2";
constexpr std::string_view kLabel = "cloister vault 1 catalogue";
constexpr const char* kFolder = "catalogue";
constexpr std::string_view kAside = ".new";
constexpr std::size_t kHeaderBytes = 88;
constexpr std::uint64_t kFileBytesMax = 1ULL << 30;
constexpr std::size_t kChangesMax = 16;
constexpr std::uint64_t kChangeBytesMax = 8U << 20;

struct Header {
  bool whole = false;
  StoreId store{};
  std::uint64_t epoch = 0;
  Sha256Digest previous{};
  std::uint64_t generation = 0;
  std::uint64_t sealed_at = 0;
};

ByteVector encode_header(const Header& header) {
  ByteWriter writer;
  writer.bytes(bytes_of(kMagic));
  writer.u64_le(header.whole ? 1 : 0);
  writer.bytes(header.store);
  writer.u64_le(header.epoch);
  writer.bytes(header.previous);
  writer.u64_le(header.generation);
  writer.u64_le(header.sealed_at);
  return std::move(writer).take();
}

Result<Header> decode_header(Bytes bytes) {
  ByteReader reader(bytes);
  Header header;
  CLOISTER_ASSIGN(const Bytes magic, reader.take(kMagic.size()));
  CLOISTER_ASSIGN(const std::uint64_t whole, reader.u64_le());
  CLOISTER_ASSIGN(const Bytes store, reader.take(header.store.size()));
  CLOISTER_ASSIGN(header.epoch, reader.u64_le());
  CLOISTER_ASSIGN(const Bytes previous, reader.take(header.previous.size()));
  CLOISTER_ASSIGN(header.generation, reader.u64_le());
  CLOISTER_ASSIGN(header.sealed_at, reader.u64_le());
  if (text_of(magic) != kMagic || whole > 1) return Error{Code::corrupt, "vault.catalogue.header"};
  header.whole = whole == 1;
  std::ranges::copy(store, header.store.begin());
  std::ranges::copy(previous, header.previous.begin());
  return header;
}

std::string path_of(std::uint64_t epoch) {
  ByteWriter writer;
  writer.u64_be(epoch);
  return std::string(kFolder) + "/" + hex_of(writer.view());
}

std::optional<std::uint64_t> epoch_of(std::string_view name) {
  std::uint64_t epoch = 0;
  if (name.size() != 16) return {};
  for (const char digit : name) {
    const bool decimal = digit >= '0' && digit <= '9';
    if (!decimal && (digit < 'a' || digit > 'f')) return {};
    epoch = epoch * 16 + static_cast<std::uint64_t>(decimal ? digit - '0' : digit - 'a' + 10);
  }
  return epoch;
}

/// What the next epoch's file is bound to: the header, the seal's seed and its tags. The tags stand
/// for what lies between, under a key that is used once.
Sha256Digest link_of(Bytes file) {
  Sha256Stream stream;
  stream.update(file.first(kHeaderBytes + kSeedBytes));
  stream.update(file.last(StoreKeys::tag_bytes(file.size() - kHeaderBytes)));
  return stream.finish();
}

Error damaged(Place where, const char* what) {
  return Error{Code::corrupt, where, Detail(std::string("the store's catalogue ") + what)};
}

}  // namespace

struct CatalogueFiles::Stored {
  Header header;
  std::unique_ptr<File> file;
  PrivateMemory memory;  // for all of it; what lies between seed and tags is not read yet
};

Result<std::vector<std::uint64_t>> CatalogueFiles::list_epochs() {
  auto listed = files_.list(kFolder);
  if (!listed.ok() && listed.error().code == Code::io) return listed.error();
  if (!listed.ok()) return damaged("vault.catalogue.folder", "is missing");
  std::vector<std::uint64_t> epochs;
  for (const FolderEntry& entry : listed.value()) {
    if (const auto epoch = epoch_of(entry.name)) {
      epochs.push_back(*epoch);
    } else if (entry.name.ends_with(kAside)) {
      // What cannot be removed is in nobody's way until the same epoch is written again.
      const Status removed = files_.remove(std::string(kFolder) + "/" + entry.name);
      static_cast<void>(removed.ok());
    }
  }
  std::ranges::sort(epochs);
  return epochs;
}

Result<CatalogueFiles::Stored> CatalogueFiles::read(std::uint64_t epoch) {
  auto opened = files_.open_for_reading(path_of(epoch));
  if (!opened.ok() && opened.error().code == Code::io) return opened.error();
  if (!opened.ok()) return damaged("vault.catalogue.open", "has a file missing or replaced");
  Stored stored;
  stored.file = std::move(opened).value();
  CLOISTER_ASSIGN(const std::uint64_t size, stored.file->size());
  if (size < kHeaderBytes + StoreKeys::kOverhead || size > kFileBytesMax) {
    return damaged("vault.catalogue.size", "is damaged");
  }
  CLOISTER_ASSIGN(stored.memory, PrivateMemory::reserve(size));
  const MutableBytes file = stored.memory.bytes();
  const MutableBytes front = file.first(kHeaderBytes + kSeedBytes);
  const MutableBytes tags = file.last(StoreKeys::tag_bytes(size - kHeaderBytes));
  CLOISTER_TRY(stored.file->read_at(0, front));
  CLOISTER_TRY(stored.file->read_at(size - tags.size(), tags));
  auto header = decode_header(front.first(kHeaderBytes));
  if (!header.ok()) return damaged("vault.catalogue.header", "is damaged");
  stored.header = header.value();
  if (stored.header.epoch != epoch) return damaged("vault.catalogue.epoch", "was rearranged");
  if (stored.header.store != store_) {
    return damaged("vault.catalogue.foreign", "belongs to another store");
  }
  return stored;
}

/// A whole catalogue of the next generation was written, and then the anchor's secret was not:
/// nobody was told of it, and it cannot be opened. What was before is still there.
Status CatalogueFiles::drop_unfinished(std::vector<std::uint64_t>& epochs) {
  if (key_.generation == 0 || epochs.size() < 2) return Done{};
  CLOISTER_ASSIGN(const Stored newest, read(epochs.back()));
  if (newest.header.generation != key_.generation + 1) return Done{};
  CLOISTER_TRY(files_.remove(path_of(epochs.back())));
  epochs.pop_back();
  return files_.sync_folder(kFolder);
}

Result<Catalogue> CatalogueFiles::load(unsigned threads) {
  CLOISTER_ASSIGN(auto epochs, list_epochs());
  CLOISTER_TRY(drop_unfinished(epochs));
  if (epochs.empty()) return damaged("vault.catalogue.missing", "is missing");
  std::vector<Stored> chain;  // newest first, down to the newest whole catalogue
  for (auto epoch = epochs.rbegin(); epoch != epochs.rend(); ++epoch) {
    const bool gap = !chain.empty() && *epoch + 1 != chain.back().header.epoch;
    if (gap) return damaged("vault.catalogue.gap", "has a file missing");
    if (chain.size() > kChangesMax) return damaged("vault.catalogue.chain", "has too many files");
    CLOISTER_ASSIGN(Stored stored, read(*epoch));
    chain.push_back(std::move(stored));
    if (chain.back().header.whole) break;
  }
  if (!chain.back().header.whole) return damaged("vault.catalogue.whole", "has a file missing");
  Catalogue catalogue;
  for (auto stored = chain.rbegin(); stored != chain.rend(); ++stored) {
    CLOISTER_TRY(apply(*stored, threads, catalogue));
  }
  remove_before(chain.back().header.epoch);
  return catalogue;
}

/// Opens the file that follows what `catalogue` is, and makes it what the file says.
Status CatalogueFiles::apply(Stored& stored, unsigned threads, Catalogue& catalogue) {
  const MutableBytes file = stored.memory.bytes();
  const bool whole = stored.header.whole;
  const bool follows = whole || stored.header.previous == last_;
  last_ = link_of(file);
  const auto fetch = [&](std::size_t offset, MutableBytes piece) {
    return stored.file->read_at(kHeaderBytes + offset, piece);
  };
  const auto opened =
      StoreKeys::open_in_place(aeads_, key_.bytes, kLabel, file.first(kHeaderBytes),
                               file.subspan(kHeaderBytes), threads, fetch);
  if (!opened.ok() && opened.error().code == Code::io) return opened.error();
  if (!opened.ok()) return damaged("vault.catalogue.seal", "is damaged");
  if (!follows) return damaged("vault.catalogue.chain", "mixes two histories of the store");
  if (whole) {
    CLOISTER_ASSIGN(catalogue,
                    Catalogue::from_image(std::move(stored.memory), opened.value()));
    whole_bytes_ = file.size();
  } else {
    CLOISTER_TRY(catalogue.apply_image(std::move(stored.memory), opened.value()));
    ++changes_;
    change_bytes_ += file.size();
  }
  epoch_ = stored.header.epoch;
  sealed_at_ = UtcSeconds(std::chrono::seconds(stored.header.sealed_at));
  return Done{};
}

Status CatalogueFiles::write(const Catalogue& next, const CatalogueChange& change, bool whole,
                             const std::function<Status()>& confirm) {
  if (stuck_) return Error{Code::unavailable, "vault.catalogue.stuck"};
  const bool due = changes_ >= kChangesMax ||
                   change_bytes_ > std::max(kChangeBytesMax, whole_bytes_);
  whole = whole || due || epoch_ == 0;
  const auto now = std::max(clock_.utc(), sealed_at_);
  const Header header{whole, store_, epoch_ + 1, last_, key_.generation,
                      static_cast<std::uint64_t>(now.time_since_epoch().count())};
  const ByteVector head = encode_header(header);
  SecretBytes plaintext;
  if (whole) {
    CLOISTER_ASSIGN(plaintext, next.encode_whole());
  } else {
    plaintext = Catalogue::encode_change(change);
  }
  CLOISTER_ASSIGN(const ByteVector sealed,
                  StoreKeys::seal(aeads_, entropy_, key_.bytes, kLabel, head, plaintext));
  if (sealed.size() > kFileBytesMax - kHeaderBytes) {
    return Error{Code::too_large, "vault.catalogue.size"};
  }
  ByteWriter file;
  file.bytes(head);
  file.bytes(sealed);
  CLOISTER_TRY(put(header.epoch, file.view()));
  if (confirm && !confirm().ok()) {
    stuck_ = true;
    return Error{Code::io, "vault.catalogue.confirm"};
  }
  epoch_ = header.epoch;
  last_ = link_of(file.view());
  sealed_at_ = now;
  changes_ = whole ? 0 : changes_ + 1;
  change_bytes_ = whole ? 0 : change_bytes_ + file.size();
  if (whole) {
    whole_bytes_ = file.size();
    remove_before(epoch_);
  }
  return Done{};
}

Status CatalogueFiles::put(std::uint64_t epoch, Bytes content) {
  const std::string path = path_of(epoch);
  const std::string aside = path + std::string(kAside);
  const auto write_aside = [&]() -> Status {
    auto created = files_.create(aside);
    if (!created.ok() && created.error().code == Code::conflict) {
      CLOISTER_TRY(files_.remove(aside));
      created = files_.create(aside);
    }
    CLOISTER_ASSIGN(const auto file, std::move(created));
    CLOISTER_TRY(file->write_at(0, content));
    return file->sync();
  };
  if (Status written = write_aside(); !written.ok()) {
    const Status removed = files_.remove(aside);
    static_cast<void>(removed.ok());  // swept at the next start
    return Error{Code::io, "vault.catalogue.write"};
  }
  if (files_.rename(aside, path).ok() && files_.sync_folder(kFolder).ok()) return Done{};
  // Whether the new catalogue would survive a crash is unknown. Taking it back makes it known.
  const Status removed = files_.remove(path);
  const bool gone = removed.ok() || removed.error().code == Code::not_found;
  const Status unsaved = files_.remove(aside);
  static_cast<void>(unsaved.ok());
  stuck_ = !gone || !files_.sync_folder(kFolder).ok();
  return Error{Code::io, "vault.catalogue.rename"};
}

/// Best effort: what stays is removed at the next start, and is never read again.
void CatalogueFiles::remove_before(std::uint64_t epoch) {
  const auto epochs = list_epochs();
  if (!epochs.ok()) return;
  for (const std::uint64_t old : epochs.value()) {
    if (old >= epoch) continue;
    const Status removed = files_.remove(path_of(old));
    static_cast<void>(removed.ok());
  }
}

}  // namespace cloister
