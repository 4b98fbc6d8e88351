#include "tensor/npz.h"

#include <algorithm>
#include <set>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "tensor/deflate.h"

namespace cloister {
namespace {

constexpr std::uint32_t kLocalMagic = 0x04034B50;
constexpr std::uint32_t kDirectoryMagic = 0x02014B50;
constexpr std::uint32_t kEndMagic = 0x06054B50;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kLocalBytes = 30;
constexpr std::uint32_t kNotHere = 0xFFFFFFFF;  ///< the size is in a ZIP64 field
constexpr std::uint16_t kEncrypted = 1U << 0;
constexpr std::uint16_t kSizesFollow = 1U << 3;
constexpr std::uint16_t kUtf8Name = 1U << 11;
constexpr std::uint16_t kDeflateLevel = 3U << 1;
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflated = 8;
constexpr std::size_t kNameMax = 512 + 4;
constexpr std::string_view kSuffix = ".npy";
constexpr std::uint16_t kVersion = 20;
constexpr std::uint16_t kDosDate = (1U << 5) | 1U;  ///< 1 January 1980: files say no time of ours

Error invalid(const char* why) {
  return Error{Code::invalid, "npz.archive", Detail(std::string("npz: ") + why)};
}
Error unsupported(const char* why) {
  return Error{Code::unsupported, "npz.archive", Detail(std::string("npz: ") + why)};
}

/// A directory entry or a local header, as far as both have the same fields.
struct Entry {
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint32_t crc32 = 0;
  std::uint32_t stored_bytes = 0;
  std::uint32_t bytes = 0;
  std::uint16_t name_bytes = 0;
  std::uint16_t extra_bytes = 0;
};

/// Reads what follows the version needed. Every caller has made sure that the bytes are there.
Entry read_common(ByteReader& reader) {
  Entry entry;
  entry.flags = reader.u16_le().value();
  entry.method = reader.u16_le().value();
  CLOISTER_CHECK(reader.skip(4).ok());  // time and date
  entry.crc32 = reader.u32_le().value();
  entry.stored_bytes = reader.u32_le().value();
  entry.bytes = reader.u32_le().value();
  entry.name_bytes = reader.u16_le().value();
  entry.extra_bytes = reader.u16_le().value();
  return entry;
}

bool is_plain_character(char c) noexcept {
  return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F && c != '\\' && c != ':';
}

/// Whether `name`, without its suffix, could be taken for a path out of a folder, or is not text.
bool is_path_like(std::string_view name) {
  if (name.empty() || !std::ranges::all_of(name, is_plain_character)) return true;
  while (true) {
    const std::size_t slash = std::min(name.find('/'), name.size());
    const std::string_view segment = name.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..") return true;
    if (slash == name.size()) return false;
    name.remove_prefix(slash + 1);
  }
}

bool is_ascii(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

Status check_entry(const Entry& entry, std::string_view name) {
  if ((entry.flags & kEncrypted) != 0) return unsupported("encrypted members are not served");
  if ((entry.flags & ~(kSizesFollow | kUtf8Name | kDeflateLevel)) != 0) {
    return unsupported("a member has flags that are not served");
  }
  if (entry.method != kStored && entry.method != kDeflated) {
    return unsupported("only stored and deflated members are served");
  }
  if (entry.stored_bytes == kNotHere || entry.bytes == kNotHere) {
    return unsupported("members of 4 GiB or more are not served");
  }
  if (entry.method == kStored && entry.stored_bytes != entry.bytes) {
    return invalid("a stored member has two sizes");
  }
  if (!name.ends_with(kSuffix)) return invalid("a member's name does not end in .npy");
  if (is_path_like(name.substr(0, name.size() - kSuffix.size()))) {
    return invalid("a member's name is a path");
  }
  if ((entry.flags & kUtf8Name) == 0 && !is_ascii(name)) {
    return unsupported("a member's name is neither ASCII nor marked as UTF-8");
  }
  return Done{};
}

/// Where a member lies in the file, its local header included.
struct Extent {
  std::size_t from;
  std::size_t to;
};

/// Finds a member's bytes behind its local header, which must say what the directory says.
Result<Extent> locate(Bytes file, std::size_t local_at, const Entry& listed, Bytes name,
                      Bytes& stored) {
  if (local_at > file.size() || file.size() - local_at < kLocalBytes) {
    return invalid("a member lies outside the file");
  }
  ByteReader reader(file.subspan(local_at));
  if (reader.u32_le().value() != kLocalMagic) return invalid("a member has no header");
  CLOISTER_CHECK(reader.skip(2).ok());
  const Entry local = read_common(reader);
  const auto agrees = [&](std::uint32_t here, std::uint32_t there) {
    return here == there || here == kNotHere || ((local.flags & kSizesFollow) != 0 && here == 0);
  };
  if (local.method != listed.method || local.flags != listed.flags ||
      !agrees(local.stored_bytes, listed.stored_bytes) || !agrees(local.bytes, listed.bytes)) {
    return invalid("a member's header contradicts the directory");
  }
  const Result<Bytes> local_name = reader.take(local.name_bytes);
  if (!local_name.ok() || !std::ranges::equal(local_name.value(), name)) {
    return invalid("a member's header contradicts the directory");
  }
  if (!reader.skip(local.extra_bytes).ok()) return invalid("the file ends in a member");
  const Result<Bytes> data = reader.take(listed.stored_bytes);
  if (!data.ok()) return invalid("the file ends in a member");
  stored = data.value();
  return Extent{local_at, file.size() - reader.remaining()};
}

struct Directory {
  std::uint16_t count;
  std::size_t at;
  Bytes bytes;
};

/// Finds the end record, which must be the file's last bytes, and the directory right before it.
Result<Directory> find_directory(Bytes file) {
  if (file.size() < kEndBytes) return invalid("this is no zip archive");
  const std::size_t end_at = file.size() - kEndBytes;
  ByteReader reader(file.subspan(end_at));
  if (reader.u32_le().value() != kEndMagic) {
    return invalid("this is no zip archive, or something follows it");
  }
  const std::uint32_t disks = reader.u32_le().value();
  const std::uint16_t count_here = reader.u16_le().value();
  const std::uint16_t count = reader.u16_le().value();
  const std::uint32_t bytes = reader.u32_le().value();
  const std::uint32_t at = reader.u32_le().value();
  const std::uint16_t comment = reader.u16_le().value();
  if (disks != 0 || count_here != count || comment != 0) {
    return unsupported("archives in parts or with comments are not served");
  }
  if (count > kNpzMembersMax) return Error{Code::too_large, "npz.members"};
  if (at == kNotHere || bytes == kNotHere) return unsupported("archives past 4 GiB");
  if (std::uint64_t{at} + bytes != end_at) return invalid("the directory is out of place");
  return Directory{count, at, file.subspan(at, bytes)};
}

Status check_apart(std::vector<Extent> extents, std::size_t end) {
  std::ranges::sort(extents, {}, &Extent::from);
  for (std::size_t i = 0; i < extents.size(); ++i) {
    const std::size_t limit = i + 1 < extents.size() ? extents[i + 1].from : end;
    if (extents[i].to > limit) return invalid("members overlap");
  }
  return Done{};
}

}  // namespace

Result<std::vector<NpzMember>> read_npz(Bytes file, std::uint64_t inflated_bytes_max) {
  CLOISTER_ASSIGN(const Directory directory, find_directory(file));
  ByteReader reader(directory.bytes);
  std::vector<NpzMember> members;
  std::vector<Extent> extents;
  std::set<std::string> names;
  std::uint64_t inflated = 0;
  for (std::uint16_t i = 0; i < directory.count; ++i) {
    constexpr std::size_t kEntryBytes = 46;
    if (reader.remaining() < kEntryBytes) return invalid("the directory is cut");
    if (reader.u32_le().value() != kDirectoryMagic) return invalid("the directory is damaged");
    CLOISTER_CHECK(reader.skip(4).ok());  // versions
    const Entry entry = read_common(reader);
    const std::uint16_t comment = reader.u16_le().value();
    const std::uint16_t disk = reader.u16_le().value();
    CLOISTER_CHECK(reader.skip(6).ok());  // attributes
    const std::uint32_t local_at = reader.u32_le().value();
    const Result<Bytes> name = reader.take(entry.name_bytes);
    if (!name.ok() || !reader.skip(std::size_t{entry.extra_bytes} + comment).ok()) {
      return invalid("the directory is cut");
    }
    if (disk != 0 || name.value().size() > kNameMax) return invalid("the directory is damaged");
    CLOISTER_TRY(check_entry(entry, text_of(name.value())));
    NpzMember member;
    member.name = text_of(name.value().first(name.value().size() - kSuffix.size()));
    if (!names.insert(member.name).second) return invalid("two members have the same name");
    CLOISTER_ASSIGN(const Extent extent,
                    locate(file, local_at, entry, name.value(), member.stored));
    extents.push_back(extent);
    member.is_deflated = entry.method == kDeflated;
    member.bytes = entry.bytes;
    member.crc32 = entry.crc32;
    if (member.is_deflated) inflated += member.bytes;
    if (inflated > inflated_bytes_max) {
      return Error{Code::too_large, "npz.inflated", Detail("npz: the members inflate to too much")};
    }
    members.push_back(std::move(member));
  }
  if (!reader.empty()) return invalid("the directory is longer than its members");
  CLOISTER_TRY(check_apart(std::move(extents), directory.at));
  return members;
}

Result<Bytes> npz_member_bytes(const NpzMember& member, MutableBytes memory) {
  Bytes content = member.stored;
  if (member.is_deflated) {
    CLOISTER_CHECK(memory.size() >= member.bytes);
    const MutableBytes destination = memory.first(member.bytes);
    const Status inflated = inflate_exactly(member.stored, destination);
    if (!inflated.ok() && inflated.error().code == Code::invalid) {
      return invalid("a member does not inflate to its size");
    }
    CLOISTER_TRY(inflated);
    content = destination;
  }
  if (crc32_of(content) != member.crc32) return invalid("a member's CRC-32 does not hold");
  return content;
}

void NpzWriter::append_text(std::string text) {
  size_ += text.size();
  texts_.push_back(std::move(text));
  pieces_.push_back(bytes_of(texts_.back()));
}

Status NpzWriter::add(const std::string& name, std::string header, Bytes data) {
  const std::string file_name = name + std::string(kSuffix);
  const std::uint64_t bytes = header.size() + data.size();
  const std::uint64_t end = size_ + kLocalBytes + file_name.size() + bytes;
  if (end >= kNotHere || file_name.size() > kNameMax || members_ >= kNpzMembersMax) {
    return Error{Code::too_large, "npz.member_size"};
  }
  ByteWriter common;
  common.u16_le(kVersion);
  common.u16_le(kUtf8Name);
  common.u16_le(kStored);
  common.u16_le(0);
  common.u16_le(kDosDate);
  common.u32_le(crc32_of(data, crc32_of(bytes_of(header))));
  common.u32_le(static_cast<std::uint32_t>(bytes));
  common.u32_le(static_cast<std::uint32_t>(bytes));
  common.u16_le(static_cast<std::uint16_t>(file_name.size()));
  common.u16_le(0);  // no extra fields
  ByteWriter local;
  local.u32_le(kLocalMagic);
  local.bytes(common.view());
  ByteWriter listed;
  listed.u32_le(kDirectoryMagic);
  listed.u16_le(kVersion);
  listed.bytes(common.view());
  listed.u32_le(0);  // no comment, first disk
  listed.u16_le(0);
  listed.u32_le(0);  // attributes
  listed.u32_le(static_cast<std::uint32_t>(size_));
  directory_ += text_of(listed.view());
  directory_ += file_name;
  append_text(std::string(text_of(local.view())) + file_name);
  append_text(std::move(header));
  if (!data.empty()) pieces_.push_back(data);
  size_ += data.size();
  ++members_;
  return Done{};
}

Result<std::vector<Bytes>> NpzWriter::finish() {
  if (size_ + directory_.size() >= kNotHere) return Error{Code::too_large, "npz.size"};
  ByteWriter end;
  end.u32_le(kEndMagic);
  end.u32_le(0);  // one disk
  end.u16_le(members_);
  end.u16_le(members_);
  end.u32_le(static_cast<std::uint32_t>(directory_.size()));
  end.u32_le(static_cast<std::uint32_t>(size_));
  end.u16_le(0);
  append_text(std::move(directory_) + std::string(text_of(end.view())));
  return pieces_;
}

}  // namespace cloister
